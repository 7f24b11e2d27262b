"""The software layer: the hosts' packages, installed once into an overlay of the machine."""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.kernel.cgroup import Group
from lab.kernel.spawn import spawn

CACHE = Path("/var/lib/twinedge-lab")
SCRIPT = Path(__file__).with_name("layer.sh")
MACHINE = (Path("/var/lib/dpkg/status"), Path("/etc/os-release"))
# What the machine's user keeps in these is not the hosts': they start empty.
EMPTIED = ("root",)
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "lsyncd",
    "rsync",
    "unison",
    "unbound",
    "iproute2",
    "iputils-ping",
    "curl",
    "bind9-dnsutils",
    "sudo",
    "busybox",
    "procps",
    "nftables",
    "faketime",
)
BUILD_SECONDS = 600.0
NO_OUTPUT = "no output"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer in the cache. Who has its lock, shared, uses it."""

    folder: Path

    @classmethod
    def for_machine(cls) -> "Layer":
        """The layer that fits what the machine has installed now."""
        digest = hashlib.sha256(" ".join(PACKAGES).encode() + SCRIPT.read_bytes())
        for path in MACHINE:
            try:
                digest.update(path.read_bytes())
            except FileNotFoundError as error:
                raise LabError(f"no {path}: the lab needs Debian 12 or Ubuntu") from error
        return cls(folder=CACHE / f"layer-{digest.hexdigest()[:12]}")

    @property
    def complete(self) -> bool:
        return (self.folder / "complete").exists()

    def open_lock(self) -> int:
        CACHE.mkdir(mode=0o711, parents=True, exist_ok=True)
        return os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)

    @property
    def lock_file(self) -> Path:
        return self.folder.with_suffix(".lock")


def obtain(*, group: Group, lab_lock: int, say: Callable[[str], None]) -> tuple[Path, int]:
    """The layer's folder, built if need be, and a descriptor that keeps it from removal."""
    layer = Layer.for_machine()
    lock = layer.open_lock()
    fcntl.flock(lock, fcntl.LOCK_SH)
    while not layer.complete:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not layer.complete:  # another lab may have built it while we waited
            say("installing the hosts' packages into the lab's software layer, once")
            _build(layer, group=group, lab_lock=lab_lock)
        fcntl.flock(lock, fcntl.LOCK_SH)
    remove_unused(keep=layer.folder)
    return layer.folder, lock


def remove_unused(*, keep: Path | None = None) -> None:
    """Removes every layer, but `keep`, that no lab of this machine uses.

    The empty lock files stay: another lab may be waiting for one.
    """
    for path in CACHE.glob("layer-*.lock"):
        layer = Layer(folder=path.with_suffix(""))
        if layer.folder == keep:
            continue
        lock = layer.open_lock()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(layer.folder, ignore_errors=True)
        except BlockingIOError:  # in use
            pass
        finally:
            os.close(lock)


def _build(layer: Layer, *, group: Group, lab_lock: int) -> None:
    shutil.rmtree(layer.folder, ignore_errors=True)
    for name in EMPTIED:
        emptied = layer.folder / "upper" / name
        emptied.mkdir(parents=True, mode=0o700)
        os.setxattr(emptied, "trusted.overlay.opaque", b"y")
    log = layer.folder / "build.log"
    group.make()
    spawn(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
         "sh", str(SCRIPT), str(layer.folder), *PACKAGES],
        group=group, lock=lab_lock, log=log,
    )  # fmt: skip
    deadline = time.monotonic() + BUILD_SECONDS
    while group.pids():
        if time.monotonic() > deadline:
            group.kill()
        time.sleep(0.1)
    if not layer.complete:
        raise LabError(f"the packages cannot be installed: {last_line(log)} (all of it: {log})")


def last_line(log: Path) -> str:
    """What a script said last, without mount's advice to read dmesg."""
    text = log.read_text(errors="replace") if log.exists() else ""
    lines = [line for line in text.splitlines() if line.strip() and "dmesg(1)" not in line]
    return lines[-1].strip() if lines else NO_OUTPUT
