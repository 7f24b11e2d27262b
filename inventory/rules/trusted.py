"""Rules of what twinedge itself obeys, reads or writes as root: none of it lies in a synced tree.

Root on the other edge writes there, links too, and would own what follows them.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from inventory.catalogue import Catalogue, Host
from inventory.references import references
from inventory.rules.paths import managed_files
from inventory.rules.words import nested

CHECKOUT = str(Path(__file__).resolve().parents[2])


def nothing_of_ours_is_synced(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    told: set[str] = set()
    runs = _where_we_run(catalogue)
    for host in catalogue.hosts.values():
        trees = [(sync.name, sync.directory) for sync in catalogue.syncs_of(host.name)]
        ours = {**_written(host, catalogue), **(runs if _runs_us(host, catalogue) else {})}
        for outer, inner in nested([*trees, *(("", path) for path in ours)]):
            (name, tree), (other, path) = sorted((outer, inner), reverse=True)
            holds = outer == (name, tree) or path == CHECKOUT
            if name and not other and holds and name not in told:
                told.add(name)
                yield (
                    f"{name}.directory",
                    f"{tree} on {host.name} overlaps with {path} ({ours[path]}): whoever breaks "
                    "into one edge would own both",
                )


def _runs_us(host: Host, catalogue: Catalogue) -> bool:
    return host.name in (catalogue.site.control, *catalogue.site.schedule.hosts)


def _written(host: Host, catalogue: Catalogue) -> Mapping[str, str]:
    """Path -> what it is, of what a deploy writes beside `paths`, of which another rule speaks."""
    places = set(host.places.values())
    files = {path: key for key, path in managed_files(host, catalogue).items()}
    clients = catalogue.mcp.clients.items()
    files |= {client.path: f"client {name}" for name, client in clients if client.is_on(host.name)}
    return {path: what for path, what in files.items() if path not in places}


def _where_we_run(catalogue: Catalogue) -> Mapping[str, str]:
    """Path -> what it is, of what a runbook reads and writes on the machine that it runs on."""
    site = catalogue.site
    found = {
        CHECKOUT: "twinedge itself",
        str(catalogue.config.parent): "the inventory",
        site.journal.file: "data.journal.file",
    }
    if site.metrics:
        found[site.metrics.file] = "data.metrics.file"
    for host in catalogue.hosts.values():
        login = host.login
        for path in (login.key_file, login.alt_key_file, host.ssh.config):
            found |= {path: "to log in with"} if path else {}
    for part in (site, catalogue.mcp, catalogue.services, catalogue.hosts):
        for _, reference in references(part, ""):
            scheme, _, path = reference.partition(":")
            found |= {path: "a secret"} if scheme == "file" else {}
    return {os.path.expanduser(path): what for path, what in found.items()}  # noqa: PTH111  of nobody, too


RULES = (nothing_of_ours_is_synced,)
