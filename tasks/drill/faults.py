"""Which faults a drill knows, and the commands that make and undo them. Pure: nothing is run.

Every undo may run twice, and on a host where the fault never happened.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from inventory.catalogue import Catalogue, Host, Manager, Service
from tasks.quote import shell as word

BY_NAME, CLOUDFLARE = ANY_EDGE = ("name", "cloudflare")  # vantages that lead to any edge


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault on one host, as lines of POSIX sh run as root.

    `healthy` succeeds once `undo` has worked, `ended` when the fault is over though nobody has
    undone it; it is empty where that is no surprise. Until `takes` seconds after it was begun,
    an `inject` that nobody waits for any more may still break something.

    `broken` are the hosts that no longer serve; where the hosts are only `apart`, each still
    serves itself, and where they are `alike`, whoever asks by name takes any. `blind` are the
    vantages that the fault takes away together with what they would show.
    """

    kind: str
    host: str
    words: str
    inject: tuple[str, ...]
    undo: tuple[str, ...]
    healthy: tuple[str, ...]
    broken: frozenset[str]
    ended: tuple[str, ...] = ()
    takes: int = 0
    apart: bool = False
    alike: bool = False
    blind: frozenset[str] = frozenset()

    def title(self, service: str) -> str:
        """The fault, as the headline of a drill of `service`."""
        return self.words if self.words.startswith(service) else f"{service}: {self.words}"

    def broken_for(self, vantage: str) -> frozenset[str]:
        """The hosts that no longer answer this vantage; a Caddy bears the name of its host."""
        if vantage in ANY_EDGE and (self.apart or self.alike):
            return frozenset()
        return self.broken - {vantage} if self.apart else self.broken


@dataclass(frozen=True, kw_only=True)
class Handling:
    """How one kind of manager breaks a unit, and makes it whole."""

    inject: Mapping[str, str]
    undo: Mapping[str, tuple[str, ...]]
    healthy: str
    ended: Mapping[str, str]
    bounded: bool = False  # it stops within the seconds that it is given


# A unit that failed to start too often refuses to be started, until that is forgotten.
_START = ("systemctl reset-failed {} 2>/dev/null || :", "systemctl start {}")

_SYSTEMD = Handling(
    inject={
        "stop": "systemctl stop {}",
        "kill": "systemctl kill -s KILL {}",
        "hang": "systemctl kill -s STOP {}",
    },
    undo={
        "stop": _START,
        "kill": _START,
        "hang": ("systemctl kill -s CONT {} || :", *_START),
    },
    healthy="systemctl -q is-active {}",
    ended={  # a unit that was killed may well be started again by systemd
        "stop": "systemctl -q is-active {}",
        "hang": "grep -q '^State:.[^T]' /proc/$(systemctl show -p MainPID --value {})/status",
    },
)
# While a container stops it is "running" to docker, and `docker start` does nothing.
_RUNS = (
    "docker inspect -f '{{{{.State.Running}}}} {{{{.State.Paused}}}}' {} | grep -qx 'true false'"
)
_DOCKER = Handling(
    inject={
        "stop": "docker stop -t {seconds} {}",
        "kill": "docker kill {}",
        "hang": "docker pause {}",
    },
    undo={
        "stop": ("docker start {}",),
        "kill": ("docker start {}",),
        "hang": ("docker unpause {} 2>/dev/null || :", "docker start {}"),
    },
    healthy=_RUNS,
    ended={"stop": _RUNS, "kill": _RUNS, "hang": _RUNS},
    bounded=True,
)
HANDLINGS: Mapping[Manager, Handling] = {
    "systemd": _SYSTEMD,
    "docker": _DOCKER,
    "unraid": _DOCKER,
}
SERVICE_KINDS = tuple(_SYSTEMD.inject)
PROXY, TUNNEL = "caddy", "cloudflared"
STOP_SECONDS = 10  # that a container gets until it is killed: docker's default


def service_fault(
    kind: str, catalogue: Catalogue, service: Service, host: str, seconds: int = STOP_SECONDS
) -> Fault:
    """`service` on `host` stopped (a container within `seconds`), killed or hung."""
    handling = HANDLINGS[catalogue.manager_of(service, host)]
    unit = word(service.unit)
    verb = {"stop": "is stopped", "kill": "is killed", "hang": "hangs"}[kind]
    return Fault(
        kind=kind,
        host=host,
        words=f"{service.name} on {host} {verb}",
        inject=(handling.inject[kind].format(unit, seconds=seconds),),
        undo=tuple(line.format(unit) for line in handling.undo[kind]),
        healthy=(handling.healthy.format(unit),),
        broken=frozenset({host}),
        ended=tuple(line.format(unit) for line in (handling.ended.get(kind),) if line),
        takes=seconds if handling.bounded and kind == "stop" else 0,
    )


def unit_fault(kind: str, unit: str, host: str, *, blind: frozenset[str]) -> Fault:
    """A part of the edge itself stopped; its services go on."""
    return Fault(
        kind=kind,
        host=host,
        words=f"{unit} on {host} is stopped",
        inject=(f"systemctl stop {unit}",),
        undo=tuple(line.format(unit) for line in _START),
        healthy=(f"systemctl -q is-active {unit}",),
        broken=frozenset(),
        ended=(f"systemctl -q is-active {unit}",),
        blind=blind,
    )


def caddy_fault(_: Catalogue, host: str, __: int) -> Fault:
    return unit_fault("caddy", PROXY, host, blind=frozenset({host}))


def tunnel_fault(_: Catalogue, host: str, __: int) -> Fault:
    return unit_fault("tunnel", TUNNEL, host, blind=frozenset())


def edge_fault(catalogue: Catalogue, host: str, seconds: int) -> Fault:
    """Everything that the edge serves with stopped at once. SSH stays."""
    here = [each for each in catalogue.services.values() if host in each.placements]
    share = max(1, seconds // max(1, len(here)))  # they stop one after the other
    parts = [unit_fault("edge", unit, host, blind=frozenset()) for unit in (TUNNEL, PROXY)]
    parts += [service_fault("stop", catalogue, each, host, share) for each in here]
    return Fault(
        kind="edge",
        host=host,
        words=f"the whole edge {host} is gone",
        inject=tuple(line for part in parts for line in part.inject),
        undo=tuple(line for part in reversed(parts) for line in part.undo),
        healthy=tuple(line for part in parts for line in part.healthy),
        broken=frozenset({host}),
        ended=tuple(line for part in parts for line in part.ended),
        takes=sum(part.takes for part in parts),
        blind=frozenset({host}),
    )


TABLE = "inet twinedge_drill"


def mesh_fault(catalogue: Catalogue, host: str, _: int) -> Fault:
    """No packet between `host` and the other edges; `host` itself stays reachable."""
    peers = [edge for edge in catalogue.edges if edge.name != host]
    addresses = ", ".join(str(peer.address) for peer in peers)
    rules = [
        ("in", "input", f"ip saddr {{ {addresses} }}"),
        ("out", "output", f"ip daddr {{ {addresses} }}"),
    ]
    return Fault(
        kind="mesh",
        host=host,
        words=f"{host} and {', '.join(peer.name for peer in peers)} do not reach each other",
        inject=(
            f"nft add table {TABLE}",
            *(
                line
                for name, hook, match in rules
                for line in (
                    f"nft 'add chain {TABLE} {name} {{ type filter hook {hook} priority -300; }}'",
                    f"nft 'add rule {TABLE} {name} {match} drop'",
                )
            ),
        ),
        undo=(f"nft delete table {TABLE} 2>/dev/null || :",),
        healthy=(f"! nft list table {TABLE} >/dev/null 2>&1",),
        ended=(f"nft list tables | {{ ! grep -qx 'table {TABLE}'; }}",),
        broken=frozenset({host, *(peer.name for peer in peers)}),
        apart=True,
    )


Builder = Callable[[Catalogue, str, int], Fault]
HOST_FAULTS: Mapping[str, Builder] = {
    "caddy": caddy_fault,
    "tunnel": tunnel_fault,
    "edge": edge_fault,
    "mesh": mesh_fault,
}
KINDS = (*SERVICE_KINDS, *HOST_FAULTS)


def make_fault(
    kind: str, catalogue: Catalogue, service: Service, host: str, seconds: int = STOP_SECONDS
) -> Fault:
    """The fault of that kind on `host`; `service` is what a service fault breaks.

    Containers that are stopped are killed after `seconds`.
    """
    if kind in HOST_FAULTS:
        fault = HOST_FAULTS[kind](catalogue, host, seconds)
    else:
        fault = service_fault(kind, catalogue, service, host, seconds)
    return replace(fault, alike=service.primary is None)


def hosts_for(kind: str, catalogue: Catalogue, service: Service) -> list[str]:
    """Where the fault makes sense, the usual place first."""
    edges = [edge.name for edge in catalogue.edges]
    if kind in SERVICE_KINDS:
        return [host for host in service.placements if host in catalogue.hosts]
    return sorted(edges, key=lambda name: name != service.placements[0])


def out_of_reach(kind: str, catalogue: Catalogue, service: Service) -> str | None:
    """Why nobody can make that fault where the service has to fail over."""
    reachable = hosts_for(kind, catalogue, service)
    first = service.primary or next(iter(reachable), service.placements[0])
    if kind not in SERVICE_KINDS or first in reachable:
        return None
    return f"{first} has no SSH (ssh: false): nobody can stop it there and start it again"


def needs(fault: Fault, host: Host) -> tuple[str, ...]:
    """The programs without which `fault` cannot be made on `host`."""
    words = {line.split()[0] for line in fault.inject}
    return tuple(sorted(words | ({"systemd-run"} if host.has_systemd else {"setsid"})))
