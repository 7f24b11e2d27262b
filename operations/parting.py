"""What a deploy takes away of a service that leaves the inventory, and what remains of it.

Nothing is done here: the YAML is the operator's, and what is not in it goes with a deploy.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from nornir.core.task import Result, Task

from inventory.catalogue import Catalogue, Host, Service
from inventory.errors import InventoryError
from inventory.load import locate
from inventory.rules import refuse_contradictions
from inventory.yaml_file import short
from operations.edge import Edge
from operations.retire import refuse_errors
from tasks import release, served

_INGRESS = re.compile(r'^\s*- hostname: "(?P<name>[^"]+)"', re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Parting:
    """`goes` has, by host, what is deployed of the service. `needs` is what the inventory would be
    refused for without it. It is `known` while the inventory has it."""

    name: str
    known: bool
    goes: Mapping[str, tuple[str, ...]]
    needs: tuple[str, ...]
    remains: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Live:
    """What one host serves: by its Caddy and its resolver, and the names of its tunnel."""

    served: served.Served
    ingress: frozenset[str]


def part(edge: Edge, name: str) -> Parting | None:
    """Look at what is deployed of the service `name`; None where nobody knows it.

    Raises NotRetired where a host cannot be read.
    """
    live = _live(edge)
    service = edge.catalogue.services.get(name)
    routes = [one.served.routes[name] for one in live.values() if name in one.served.routes]
    if service is None and not routes:
        return None
    names = {route.hostname for route in routes}
    if service:
        names |= {*service.https_names, *service.http_names}
    public = {found for one in live.values() for found in one.ingress} & names
    goes = {host: tuple(_goes(one, name, names)) for host, one in live.items()}
    if public and edge.catalogue.site.cloudflare:
        goes["cloudflare"] = (f"what is ours of {', '.join(sorted(public))}; the plan shows it",)
    return Parting(
        name=name,
        known=service is not None,
        goes={host: words for host, words in goes.items() if words},
        needs=tuple(_needs(edge.catalogue, name)) if service else (),
        remains=tuple(_remains(edge.catalogue, service, name, public)),
    )


def _live(edge: Edge) -> Mapping[str, Live]:
    def work(task: Task) -> Result:
        host = edge.catalogue.hosts[task.host.name]
        return release.read(task, host, _serving(host))

    answers = edge.run(work)
    refuse_errors(answers)
    return {
        host: Live(
            served=served.parse(text, text),
            ingress=frozenset(found["name"] for found in _INGRESS.finditer(text)),
        )
        for host, text in answers.done.items()
    }


def _serving(host: Host) -> tuple[str, str, str]:
    return host.paths.caddy, host.paths.resolver, host.paths.cloudflared


def _goes(live: Live, service: str, names: set[str]) -> Iterator[str]:
    route = live.served.routes.get(service)
    if route:
        asked = sorted(word for word in route.upstreams if not word.startswith("{"))
        led = ", ".join(asked) or "what the edge itself answers"
        yield f"Caddy's site https://{route.hostname}, which leads to {led}"
    if names & live.ingress:
        yield f"the tunnel's way to {', '.join(sorted(names & live.ingress))}"
    if names & live.served.records.keys():
        yield f"the resolver's answer to {', '.join(sorted(names & live.served.records.keys()))}"


def _needs(catalogue: Catalogue, name: str) -> Iterator[str]:
    """What else of the inventory speaks of it."""
    left = {n: service for n, service in catalogue.services.items() if n != name}
    files = {key: short(path) for key, path in vars(locate(catalogue.config)).items()}
    try:
        refuse_contradictions(replace(catalogue, services=left), files=files)
    except InventoryError as error:
        yield from str(error).splitlines()


def _remains(
    catalogue: Catalogue, service: Service | None, name: str, public: set[str]
) -> Iterator[str]:
    for host in service.placements if service else ():
        runs = f" ({service.unit})" if service and host in catalogue.hosts else ""
        yield f"on {host} the service itself{runs} and its data: nobody here stops or deletes them"
    if service and service.kind == "dns":
        hosts = ", ".join(service.placements)
        yield f"the resolver's config on {hosts}, which is not managed any more then"
    for sync in catalogue.syncs.values():
        if sync.service == name:
            yield f"{sync.directory} on {' and '.join(sync.hosts)}; its sync is an entry of its own"
    if public and not catalogue.site.cloudflare:
        yield (
            f"at Cloudflare the record and the Access application of {', '.join(sorted(public))}: "
            "made by hand, and by hand they go"
        )
    yield f"in the history what is known of it, for {catalogue.site.journal.days} days"
