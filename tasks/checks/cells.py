"""Findings as tables: which cell a finding belongs in, and the one word of a cell."""

from collections.abc import Iterable, Mapping, Sequence

from inventory.catalogue import Catalogue
from tasks.checks.finding import Finding, Status

WORDS = {
    Status.UNDEPLOYED: "new",
    Status.OK: "ok",
    Status.SKIPPED: "skip",
    Status.WARN: "warn",
    Status.UNREACHABLE: "gone",
}
HOST_CHECKS = ("host", "mesh", "config", "caddy", "tunnel", "dns", "sync")
FAILED_HERE, FAILED_ALONG = "FAIL", "fail"
NOTHING = "-"

Place = tuple[str, str]  # a heading, and a column below it


def places(catalogue: Catalogue, vantages: Iterable[str]) -> list[Place]:
    """The columns of the table of services; `vantages` are those that ask directly."""
    edges = [host.name for host in catalogue.edges]
    return [
        *(("direct from", vantage) for vantage in dict.fromkeys((*edges, *vantages))),
        *(("through Caddy", edge) for edge in edges),
        ("outside", ""),
        *(("by name at", resolver.name) for resolver in catalogue.resolvers),
    ]


def place_of(finding: Finding) -> Place | None:
    """Where in its service's row a finding belongs."""
    match finding.check:
        case "service":
            return "direct from", finding.vantage
        case "caddy":
            return "through Caddy", finding.host or ""
        case "access":
            return "outside", ""
        case "dns":
            return "by name at", finding.host or ""
    return None


def by_cell(findings: Iterable[Finding]) -> Mapping[tuple[str, Place], list[Finding]]:
    """(service, place) -> the findings of that cell of the table of services."""
    cells: dict[tuple[str, Place], list[Finding]] = {}
    for finding in findings:
        place = place_of(finding)
        if place and finding.service:
            cells.setdefault((finding.service, place), []).append(finding)
    return cells


def worst(findings: Sequence[Finding]) -> Finding | None:
    """The worst of a cell; what only follows from another hop is not as bad, and what is not
    deployed yet only worse than what is well."""
    return max(
        findings,
        key=lambda f: (f.status > Status.SKIPPED, abs(f.status), f.cause is None),
        default=None,
    )


def word(finding: Finding | None, *, lost: bool = False) -> str:
    """What a cell says whose worst finding this is; `lost` hosts told nothing."""
    if finding is None:
        return WORDS[Status.UNREACHABLE] if lost else NOTHING
    if finding.status is Status.FAILED:
        return FAILED_ALONG if finding.cause else FAILED_HERE
    return WORDS[finding.status]
