"""What the inventory may not say: contradictions between entries that are right alone."""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from pathlib import PurePosixPath

from inventory.catalogue import Catalogue
from inventory.errors import InventoryError
from inventory.levels import EXTRAS

SYSTEM_FOLDERS = (
    *("/bin", "/boot", "/dev", "/etc/ssh", "/home", "/lib", "/opt", "/proc", "/root/.ssh"),
    *("/run", "/sbin", "/srv", "/sys", "/tmp", "/usr/bin", "/usr/local", "/var/lib", "/var/log"),
)
PASSING_FOLDERS = ("/dev", "/proc", "/run", "/sys", "/tmp", "/var/cache", "/var/log", "/var/tmp")

Rule = Callable[[Catalogue], Iterator[tuple[str, str]]]

# Ports of twinedge's own parts on an edge, on the tailnet address.
EDGE_PORTS = {22: "sshd", 443: "Caddy"}


def refuse_contradictions(catalogue: Catalogue, *, files: Mapping[str, str]) -> None:
    """Raise InventoryError with every rule that `catalogue` breaks.

    `files` gives the name under which the operator knows each inventory file.
    """
    problems = [
        f"{files[file]}: {text}"
        for file, rules in RULES.items()
        for rule in rules
        for text in (f"{key}: {problem}" for key, problem in rule(catalogue))
    ]
    if problems:
        raise InventoryError("\n".join(problems))


def _unknown_host(catalogue: Catalogue, host: str) -> str | None:
    if host in catalogue.hosts:
        return None
    return f"no host {host!r} (hosts: {', '.join(sorted(catalogue.hosts)) or 'none'})"


def something_exists(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    if not catalogue.hosts:
        yield "the file", "holds no host"
    if not catalogue.edges:
        yield "the file", "holds no host with role edge (data.role, usually from group edge)"


def addresses_are_unique(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for one, other in combinations(catalogue.hosts.values(), 2):
        if one.address == other.address:
            yield f"{other.name}.hostname", f"{other.address} is the address of {one.name} too"


def hosts_can_be_logged_in_to(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for name, host in catalogue.hosts.items():
        login = host.login
        if login.alt_host_keys and login.alt_key_file is None:
            yield f"{name}.{EXTRAS}.alt_key_file", "is missing; alt_host_keys needs it"
        if not login.system_host_keys and not login.alt_host_keys:
            yield f"{name}.{EXTRAS}.system_host_keys", "false leaves no host key to know it by"
        if login.key_file is None and not (login.use_keys or login.allow_agent):
            yield f"{name}.{EXTRAS}.key_file", "is missing, and use_keys and allow_agent are false"
        try:
            catalogue.way_to(name)
        except ValueError as error:
            yield f"{name}.data.ssh.jump", str(error)


def control_is_a_host(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    problem = _unknown_host(catalogue, catalogue.site.control)
    if problem:
        yield "data.control", problem


def the_page_has_a_caddy(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    control = catalogue.hosts.get(catalogue.site.control)
    if catalogue.site.page and control and not control.is_edge:
        yield (
            "data.page",
            f"needs a Caddy beside it, but the control node {control.name} is no edge",
        )


def tls_is_complete(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    tls = catalogue.site.tls
    wanted = {
        "internal": (),
        "files": ("certificate", "key"),
        "acme-dns": ("provider", "token_env"),
    }
    for key in ("certificate", "key", "provider", "token_env"):
        given = getattr(tls, key) is not None
        if key in wanted[tls.mode] and not given:
            yield f"data.tls.{key}", f"is missing; mode {tls.mode} needs it"
        if given and key not in wanted[tls.mode]:
            yield f"data.tls.{key}", f"has no meaning with mode {tls.mode}"


def schedule_is_possible(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    schedule = catalogue.site.schedule
    for index, name in enumerate(schedule.hosts):
        problem = _unknown_host(catalogue, name)
        if not problem and not catalogue.hosts[name].has_systemd:
            problem = f"{name} has no systemd; python runbooks/schedule.py --cron prints lines"
        if problem:
            yield f"data.schedule.hosts.{index}", problem
    for key, problem in schedule.problems:
        yield f"data.schedule.{key}", problem


def services_exist(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    if not catalogue.services:
        yield "services", "holds no service"


def placements_exist(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for service in catalogue.services.values():
        named = {"primary": service.primary, "fallback": service.fallback}
        named |= {f"hosts.{index}": host for index, host in enumerate(service.hosts)}
        for key, host in named.items():
            problem = host and _unknown_host(catalogue, host)
            if problem:
                yield f"{service.name}.{key}", problem


def placements_are_one_kind(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for service in catalogue.services.values():
        if bool(service.primary) == bool(service.hosts):
            yield service.name, "needs either primary (and fallback) or hosts, not both or neither"
        if service.fallback and not service.primary:
            yield f"{service.name}.fallback", "needs a primary beside it"
        if service.fallback and service.fallback == service.primary:
            yield f"{service.name}.fallback", f"is {service.primary!r}, the primary itself"
        if len(set(service.hosts)) < len(service.hosts):
            yield f"{service.name}.hosts", "names a host twice"


def kinds_are_complete(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for service in catalogue.services.values():
        if service.kind == "http" and service.health is None:
            yield f"{service.name}.health", "is missing; a web service needs {path: /…, body: …}"
        if service.kind == "dns" and service.health is not None:
            yield f"{service.name}.health", "has no meaning for dns: its records are asked for"
        if service.kind == "dns" and service.access != "tailnet":
            yield f"{service.name}.access", "a dns service stays on the tailnet"
        if service.kind == "dns" and service.primary:
            yield f"{service.name}.primary", "resolvers are all alike: use hosts"


def hostnames_are_ours(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    owner = {f"{name}.{catalogue.site.domain}": f"host {name}" for name in catalogue.hosts}
    if catalogue.site.page_name:
        owner.setdefault(catalogue.site.page_name, "the page (data.page.hostname)")
    for service in catalogue.services.values():
        key = f"{service.name}.hostname"
        if not service.hostname.endswith(f".{catalogue.site.domain}"):
            domain = catalogue.site.domain
            yield key, f"{service.hostname!r} is outside the domain {domain!r} (data.domain)"
        if service.hostname in owner:
            yield key, f"{service.hostname!r} is the name of {owner[service.hostname]} too"
        owner.setdefault(service.hostname, service.name)


def ports_are_free(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    taken: dict[tuple[str, int], str] = {}
    for edge in catalogue.edges:
        taken |= {(edge.name, port): owner for port, owner in EDGE_PORTS.items()}
        taken[edge.name, catalogue.site.tunnel.metrics_port] = "cloudflared's metrics"
        taken[edge.name, catalogue.site.tunnel.caddy_port] = "Caddy's tunnel listener"
    for service in catalogue.services.values():
        for host in service.placements:
            other = taken.setdefault((host, service.port), service.name)
            if other != service.name:
                yield f"{service.name}.port", f"{service.port} on {host} belongs to {other}"


def units_are_unique(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    taken: dict[tuple[str, str], str] = {}
    for service in catalogue.services.values():
        for host in service.placements:
            other = taken.setdefault((host, service.unit), service.name)
            if other != service.name:
                yield f"{service.name}.unit", f"{service.unit!r} on {host} belongs to {other}"


def syncs_join_two_edges(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    edges = {host.name for host in catalogue.edges}
    for sync in catalogue.syncs.values():
        for index, host in enumerate(sync.hosts):
            problem = _unknown_host(catalogue, host)
            if not problem and host not in edges:
                problem = f"{host!r} is no edge; lsyncd runs on {', '.join(sorted(edges))}"
            if problem:
                yield f"{sync.name}.hosts.{index}", problem
        if len(set(sync.hosts)) < len(sync.hosts):
            yield f"{sync.name}.hosts", "names a host twice"
        if sync.service and sync.service not in catalogue.services:
            yield f"{sync.name}.service", f"no service {sync.service!r}"
        if sync.acts_on_service and not sync.service:
            yield f"{sync.name}.after", f"{sync.after!r} needs a service; or say a command"


def synced_trees_are_nobody_elses(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for sync in catalogue.syncs.values():
        tree = PurePosixPath(sync.directory)
        if any(PurePosixPath(folder).is_relative_to(tree) for folder in SYSTEM_FOLDERS):
            yield f"{sync.name}.directory", f"{tree} belongs to the system: name a folder in it"
        elif any(tree.is_relative_to(folder) for folder in PASSING_FOLDERS):
            yield f"{sync.name}.directory", f"{tree} holds what is not meant to stay, or logs"


def synced_trees_are_apart(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for one, other in combinations(catalogue.syncs.values(), 2):
        if set(one.hosts) & set(other.hosts) and _nested(one.directory, other.directory):
            yield f"{other.name}.directory", f"{other.directory} overlaps with {one.name}"


def no_managed_file_is_synced(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for sync in catalogue.syncs.values():
        for host in sync.hosts:
            for path in _managed_paths(catalogue, host):
                if _nested(sync.directory, path):
                    yield (
                        f"{sync.name}.directory",
                        f"{sync.directory} on {host} holds {path}, which the deploy writes",
                    )


def mcp_servers_are_one_kind(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for name, server in catalogue.mcp.servers.items():
        if bool(server.command) == bool(server.url):
            yield f"servers.{name}", "needs either command or url, not both or neither"
        if server.url and (server.args or server.env):
            yield f"servers.{name}", "args and env belong to a command, not to a url"


def _managed_paths(catalogue: Catalogue, host: str) -> list[str]:
    return list(vars(catalogue.hosts[host].paths).values()) if host in catalogue.hosts else []


def _nested(one: str, other: str) -> bool:
    a, b = PurePosixPath(one), PurePosixPath(other)
    return a.is_relative_to(b) or b.is_relative_to(a)


RULES: Mapping[str, tuple[Rule, ...]] = {
    "hosts": (something_exists, addresses_are_unique, hosts_can_be_logged_in_to),
    "defaults": (
        control_is_a_host,
        the_page_has_a_caddy,
        tls_is_complete,
        schedule_is_possible,
    ),
    "services": (
        services_exist,
        placements_exist,
        placements_are_one_kind,
        kinds_are_complete,
        hostnames_are_ours,
        ports_are_free,
        units_are_unique,
        syncs_join_two_edges,
        synced_trees_are_nobody_elses,
        synced_trees_are_apart,
        no_managed_file_is_synced,
    ),
    "mcp": (mcp_servers_are_one_kind,),
}
