"""What several rules ask: is there such a host, do two paths lie within each other."""

from collections.abc import Iterable, Iterator

from inventory.catalogue import Catalogue


def unknown_host(catalogue: Catalogue, host: str) -> str | None:
    """What is wrong with a host that nobody knows, or that nobody logs in to."""
    if host in catalogue.hosts:
        return None
    if host in catalogue.appliances:
        return f"{host} has no SSH (ssh: false in hosts.yaml), so nobody logs in to it"
    return f"no host {host!r} (hosts: {', '.join(sorted(catalogue.hosts)) or 'none'})"


def unknown_place(catalogue: Catalogue, host: str) -> str | None:
    """What is wrong with a host that no service can be on."""
    return None if host in catalogue.appliances else unknown_host(catalogue, host)


def hosts_are_known(catalogue: Catalogue) -> bool:
    """Is every host that has a name of ours there? Else another rule says which is not."""
    services = catalogue.services.values()
    placed = {name for service in services for name in service.placements}
    resolvers = {n for s in services if s.kind == "dns" for n in s.placements}
    known = catalogue.hosts.keys() | catalogue.appliances.keys()
    return {catalogue.site.control, *resolvers} <= catalogue.hosts.keys() and placed <= known


def within(path: str, folders: Iterable[str]) -> str | None:
    """The folder that `path` is, or lies in."""
    return next((f for f in folders if path == f or path.startswith(f"{f}/")), None)


def nested(named: Iterable[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """Pairs of (name, path) of which the second path is the first's or lies below it.

    Sorted by their parts, a path comes right behind those that hold it.
    """
    holders: list[tuple[str, str]] = []
    for name, path in sorted(named, key=lambda pair: (*pair[1].split("/"), "", pair[0])):
        while holders and not within(path, (holders[-1][1],)):
            holders.pop()
        if holders:
            yield holders[-1], (name, path)
        holders.append((name, path))
