"""What has another name than on the hosts: told with a plan, and no stranger to a deploy."""

from collections.abc import Iterator, Mapping

from inventory.catalogue import Catalogue, Host
from tasks import served
from tasks.live import HostState
from tasks.served import Served


def served_by(host: Host, texts: Mapping[str, str | None], catalogue: Catalogue) -> Served:
    """What a host serves by `texts`, by path, of its files; under the names of now."""
    found = served.parse(texts.get(host.paths.caddy), texts.get(host.paths.resolver))
    return found.renamed({s.was: s.name for s in catalogue.services.values() if s.was})


def renamed(catalogue: Catalogue, states: Mapping[str, HostState]) -> Iterator[tuple[str, str]]:
    """(name of now, what there is to say) of each host and service that has changed its name.

    A host is known by its address, a service by nothing but `was`.
    """
    for name, state in states.items():
        host = catalogue.hosts[name]
        for was in _former_names(host, state):
            if host.was == was:
                yield name, f"was {was} until now, and its history goes on"
            else:
                yield (
                    name,
                    f"was {was} until now; for its history to go on, say `was: {was}` in its data",
                )
    for service in catalogue.services.values():
        if service.was and any(
            _knows(catalogue.hosts[n], s, service.was) for n, s in states.items()
        ):
            yield service.name, f"was {service.was} until now, and its history goes on"


def _former_names(host: Host, state: HostState) -> list[str]:
    """Under which the host's own release lists it."""
    members = state.current.members if state.current else ()
    return [
        one.name
        for one in members
        if one.name != host.name and (one.address == str(host.address) or one.name == host.was)
    ]


def _knows(host: Host, state: HostState, service: str) -> bool:
    live = state.files.get(host.paths.caddy)
    return service in served.parse(live.text if live else None).routes
