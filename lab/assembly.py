"""How a lab is put together and taken apart: ground, disks, boots, and clearing it all."""

import shutil
import time
from collections.abc import Callable, Sequence

from lab import ports, topology
from lab.errors import LabError
from lab.faults import Record
from lab.image import image
from lab.kernel import keeper
from lab.kernel.cgroup import Group
from lab.kernel.inotify import check_room
from lab.kernel.machine import Host
from lab.options import Options
from lab.state import Process, State

BOOT_SECONDS = 180.0  # measured: 3 to 16, and 60 at a load of 40
DONE = "assembled.json"
Say = Callable[[str], None]


def silent(_: str) -> None:
    """Says nothing."""


def up(state: State, lock: int, options: Options, say: Say = silent) -> None:
    """Boots what is off. A lab that was left half made is made anew."""
    if ground(state) is None:
        degraded = _assemble(state, lock, options, say)
    else:
        Options.of(state).refuse_other(options)
        degraded = boot(state, hosts_off(state), lock, say)
    if degraded:
        raise LabError(
            f"up, but units failed ({'; '.join(degraded)}); "
            "`python -m lab exec HOST -- journalctl -u UNIT` says why"
        )


def clear(state: State) -> None:
    """Ends everything that has this lab's id. Mounts and links end with their processes."""
    Group.of_lab(state.id).remove()
    shutil.rmtree(state.folder, ignore_errors=True)


def ground(state: State) -> Process | None:
    """The keeper of a lab that was once assembled in full."""
    return state.process("keeper") if state.read(DONE) else None


def hosts_off(state: State) -> list[Host]:
    known = topology.load(state)
    hosts = [Host.of(state, name) for name in known.machines] if known else []
    return [host for host in hosts if host.init is None]


def boot(state: State, hosts: Sequence[Host], lock: int, say: Say = silent) -> list[str]:
    """Boots hosts side by side; returns what failed to start, once all have booted."""
    if not hosts:
        return []
    standing, known = state.process("keeper"), topology.load(state)
    if standing is None or known is None:
        raise LabError("the lab is half made; `python -m lab up`")
    say(f"booting {', '.join(host.name for host in hosts)}")
    for host in hosts:
        host.cut_power()  # what is left of a host that died
        record = Record.of(state)
        record.drop(record.cured_by_reboot(host.name))
        host.boot(standing, lock=lock)
    ports.apply(state, known)
    for host in hosts:
        host.find_init()
    deadline = time.monotonic() + BOOT_SECONDS
    return [
        f"{host.name}: {' '.join(host.failed_units())}"
        for host in hosts
        if host.wait_booted(deadline) != "running"
    ]


def _assemble(state: State, lock: int, options: Options, say: Say) -> list[str]:
    clear(state)
    try:
        _lay_ground(state, lock, options, say)
        degraded = boot(state, hosts_off(state), lock, say)
    except BaseException:
        clear(state)
        raise
    state.write(DONE, True)
    return degraded


def _lay_ground(state: State, lock: int, options: Options, say: Say) -> None:
    from lab import managed  # slow to import, and only needed here
    from lab.image import keys, provision

    if options.manager:
        managed.copy(options.site, options.manager, options.config(state).parent)
    known = topology.of_site(options.config(state))
    chosen = image.choose(known, options)
    options.save(state)
    check_room(len(known.machines))
    (state.folder / "shared").mkdir(parents=True)
    group = Group.of_lab(state.id).child("keeper")
    images, locks = image.obtain(state, chosen, group=group, lab_lock=lock, say=say)
    say("making networks and disks")
    layers = {host: each.layer for host, each in images.items()}
    made = keeper.start(state, layers, group=group, lock=lock, keep=locks)
    network = keeper.network(state, made)
    secrets = keys.generate(
        known.machines, domain=known.domain, tunnel=known.tunnel, team=known.team
    )
    for machine in known.machines.values():
        network.join_host(machine, known.tailnet)
        disk = keeper.disk(state, made, machine.name)
        provision.provision(state, known, secrets, machine, disk)
    topology.save(state, known)
