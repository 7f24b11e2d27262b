"""Rules of `was`: a former name had one owner, who has another name now."""

from collections.abc import Collection, Iterator, Mapping

from inventory.catalogue import Catalogue


def hosts_were(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    now = {name: host.was for name, host in catalogue.hosts.items()}
    now |= {name: one.was for name, one in catalogue.appliances.items()}
    for name, problem in _wrong(now, now):
        yield f"{name}.data.was", problem


def services_were(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    now = {name: service.was for name, service in catalogue.services.items()}
    for name, problem in _wrong(now, catalogue.services):
        yield f"{name}.was", problem


def _wrong(now: Mapping[str, str | None], known: Collection[str]) -> Iterator[tuple[str, str]]:
    owner: dict[str, str] = {}
    for name, was in now.items():
        if was in known:
            yield name, f"{was!r} is somebody's name now; here stands one that {name} has no more"
        elif was and owner.setdefault(was, name) != name:
            yield name, f"{owner[was]} was {was} already"
