"""Rules of the services in inventory/services.yaml."""

from collections.abc import Iterator

from inventory.catalogue import Catalogue, Service
from inventory.names import is_below, parent_of, sample_of
from inventory.rules.words import unknown_host, unknown_place
from inventory.upstream import Upstream


def services_exist(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    if not catalogue.services:
        yield "services", "holds no service"


def placements_exist(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for service in catalogue.services.values():
        named = {"primary": service.primary}
        named |= {_nth("fallback", n, service.fallback): h for n, h in enumerate(service.fallback)}
        named |= {f"hosts.{index}": host for index, host in enumerate(service.hosts)}
        for key, host in named.items():
            look = unknown_host if service.kind == "dns" else unknown_place
            problem = host and look(catalogue, host)
            if problem:
                yield f"{service.name}.{key}", problem


def _nth(key: str, n: int, named: tuple[str, ...]) -> str:
    """The key of the nth of `named`, which may stand there alone."""
    return key if len(named) == 1 else f"{key}.{n}"


def placements_are_one_kind(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for service in catalogue.services.values():
        if service.front.alone:
            if service.placements:
                kind = service.front.alone.kinds[0]
                yield (
                    f"{service.name}.front.{kind}",
                    f"the edges themselves answer, and {' and '.join(service.placements)} would "
                    "never be asked: leave out one of them (a path of its own is below routes)",
                )
        elif bool(service.primary) == bool(service.hosts):
            yield service.name, "needs either primary (and fallback) or hosts, not both or neither"
        if service.fallback and not service.primary:
            yield f"{service.name}.fallback", "needs a primary beside it"
        if service.primary in service.fallback:
            yield f"{service.name}.fallback", f"is {service.primary!r}, the primary itself"
        if len(set(service.fallback)) < len(service.fallback):
            yield f"{service.name}.fallback", "names a host twice"
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
        if service.audience and not service.is_public:
            yield f"{service.name}.audience", "has no meaning on the tailnet: Access is not there"
        if service.stream_timeout and not (service.kind == "http" and service.has_failover):
            yield (
                f"{service.name}.stream_timeout",
                "has no meaning here: it leads websockets back to where requests go, and this "
                "service is on the web in one place at most",
            )
        if service.kind == "dns" and service.primary:
            yield f"{service.name}.primary", "resolvers are all alike: use hosts"


def somebody_is_let_in(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for service in catalogue.services.values() if catalogue.site.cloudflare else ():
        if service.is_protected and catalogue.let_in(service).nobody:
            yield (
                f"{service.name}.access",
                "lets nobody in: {allow: {emails: [me@home.example]}}, or for all services "
                "data.access.allow in defaults.yaml",
            )
        if service.rules.service_token and not catalogue.site.access.service_token:
            yield f"{service.name}.access.service_token", "needs data.access.service_token"


def upstreams_make_sense(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for service in catalogue.services.values():
        if service.kind == "dns" and service.upstream != Upstream():
            yield f"{service.name}.upstream", "has no meaning for dns: no Caddy stands before it"
        for key, problem in service.upstream.problems:
            yield f"{service.name}.upstream.{key}", problem


def hostnames_are_ours(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    owner = {f"{name}.{catalogue.site.domain}": f"host {name}" for name in catalogue.hosts}
    if catalogue.site.page_name:
        owner.setdefault(catalogue.site.page_name, "the page (data.page.hostname)")
    domains = catalogue.site.all_domains
    for service in catalogue.services.values():
        for key, name in _names_of(service):
            if not any(is_below(sample_of(name), domain) for domain in domains) and (
                "http_names" not in key
            ):
                yield key, f"{name!r} is outside {_domains(domains)}"
            if name in owner:
                yield key, f"{name!r} is the name of {owner[name]} too"
            owner.setdefault(name, service.name)


def _names_of(service: Service) -> Iterator[tuple[str, str]]:
    """(key, name) of every name that the service has."""
    yield f"{service.name}.hostname", service.hostname
    for key in ("aliases", "redirect_from", "http_names"):
        for n, name in enumerate(getattr(service, key)):
            yield f"{service.name}.{key}.{n}", name


def _domains(domains: tuple[str, ...]) -> str:
    if len(domains) == 1:
        return f"the domain {domains[0]!r} (data.domain; data.domains may hold more)"
    return f"the domains {', '.join(domains)} (data.domain, data.domains)"


def names_can_be_served(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    taken = [edge.name for edge in catalogue.edges if not catalogue.redirects(edge)]
    for service in catalogue.services.values():
        for key in ("aliases", "redirect_from", "http_names"):
            if service.kind == "dns" and getattr(service, key):
                yield f"{service.name}.{key}", "has no meaning for dns: no Caddy stands before it"
        if service.http_names and taken:
            yield (
                f"{service.name}.http_names",
                f"needs port 80 of every edge, which {', '.join(taken)} gives to something else",
            )


def wildcards_leave_room(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """unbound answers all names below a wildcard alike, and refuses a record beside it that has
    no zone of its own: of the catalogue's names we make one, of an operator's we cannot."""
    others = [s.name for s in catalogue.services.values() if s.kind == "dns"]
    own = [sync.name for sync in catalogue.syncs.values() if sync.service in others]
    for service in catalogue.web_services:
        for n, name in enumerate(service.aliases):
            key, parent = f"{service.name}.aliases.{n}", parent_of(name)
            if parent in catalogue.site.all_domains and own:
                yield (
                    key,
                    f"{name!r} leaves no room for records of your own (sync {own[0]}): unbound "
                    "answers every name below it alike; put them into data.resolver.records, or "
                    "take a name below, such as *.apps",
                )
            owner = next((s for s in catalogue.services.values() if s.hostname == parent), service)
            if owner.kind == "dns" or parent in {
                f"{host}.{catalogue.site.domain}" for host in catalogue.hosts
            }:
                yield key, f"{name!r}: {parent} has an address of its own, beside the edges"


def ports_are_free(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    taken: dict[tuple[str, int], str] = {}
    for edge in catalogue.edges:
        taken |= {(edge.name, edge.port): "sshd", (edge.name, 443): "Caddy"}
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


RULES = (
    services_exist,
    placements_exist,
    placements_are_one_kind,
    kinds_are_complete,
    somebody_is_let_in,
    upstreams_make_sense,
    hostnames_are_ours,
    names_can_be_served,
    wildcards_leave_room,
    ports_are_free,
    units_are_unique,
)
