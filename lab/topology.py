"""Which machines the lab has, where they are on its two networks, and what runs there."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.errors import LabError, UsageError
from lab.state import State

SITE = Path("lab/site/config.yaml")
CONTROLLERS = ("vps2", "client")  # where runbooks may be run from
KEY_HOLDERS = ("vps1", "vps2", "client")  # the edges log in to each other for lsyncd
INTERNET = {
    "vps1": "203.0.113.11",
    "vps2": "203.0.113.12",
    "unraid": "203.0.113.13",
    "client": "203.0.113.20",
    "cloudflare": "203.0.113.100",
}
CLIENT_TAILNET = "100.110.0.10"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One lab host; `role` is the inventory's edge or media, or client, or cloudflare."""

    name: str
    role: str
    tailnet: str | None
    internet: str


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One service on one host, and the systemd unit that it is there."""

    service: str
    kind: str
    host: str
    unit: str
    port: int


@dataclass(frozen=True, kw_only=True)
class Topology:
    """Everything of the inventory that the lab has to know."""

    machines: Mapping[str, Machine]
    origins: tuple[Origin, ...]
    domain: str
    tunnel: str

    @property
    def tailnet(self) -> dict[str, str]:
        """Tailnet address by name, of the machines that are on it."""
        return {m.name: m.tailnet for m in self.machines.values() if m.tailnet}

    @property
    def edges(self) -> tuple[Machine, ...]:
        return tuple(m for m in self.machines.values() if m.role == "edge")

    def machine(self, name: str) -> Machine:
        """The machine of that name, or UsageError with the names that there are."""
        if name not in self.machines:
            raise UsageError(f"no lab host '{name}' (hosts: {', '.join(self.machines)})")
        return self.machines[name]

    def origin(self, subject: str) -> Origin:
        """The origin of `service@host`, or UsageError with the ones that there are."""
        known = {f"{o.service}@{o.host}": o for o in self.origins}
        if subject not in known:
            raise UsageError(f"no service '{subject}' (services: {', '.join(known)})")
        return known[subject]


def from_inventory(checkout: Path) -> Topology:
    """Reads the lab's site: the product's own hosts and services, the lab's domain."""
    from inventory.load import load_catalogue  # slow to import, and only `up` needs it

    catalogue = load_catalogue(checkout / SITE)
    hosts = {
        host.name: _machine(host.name, host.role, str(host.address))
        for host in catalogue.hosts.values()
    }
    origins = tuple(
        Origin(service=s.name, kind=s.kind, host=host, unit=s.unit, port=s.port)
        for s in catalogue.services.values()
        for host in s.placements
    )
    return Topology(
        machines=hosts
        | {
            "client": _machine("client", "client", CLIENT_TAILNET),
            "cloudflare": _machine("cloudflare", "cloudflare", None),
        },
        origins=origins,
        domain=catalogue.site.domain,
        tunnel=str(catalogue.site.tunnel.id),
    )


def _machine(name: str, role: str, tailnet: str | None) -> Machine:
    if name not in INTERNET:
        raise LabError(f"the lab has no place for host '{name}'; add it to INTERNET in {__file__}")
    return Machine(name=name, role=role, tailnet=tailnet, internet=INTERNET[name])


def save(state: State, topology: Topology) -> None:
    state.write("topology.json", asdict(topology))


def load(state: State) -> Topology | None:
    """What `up` wrote down, or None when no lab is up."""
    match state.read("topology.json"):
        case {"machines": dict(machines), "origins": list(origins), **site}:
            return Topology(
                machines={name: Machine(**fields) for name, fields in machines.items()},
                origins=tuple(Origin(**fields) for fields in origins),
                domain=str(site["domain"]),
                tunnel=str(site["tunnel"]),
            )
    return None
