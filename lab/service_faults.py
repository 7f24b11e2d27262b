"""How one service of a lab host is broken, and made whole again."""

import json
from pathlib import Path

from lab.errors import LabError
from lab.fault_kinds import KINDS
from lab.faults import Fault
from lab.kernel.machine import Host
from lab.state import State
from lab.topology import Topology


def begin(topology: Topology, state: State, fault: Fault) -> None:
    """Breaks a service. Breaking it twice is breaking it once."""
    origin = topology.origin(fault.subject)
    host, unit = Host.of(state, origin.host), f"{origin.unit}.service"
    match fault.kind:
        case "stop":
            _must(host, "systemctl", "stop", unit)
        case "kill":
            _must(host, "systemctl", "kill", "--signal=KILL", unit, unless="not loaded")
        case "hang":
            _freeze(host, unit, frozen=True)
        case _:
            amount = dict.fromkeys(KINDS[fault.kind].options, fault.amount)
            _control(host, origin.service, json.dumps({"mode": fault.kind} | amount))
            _start_anew(host, unit, fault)


def end(topology: Topology, state: State, fault: Fault) -> None:
    """Makes a service whole again."""
    origin = topology.origin(fault.subject)
    host, unit = Host.of(state, origin.host), f"{origin.unit}.service"
    if host.init is None:  # a power cut ended it, and the boot will start it
        return
    match fault.kind:
        case "stop" | "kill":
            host.run("systemctl", "reset-failed", unit)
            _must(host, "systemctl", "start", unit)
        case "hang":
            _freeze(host, unit, frozen=False)
        case _:
            _control(host, origin.service, None)
            _start_anew(host, unit, fault)


def _start_anew(host: Host, unit: str, fault: Fault) -> None:
    """What an origin asks for at its start alone needs one."""
    if KINDS[fault.kind].maker == "start":
        _must(host, "systemctl", "restart", unit)


def _must(host: Host, *argv: str, unless: str = "") -> None:
    done = host.run(*argv)
    said = (done.stderr or done.stdout).strip()
    if done.returncode and not (unless and unless in said):
        raise LabError(f"{host.name}: {' '.join(argv)}: {said}; `python -m lab status`")


def _freeze(host: Host, unit: str, *, frozen: bool) -> None:
    """A frozen service keeps its sockets and answers nothing, like a hung one."""
    group = host.group.child("system.slice").child(unit)
    if group.exists:
        group.freeze(frozen)
    elif frozen:
        raise LabError(f"{host.name}: {unit} does not run, so it cannot hang; start it first")


def _control(host: Host, service: str, text: str | None) -> None:
    init = host.init
    if init is None:
        raise LabError(f"{host.name} is off; `python -m lab up`")
    path = Path(f"/proc/{init.pid}/root/run/origin/{service}.json")
    if text is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(exist_ok=True)
    staged = path.with_name(f".{service}")
    staged.write_text(text)
    staged.rename(path)
