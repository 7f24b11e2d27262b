"""How faults begin and end, whichever kind they are, and in which order that is recorded."""

from lab import assembly, ports, service_faults
from lab.faults import Fault, Record
from lab.kernel.machine import Host
from lab.state import State
from lab.topology import Topology


def begin(state: State, known: Topology, fault: Fault) -> None:
    """Records the fault first: one that a killed command has half begun can be ended."""
    record = Record.of(state).add(fault)
    try:
        _begin(state, known, fault)
    except Exception:  # it did not begin, so it must not be listed
        record.drop((fault,))
        raise


def end(state: State, known: Topology, fault: Fault, lock: int) -> None:
    """Forgets the fault, and puts it back on the record when it cannot be ended."""
    record = Record.of(state).drop((fault,))
    try:
        _end(state, known, fault, lock)
    except BaseException:
        record.add(fault)
        raise


def _begin(state: State, known: Topology, fault: Fault) -> None:
    match fault.kind:
        case "power-cut":
            Host.of(state, fault.subject).cut_power()
            ports.apply(state, known)
        case "partition" if fault.other:
            ports.set_pair(state, known, fault, joined=False)
        case "partition" | "isolate-internet":
            ports.apply(state, known)
        case "latency":
            ports.network(state).set_latency(fault.subject, fault.amount or 0)
        case "array-stopped":
            Host.of(state, fault.subject).set_array(started=False)
        case _:
            service_faults.begin(known, state, fault)


def _end(state: State, known: Topology, fault: Fault, lock: int) -> None:
    match fault.kind:
        case "power-cut":
            host = Host.of(state, fault.subject)
            if host.init is None:
                assembly.boot(state, [host], lock)
        case "partition" if fault.other:
            ports.set_pair(state, known, fault, joined=True)
        case "partition" | "isolate-internet":
            ports.apply(state, known)
        case "latency":
            ports.network(state).set_latency(fault.subject, 0)
        case "array-stopped":
            Host.of(state, fault.subject).set_array(started=True)
        case _:
            service_faults.end(known, state, fault)
