"""Which machines the lab has, where they are on its two networks, and what runs there."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError, UsageError
from lab.settings import OriginSettings, Settings
from lab.state import CHECKOUT, State

if TYPE_CHECKING:
    from inventory.catalogue import Catalogue

CLIENT, CLOUDFLARE = "client", "cloudflare"  # the lab's own two machines
RESERVED = (CLIENT, CLOUDFLARE, "keeper")  # `keeper` holds the networks
TAILNET = ip_network("100.64.0.0/10")  # tailscale's
CLIENT_TAILNET = ("100.110.0.10", "100.110.0.11")  # the second, where a host has the first
CLIENT_INTERNET, CLOUDFLARE_INTERNET = "203.0.113.20", "203.0.113.100"
HOSTS_INTERNET = tuple(f"203.0.113.{n}" for n in (*range(11, 20), *range(21, 80)))


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One lab host; `role` is the inventory's edge or media, or client, or cloudflare."""

    name: str
    role: str
    tailnet: str | None
    internet: str
    manager: str = "systemd"  # how the site says that services run here

    @property
    def is_unraid(self) -> bool:
        """It has no systemd, and its root is in memory."""
        return self.manager == "unraid"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One service on one host, and the systemd unit or the container that it is there."""

    service: str
    kind: str
    host: str
    unit: str
    port: int
    manager: str = "systemd"
    health: str = "/"  # the path that is asked
    runs: Settings = field(default_factory=Settings)

    @property
    def is_container(self) -> bool:
        return self.manager != "systemd"


@dataclass(frozen=True, kw_only=True)
class Topology:
    """Everything of the inventory that the lab has to know."""

    machines: Mapping[str, Machine]
    origins: tuple[Origin, ...]
    domain: str
    tunnel: str
    control: str  # the host that twinedge is run from
    team: str = "labteam"  # of Zero Trust
    secrets: Mapping[str, str] = field(default_factory=dict)  # file on a controller -> which one

    @property
    def tailnet(self) -> dict[str, str]:
        """Tailnet address by name, of the machines that are on it."""
        return {m.name: m.tailnet for m in self.machines.values() if m.tailnet}

    @property
    def edges(self) -> tuple[Machine, ...]:
        return tuple(m for m in self.machines.values() if m.role == "edge")

    @property
    def controllers(self) -> tuple[str, ...]:
        """Where runbooks may be run from."""
        return (self.control, CLIENT)

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


def of_site(config: Path) -> Topology:
    """The hosts, services and domain of a site, and the lab's own two machines beside them.

    Raises LabError with what is wrong with the site, or cannot be had here.
    """
    from inventory.errors import InventoryError  # slow to import, and only `up` needs it
    from inventory.load import load_catalogue, locate

    try:
        catalogue = load_catalogue(config)
        _refuse_scattered(config, vars(locate(config)).values())
    except InventoryError as error:
        raise LabError(f"the lab's site is wrong: {error}") from error
    hosts = {host.name: (host.role, str(host.address)) for host in catalogue.hosts.values()}
    hosts |= {one.name: ("media", str(one.address)) for one in catalogue.appliances.values()}
    settings = OriginSettings(config)
    origins = tuple(
        Origin(
            service=s.name,
            kind=s.kind,
            host=host,
            unit=s.unit,
            port=s.port,
            manager=catalogue.manager_of(s, host) if host in catalogue.hosts else "systemd",
            health=s.health.path if s.health else "/",
            runs=settings.of(s.name),
        )
        for s in catalogue.services.values()
        for host in s.placements
    )
    machines = {
        name: replace(machine, manager=catalogue.hosts[name].manager)
        if name in catalogue.hosts
        else machine
        for name, machine in machines_of(hosts).items()
    }
    return Topology(
        machines=machines,
        origins=origins,
        domain=catalogue.site.domain,
        tunnel=str(catalogue.site.tunnel.id),
        control=catalogue.site.control,
        team=catalogue.site.access.team,
        secrets=_secrets(catalogue),
    )


def _secrets(catalogue: "Catalogue") -> dict[str, str]:
    """Where the site looks for what the lab has made; only files can be brought there."""
    wanted = {catalogue.site.tunnel.credentials: "tunnel"}
    if catalogue.site.access.service_token:
        wanted[catalogue.site.access.service_token] = "service_token"
    for server in catalogue.mcp.servers.values():
        words = (*server.args, *server.env.values(), *server.headers.values())
        wanted |= {word.secret: "mcp" for word in words if word.secret}
    files = {
        ref.removeprefix("file:"): which for ref, which in wanted.items() if ref.startswith("file:")
    }
    return {re.sub("^~/", "/root/", path): which for path, which in files.items()}


def _refuse_scattered(config: Path, files: Iterable[Path]) -> None:
    """Hosts see the checkout and the folder of `config`, and nothing else of the machine."""
    seen = (CHECKOUT, config.parent)
    for file in files:
        if not any(file.is_relative_to(folder) for folder in seen):
            raise LabError(f"{file} is not below {config.parent}: the lab's hosts cannot see it")


def machines_of(hosts: Mapping[str, tuple[str, str]]) -> Mapping[str, Machine]:
    """A machine for each host (its role and its tailnet address), then the lab's own two."""
    for name, (_, tailnet) in hosts.items():
        _refuse_host(name, tailnet)
    if len(hosts) > len(HOSTS_INTERNET):
        raise LabError(f"the lab has room for {len(HOSTS_INTERNET)} hosts, not {len(hosts)}")
    made = [
        Machine(name=name, role=role, tailnet=tailnet, internet=internet)
        for (name, (role, tailnet)), internet in zip(hosts.items(), HOSTS_INTERNET, strict=False)
    ]
    taken = {tailnet for _, tailnet in hosts.values()}
    free = next(address for address in CLIENT_TAILNET if address not in taken)
    made += [
        Machine(name=CLIENT, role=CLIENT, tailnet=free, internet=CLIENT_INTERNET),
        Machine(name=CLOUDFLARE, role=CLOUDFLARE, tailnet=None, internet=CLOUDFLARE_INTERNET),
    ]
    return {machine.name: machine for machine in made}


def _refuse_host(name: str, tailnet: str) -> None:
    if name in RESERVED:
        raise LabError(
            f"a host of the site is called '{name}', as a machine of the lab's own "
            f"({', '.join(RESERVED)}); rename it in the site"
        )
    if ":" in tailnet or tailnet[-1].isalpha() or ip_address(tailnet) not in TAILNET:
        raise LabError(f"{name}: {tailnet} is no tailnet address: the lab has {TAILNET}")


def save(state: State, topology: Topology) -> None:
    state.write("topology.json", asdict(topology))


def load(state: State) -> Topology | None:
    """What `up` wrote down, or None when no lab is up."""
    match state.read("topology.json"):
        case {
            "machines": dict(machines),
            "origins": list(origins),
            "secrets": dict(secrets),
            **site,
        }:
            return Topology(
                machines={name: Machine(**fields) for name, fields in machines.items()},
                origins=tuple(
                    Origin(**each | {"runs": Settings(**each["runs"])}) for each in origins
                ),
                domain=str(site["domain"]),
                tunnel=str(site["tunnel"]),
                control=str(site["control"]),
                team=str(site["team"]),
                secrets=secrets,
            )
    return None
