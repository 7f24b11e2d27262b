"""Which ports of the lab's networks pass packets, as the faults in force want it."""

from lab.errors import LabError
from lab.faults import Fault, Record
from lab.kernel import keeper
from lab.kernel.network import Network
from lab.state import State
from lab.topology import Topology

MESH = "shared/mesh.json"  # on every host: /run/lab/mesh.json, what its tailscale shows


def apply(state: State, known: Topology) -> None:
    """Opens and closes every port, and tells the mesh."""
    record = Record.of(state)
    tailnet = {name: not _cut(record, "partition", name) for name in known.tailnet}
    internet = {
        machine.internet: not _cut(record, "isolate-internet", machine.name)
        for machine in known.machines.values()
    }
    on_tailnet = {known.tailnet[name]: up for name, up in tailnet.items()}
    network(state).set_ports(internet | on_tailnet)
    hosts = {
        name: {"address": address, "port_up": tailnet[name]}
        for name, address in known.tailnet.items()
    }
    resolvers = [edge.tailnet for edge in known.edges]
    state.write(MESH, {"hosts": hosts, "domain": known.domain, "resolvers": resolvers})


def set_pair(state: State, known: Topology, fault: Fault, *, joined: bool) -> None:
    """Cuts or joins the two hosts of a partition that has a far end."""
    one, other = known.machine(fault.subject), known.machine(fault.other or "")
    network(state).set_pair(one, other, joined=joined)


def network(state: State) -> Network:
    standing = state.process("keeper")
    if standing is None:
        raise LabError("the lab is down; `python -m lab up`")
    return keeper.network(state, standing)


def _cut(record: Record, kind: str, host: str) -> bool:
    """A dead host's port is closed too: a kernel without processes would still answer."""
    return record.has(kind, host) or record.has("power-cut", host)
