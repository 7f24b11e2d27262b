"""How one service of a lab host is broken, and made whole again."""

import json
from pathlib import Path

from lab.errors import LabError, UsageError
from lab.fault_kinds import KINDS
from lab.faults import Fault
from lab.kernel.machine import Host
from lab.running import running
from lab.state import State
from lab.topology import Origin, Topology


def begin(topology: Topology, state: State, fault: Fault) -> None:
    """Breaks a service. Breaking it twice is breaking it once."""
    origin = topology.origin(fault.subject)
    host = Host.of(state, origin.host)
    service = running(origin, host)
    match fault.kind:
        case "stop":
            service.stop()
        case "kill":
            service.kill()
        case "hang":
            service.freeze(True)
        case _:
            _refuse_bridged(origin, fault)
            amount = dict.fromkeys(KINDS[fault.kind].options, fault.amount)
            _control(host, origin.service, json.dumps({"mode": fault.kind} | amount))
            if KINDS[fault.kind].maker == "start":
                service.start_anew()


def end(topology: Topology, state: State, fault: Fault) -> None:
    """Makes a service whole again."""
    origin = topology.origin(fault.subject)
    host = Host.of(state, origin.host)
    service = running(origin, host)
    if host.init is None:  # a power cut ended it, and the boot will start it
        return
    match fault.kind:
        case "stop" | "kill":
            service.start()
        case "hang":
            service.freeze(False)
        case _:
            _control(host, origin.service, None)
            if KINDS[fault.kind].maker == "start":
                service.start_anew()


def _refuse_bridged(origin: Origin, fault: Fault) -> None:
    """Behind a bridge the container's ports say who reaches it, and they stay as they are."""
    if fault.kind in ("loopback", "all-addresses") and origin.runs.network == "bridge":
        raise UsageError(
            f"{fault.subject} is behind a bridge: where it is published stands in the site's "
            "origins.yaml (listen)"
        )


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
