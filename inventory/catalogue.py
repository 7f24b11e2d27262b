"""The nouns: Host, Service, Sync, Site and the Catalogue that holds them.

Plain frozen dataclasses whose fields are the keys of the YAML files. What follows from
them is a property with a name, so that templates and tasks decide nothing themselves.
"""

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Literal

from pydantic import Field

from inventory.access import Access, Allow, Cloudflare, Rules, Tailscale, ZeroTrust
from inventory.appliance import Appliance, at_port
from inventory.fields import (
    Audience,
    CaddyLines,
    Count,
    Days,
    DnsName,
    EnvName,
    Flag,
    HomePath,
    Line,
    Name,
    Names,
    Network,
    Path,
    Pattern,
    Port,
    Seconds,
    SecretText,
    Status,
    Strict,
    TailnetAddress,
    Unit,
    UrlPath,
    User,
    Uuid,
    Wait,
    WeekHours,
)
from inventory.front import Front
from inventory.mcp import Mcp
from inventory.names import Alias, full, parent_of, sample_of
from inventory.resolver import Record, Resolver
from inventory.schedule import Schedule
from inventory.ssh import Hop, Login, Ssh, Stop
from inventory.upstream import Upstream
from inventory.watch import Alerts, Heartbeat, Metrics, Page

Role = Literal["edge", "media"]
Manager = Literal["systemd", "docker", "unraid"]

TAILNET = ("100.64.0.0/10", "fd7a:115c:a1e0::/48")  # every tailnet's addresses
SLOWEST = 10.0  # seconds that a read may take in a failover: header_timeout, then a last try of 5

# Never synced, whatever the entry says: half files, live databases, logs.
NEVER_SYNCED = (
    *("*.tmp", "*.tmp.*", "*.swp", "*~", ".unison.*", "*.log", "*.log.*"),
    *("*.db", "*.db-*", "*.db3", "*.sqlite", "*.sqlite-*", "*.sqlite3", "*.sqlite3-*"),
)


@dataclass(frozen=True, kw_only=True)
class Paths(Strict):
    """Where a host keeps what twinedge writes. Where `look` lies, Host.look says."""

    caddy: Path = "/etc/caddy/Caddyfile"
    caddy_program: Path = "/usr/local/lib/twinedge/caddy"
    cloudflared: Path = "/etc/cloudflared/config.yml"
    replica: Path = "/usr/local/lib/twinedge/replica"
    lsyncd: Path = "/etc/lsyncd/lsyncd.conf.lua"
    lsyncd_unit: Path = "/etc/systemd/system/lsyncd.service"
    sync: Path = "/usr/local/lib/twinedge/sync"
    sync_table: Path = "/etc/twinedge/sync/table.sh"
    look: Path | None = None
    resolver: Path = "/etc/unbound/unbound.conf.d/twinedge.conf"
    mcp: Path = "/etc/mcp/mcp.json"
    units: Path = "/etc/systemd/system"
    state: Path = "/var/lib/twinedge"


@dataclass(frozen=True, kw_only=True)
class Host(Strict):
    """One machine. `address` is its tailnet address, over which everything runs; where it is
    no address of Tailscale's, `tailnet` is false. `redirect` is false on an edge whose port 80
    belongs to something that is not in the catalogue. `was` is the name that it had before.
    """

    name: Name
    was: Name | None = None
    address: TailnetAddress
    user: User
    port: Port = 22
    role: Role
    manager: Manager
    sudo: Flag = False
    tailnet: Flag = True
    redirect: Flag = True
    paths: Paths = field(default_factory=Paths)
    ssh: Ssh = field(default_factory=Ssh)
    login: Login = field(default_factory=Login)

    @property
    def is_edge(self) -> bool:
        return self.role == "edge"

    @property
    def has_systemd(self) -> bool:
        return self.manager != "unraid"

    @property
    def look(self) -> str:
        """What a stand-in's key may run. Unraid keeps nothing of /usr over a boot."""
        lasting = "/usr/local/lib/twinedge" if self.has_systemd else self.paths.state
        return self.paths.look or f"{lasting}/look"

    @property
    def places(self) -> Mapping[str, str]:
        """Path by key of `paths`."""
        return {**vars(self.paths), "look": self.look}

    @property
    def tunnel_hosts(self) -> str:
        """The path of what cloudflared sees as /etc/hosts."""
        return self._beside_cloudflared("twinedge-hosts")

    def tunnel_credentials(self, tunnel: str) -> str:
        """The path of the file with which cloudflared joins the tunnel of this id."""
        return self._beside_cloudflared(f"{tunnel}.json")

    def _beside_cloudflared(self, name: str) -> str:
        return str(pathlib.PurePosixPath(self.paths.cloudflared).parent / name)

    @property
    def own_address(self) -> IPv4Address | IPv6Address:
        """An address that is on the host: by it the host is known to be the right one."""
        return self.ssh.own_address or self.address

    @property
    def stop(self) -> Stop:
        """Where SSH logs in to it."""
        return Stop(
            address=str(self.address),
            port=self.port,
            user=self.user,
            login=self.login,
            config=self.ssh.config,
        )

    def stop_at(self, hop: Hop) -> Stop:
        """Where SSH logs in on the way to it: as to itself, unless `hop` says more."""
        return replace(
            self.stop, address=hop.address, port=hop.port or 22, user=hop.user or self.user
        )


@dataclass(frozen=True, kw_only=True)
class HealthCheck(Strict):
    """What a healthy service answers: `status`, and `body` somewhere in it (empty: any).

    So `verify` judges it, and each Caddy, which asks every `interval` seconds and waits `timeout`
    seconds for the answer.
    """

    path: UrlPath
    status: Status = 200
    body: Line = ""
    interval: Seconds = 10.0  # system.md
    timeout: Seconds = 2.0  # 5 s would find a hang 3 s later


@dataclass(frozen=True, kw_only=True)
class Budget(Strict):
    """What one failover may cost: requests, seconds, changes of mind.

    A time that is not given follows from the service's health check (`Service.limits`).
    """

    lost: Count = 0
    slowest: Seconds | None = None
    failover: Seconds | None = None
    failback: Seconds | None = None
    flaps: Count = 0


@dataclass(frozen=True, kw_only=True)
class Service(Strict):
    """One service and its placements: `primary` (and `fallback`, one or several, in the order
    in which they are asked), or `hosts` all alike.

    It is served as `hostname` and under each of `aliases`, of which `*.NAME` are all names below;
    each of `redirect_from` leads to `hostname`. `http_names` are served on port 80 of the
    tailnet, without TLS.

    A read (GET, HEAD) that gets no answer within `header_timeout` seconds is asked of the
    fallback; a write has `write_timeout`, since nobody may repeat it. What is at a path of
    `long_polls` or below it may stay silent as long as it likes. A drill asks `probe` (by
    default the health check's path), posts to `echo` and opens websockets at `websocket`. No
    websocket outlives `stream_timeout` seconds, where it is given. It is to be usable `objective`
    percent of the time. `was` is the name (not the hostname) that it had before.
    """

    name: Name
    was: Name | None = None
    title: Line
    kind: Literal["http", "dns"] = "http"
    hostname: DnsName
    aliases: tuple[Alias, ...] = ()
    redirect_from: tuple[DnsName, ...] = ()
    http_names: tuple[DnsName, ...] = ()
    port: Port
    health: HealthCheck | None = None
    upstream: Upstream = field(default_factory=Upstream)
    front: Front = field(default_factory=Front)
    primary: Name | None = None
    fallback: Names = ()
    hosts: tuple[Name, ...] = ()
    unit: Unit
    manager: Manager | None = None
    access: Access = "tailnet"
    audience: Audience | None = None
    header_timeout: Wait = 2.0
    write_timeout: Wait = 30.0
    long_polls: tuple[UrlPath, ...] = ()
    probe: UrlPath | None = None
    echo: UrlPath | None = None
    websocket: UrlPath | None = None
    stream_timeout: Annotated[float, Field(ge=10, le=86400)] | None = None
    budget: Budget = field(default_factory=Budget)
    objective: Annotated[float, Field(gt=0, lt=100)] | None = None

    @property
    def placements(self) -> tuple[str, ...]:
        """Host names, in the order in which they are asked."""
        return (self.primary, *self.fallback) if self.primary else self.hosts

    @property
    def ports(self) -> tuple[int, ...]:
        """Where it listens: its own port, and those that paths lead to."""
        routed = (route.port for route in self.front.routes.values() if route.port)
        return tuple(dict.fromkeys((self.port, *routed)))

    def named_in(self, domain: str) -> "Service":
        """With every name in full; those for plain HTTP stay as they are typed."""
        return replace(
            self,
            hostname=full(self.hostname, domain),
            aliases=tuple(full(name, domain) for name in self.aliases),
            redirect_from=tuple(full(name, domain) for name in self.redirect_from),
        )

    @property
    def https_names(self) -> tuple[str, ...]:
        """Every name that Caddy has a certificate for, the first of all first."""
        return (self.hostname, *self.aliases, *self.redirect_from)

    @property
    def is_public(self) -> bool:
        return self.kind == "http" and self.access != "tailnet"

    @property
    def is_protected(self) -> bool:
        return self.is_public and self.access != "open"

    @property
    def rules(self) -> Rules:
        """What it says itself of whom Access lets in."""
        return self.access if isinstance(self.access, Rules) else Rules()

    @property
    def has_failover(self) -> bool:
        return len(self.placements) > 1

    @property
    def drillable(self) -> bool:
        """A primary may be stopped while a fallback serves: HTTP, in two places, and nobody in
        front who turns a drill away.
        """
        return self.kind == "http" and self.has_failover and not self.hidden_paths

    @property
    def hidden_paths(self) -> tuple[str, ...]:
        """What a drill would ask for, and what stands in front turns it away from."""
        health = self.health.path if self.health else None
        asked = dict.fromkeys((self.probe or health, health, self.echo, self.websocket))
        return tuple(path for path in asked if path and self.front.turns_away(path))

    @property
    def limits(self) -> Budget:
        """The budget with every time filled in.

        The fallback answers once one check has failed, the primary once two have passed
        (`health_passes 2`); a check takes up to its timeout.
        """
        assert self.health is not None, "a web service has a health check"
        interval, timeout = self.health.interval, self.health.timeout
        given = self.budget
        return replace(
            given,
            slowest=given.slowest or SLOWEST,
            failover=given.failover or interval + timeout,
            failback=given.failback or 2 * interval + timeout,
        )

    def order_from(self, host: str) -> tuple[str, ...]:
        """Placements in the order in which the Caddy on `host` asks them."""
        if self.primary:
            return self.placements
        return tuple(sorted(self.placements, key=lambda name: name != host))


@dataclass(frozen=True, kw_only=True)
class Sync(Strict):
    """A directory that is kept alike on two hosts, in both directions.

    `service` names the service whose data it holds, if any; `after` is what a host does
    once it has received changes: `reload` or `restart` that service, or a command. A
    directory that has to be made belongs to `owner`.
    """

    name: Name
    hosts: tuple[Name, Name]
    directory: Path
    service: Name | None = None
    exclude: tuple[Pattern, ...] = ()
    owner: User = "root"
    after: Line = ""

    def peer_of(self, host: str) -> str:
        return next(name for name in self.hosts if name != host)

    @property
    def runner(self) -> str:
        """The host that compares the two sides. One alone: two at once lock each other out."""
        return self.hosts[0]

    @property
    def left_out(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*NEVER_SYNCED, *self.exclude)))

    @property
    def acts_on_service(self) -> bool:
        return self.after in ("reload", "restart")


@dataclass(frozen=True, kw_only=True)
class Tunnel(Strict):
    """The Cloudflare tunnel: one id and one credentials file, a replica on each edge."""

    id: Uuid
    credentials: SecretText
    metrics_port: Port = 20241
    caddy_port: Port = 8081


@dataclass(frozen=True, kw_only=True)
class Tls(Strict):
    """Where Caddy's certificates come from."""

    mode: Literal["internal", "files", "acme-dns"]
    certificate: Path | None = None
    key: Path | None = None
    provider: Name | None = None
    token_env: EnvName | None = None


@dataclass(frozen=True, kw_only=True)
class Drills(Strict):
    """When nobody may break anything on purpose."""

    forbidden: tuple[WeekHours, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Memory(Strict):
    """Where the history lies on the control node: one SQLite file, in a folder of its own.

    What is older than `days` is forgotten; report.py asks for up to 90.
    """

    file: HomePath = "~/.local/state/twinedge/journal.db"
    days: Days = 90


@dataclass(frozen=True, kw_only=True)
class Site(Strict):
    """What differs from one operator to the next: inventory/defaults.yaml.

    `domains` are further ones that names may lie in. `access_from` are networks from which
    people come beside the tailnet, such as the LAN behind a subnet router that shows its
    clients' own addresses. `caddy` are own lines of a Caddyfile in front of every service.
    """

    domain: DnsName
    domains: tuple[DnsName, ...] = ()
    control: Name
    access_from: tuple[Network, ...] = ()
    caddy: CaddyLines | None = None
    tunnel: Tunnel
    access: ZeroTrust
    cloudflare: Cloudflare | None = None
    tailscale: Tailscale | None = None
    tls: Tls
    resolver: Resolver
    journal: Memory = field(default_factory=Memory)
    schedule: Schedule = field(default_factory=Schedule)
    drills: Drills = field(default_factory=Drills)
    alerts: Alerts = field(default_factory=Alerts)
    metrics: Metrics | None = None
    heartbeat: Heartbeat | None = None
    page: Page | None = None

    @property
    def all_domains(self) -> tuple[str, ...]:
        return (self.domain, *self.domains)

    @property
    def guests(self) -> tuple[str, ...]:
        """The networks whose clients an edge serves, by the address that they come from."""
        return (*TAILNET, *map(str, self.access_from))

    @property
    def page_name(self) -> str | None:
        """The name under which the control node's Caddy serves the page."""
        return f"{self.page.hostname}.{self.domain}" if self.page else None


def _width(name: str) -> tuple[bool, int]:
    """How many names a name stands for, as a key to sort by."""
    return (False, 0) if parent_of(name) is None else (True, -name.count("."))


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Everything that exists. Made by `inventory.load`, which refuses what is wrong.

    `config` is the absolute path of the Nornir settings that it was read from. `hosts` are
    logged in to, `appliances` never.
    """

    config: pathlib.Path
    site: Site
    hosts: Mapping[str, Host]
    appliances: Mapping[str, Appliance]
    services: Mapping[str, Service]
    syncs: Mapping[str, Sync]
    mcp: Mcp

    @cached_property
    def edges(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts.values() if host.is_edge)

    def other_edges(self, edge: Host) -> tuple[Host, ...]:
        return tuple(other for other in self.edges if other != edge)

    @cached_property
    def web_services(self) -> tuple[Service, ...]:
        return tuple(s for s in self.services.values() if s.kind == "http")

    @cached_property
    def public_services(self) -> tuple[Service, ...]:
        return tuple(s for s in self.services.values() if s.is_public)

    @property
    def public_names(self) -> Mapping[str, Service]:
        """Every name that the tunnel leads to the Caddys, wildcards last, the widest at the end."""
        found = {name: s for s in self.public_services for name in s.https_names}
        return dict(sorted(found.items(), key=lambda item: _width(item[0])))

    @property
    def wildcards(self) -> tuple[str, ...]:
        """Below which names every name leads to the Caddys."""
        names = [name for s in self.web_services for name in s.aliases]
        return tuple(dict.fromkeys(parent for name in names if (parent := parent_of(name))))

    @cached_property
    def resolvers(self) -> tuple[Host, ...]:
        """The hosts that answer DNS: the placements of every dns service."""
        names = [n for s in self.services.values() if s.kind == "dns" for n in s.placements]
        return tuple(self.hosts[name] for name in dict.fromkeys(names))

    @cached_property
    def records(self) -> Mapping[str, tuple[IPv4Address, ...]]:
        """Name -> addresses, as every resolver must answer them; of a wildcard one sample."""
        samples = [sample_of(f"*.{parent}") for parent in self.wildcards]
        return self.exact_records | dict.fromkeys(samples, self.through_caddy)

    @property
    def through_caddy(self) -> tuple[IPv4Address, ...]:
        return tuple(host.address for host in self.edges)

    @property
    def exact_records(self) -> dict[str, tuple[IPv4Address, ...]]:
        """Name -> addresses, of every name that is one.

        A web service is reached through a Caddy, so its name leads to both edges; a
        dns service and a host are reached directly. The page is the control node's. An
        appliance has no record: its name is most often that of a service on it.
        """
        records: dict[str, tuple[IPv4Address, ...]] = {
            f"{host.name}.{self.site.domain}": (host.address,) for host in self.hosts.values()
        }
        for service in self.services.values():
            if service.kind == "dns":
                direct = tuple(self.hosts[name].address for name in service.placements)
                records[service.hostname] = direct
            else:
                names = (*service.https_names, *service.http_names)
                exact = [name for name in names if parent_of(name) is None]
                records |= dict.fromkeys(exact, self.through_caddy)
        if self.site.page_name:
            records[self.site.page_name] = (self.hosts[self.site.control].address,)
        return records

    @cached_property
    def answers(self) -> Mapping[str, tuple[IPv4Address, ...]]:
        """Name -> addresses: `records`, and those of `resolver.records` that have some."""
        own = {name: record.a for name, record in self.own_records.items() if record.a}
        return {**self.records, **own}

    @cached_property
    def own_records(self) -> Mapping[str, Record]:
        """Full name -> what it is answered with, of `resolver.records`, aliases followed.

        unbound does not follow an alias from one local record to another. One that leads nowhere,
        or to itself, is left out.
        """
        given = {name: Record(a=addresses) for name, addresses in self.records.items()}
        wanted = {full(name, self.site.domain): r for name, r in self.site.resolver.records.items()}
        found = {name: self._followed(name, given, wanted) for name in wanted}
        return {name: record for name, record in found.items() if record}

    def _followed(
        self, name: str, given: Mapping[str, Record], wanted: Mapping[str, Record]
    ) -> Record | None:
        seen: set[str] = set()
        while name not in seen and name not in given:
            seen.add(name)
            record = wanted.get(name)
            if record is None or record.cname is None:
                return record
            name = full(record.cname, self.site.domain)
        return given.get(name)

    def upstreams_from(self, host: str, service: Service) -> tuple[str, ...]:
        """`address:port` of each placement, as the Caddy on `host` asks them.

        Always the service's own port, never the other Caddy: two Caddys that fall back
        on each other loop (measured: 1,182 requests in flight from one).
        """
        return tuple(self.upstream_on(on, service) for on in service.order_from(host))

    def upstream_on(self, host: str, service: Service) -> str:
        """`address:port` of the placement on `host`."""
        return at_port(self.address_of(host), service.port)

    def address_of(self, name: str) -> str:
        """Where services are asked that run on this host, or on this appliance."""
        return str((self.hosts.get(name) or self.appliances[name]).address)

    def asks(self, vantage: str, service: Service, host: str) -> bool:
        """May a runbook on the machine of that name ask `service` on `host` by itself?

        Appliances are asked by the edges, since others may have no way to them; and h2c by
        curl on the edges alone, since our own client does not speak it.
        """
        if service.upstream.is_h2c:
            return False
        return host in self.hosts or any(edge.name == vantage for edge in self.edges)

    def orders_from(self, host: str, service: Service) -> tuple[tuple[str, ...], ...]:
        """Every order in which the Caddy on `host` asks for what is at the service's name: its
        own, those of its other ports, and those of the services that it leads to or asks.
        """
        asked = [service]
        asked += [replace(service, port=r.port) for r in service.front.routes.values() if r.port]
        asked += [self.services[name] for name in service.front.services]
        return tuple(self.upstreams_from(host, one) for one in asked)

    def way_to(self, host: str, above: tuple[str, ...] = ()) -> tuple[Stop, ...]:
        """Where SSH logs in to reach `host`, which is the last stop.

        Raises ValueError when a way leads through itself.
        """
        if host in above:
            raise ValueError(f"the way to {above[0]} leads through {host} twice")
        one = self.hosts[host]
        stops: list[Stop] = []
        for hop in one.ssh.jump:
            if hop.address in self.hosts:
                stops += self.way_to(hop.address, (*above, host))
            else:
                stops.append(one.stop_at(hop))
        return (*stops, one.stop)

    def let_in(self, service: Service) -> Allow:
        """Whom Access lets in to a protected service."""
        return self.site.access.allow if service.rules.allow is None else service.rules.allow

    def on_port_80(self, edge: Host) -> Service | None:
        """The service that answers http:// on the tailnet in Caddy's place, where one does."""
        services = self.services.values()
        return next((s for s in services if s.port == 80 and edge.name in s.placements), None)

    def redirects(self, edge: Host) -> bool:
        """Does the Caddy of `edge` lead http:// to https:// on the tailnet?"""
        return edge.redirect and self.on_port_80(edge) is None

    def syncs_of(self, host: str) -> tuple[Sync, ...]:
        return tuple(sync for sync in self.syncs.values() if host in sync.hosts)

    def manager_of(self, service: Service, host: str) -> Manager:
        return service.manager or self.hosts[host].manager
