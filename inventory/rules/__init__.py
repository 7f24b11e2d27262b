"""What the inventory may not say: contradictions between entries that are right alone.

A rule gives (key, what is wrong) pairs; RULES says in whose file each key stands.
"""

from collections.abc import Callable, Iterator, Mapping

from inventory.catalogue import Catalogue
from inventory.errors import InventoryError
from inventory.rules import (
    former,
    front,
    hosts,
    mcp,
    paths,
    resolver,
    services,
    site,
    syncs,
    trusted,
)

Rule = Callable[[Catalogue], Iterator[tuple[str, str]]]

RULES: Mapping[str, tuple[Rule, ...]] = {
    "hosts": (*hosts.RULES, former.hosts_were),
    "defaults": (*site.RULES, *paths.SITE_RULES, *resolver.RULES),
    "services": (
        *services.RULES,
        former.services_were,
        *front.RULES,
        *syncs.RULES,
        *trusted.RULES,
    ),
    "mcp": (*mcp.RULES, *paths.MCP_RULES),
    "places": paths.HOST_RULES,
}


def refuse_contradictions(catalogue: Catalogue, *, files: Mapping[str, str]) -> None:
    """Raise InventoryError with every rule that `catalogue` breaks.

    `files` gives the name under which the operator knows each inventory file.
    """
    problems = [
        f"{files.get(file, files['hosts'])}: {key}: {problem}"
        for file, rules in RULES.items()
        for rule in rules
        for key, problem in rule(catalogue)
    ]
    if problems:
        raise InventoryError("\n".join(problems))
