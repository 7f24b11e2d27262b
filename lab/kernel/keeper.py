"""The keeper process: its namespaces hold the lab's network, and its mounts the disks."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import LabError
from lab.image.cache import last_line
from lab.kernel.cgroup import Group
from lab.kernel.network import Network
from lab.kernel.spawn import spawn
from lab.state import Process, State

SCRIPT = Path(__file__).with_name("keeper.sh")
DISK_SIZE = "1g"  # per host, in memory as it fills; small enough to be filled by a fault
START_SECONDS = 20.0


def start(
    state: State, layers: Mapping[str, str], *, group: Group, lock: int, keep: Sequence[int]
) -> Process:
    """Makes the ground: layers (by host) and disks mounted, bridges and namespaces made.

    `keep` are the locks of what lies in the cache; the keeper takes them over.
    """
    log, ready = state.folder / "keeper.log", state.folder / "keeper.pid"
    spawn(
        ["unshare", "--mount", "--net", "--propagation", "private",
         "sh", str(SCRIPT), str(state.folder), DISK_SIZE, *dict.fromkeys(layers.values()),
         "--", *(f"{host}={Path(layer).name}" for host, layer in layers.items())],
        group=group.make(), lock=lock, log=log, keep=keep,
    )  # fmt: skip
    for descriptor in keep:  # the keeper has them now
        os.close(descriptor)
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists():
        if time.monotonic() > deadline or not group.pids():
            raise LabError(f"the lab's ground cannot be made: {last_line(log)}")
        time.sleep(0.01)
    keeper = Process.of(int(ready.read_text()))
    state.remember("keeper", keeper)
    return keeper


def disk(state: State, keeper: Process, host: str) -> Path:
    """A host's root file system, seen from the machine."""
    return Path(f"/proc/{keeper.pid}/root{state.folder}/roots/{host}")


def network(state: State, keeper: Process) -> Network:
    return Network(keeper=keeper.pid, folder=state.folder / "net")
