"""What people feel of a service, by one look at everything. Pure."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from inventory.catalogue import Service
from tasks.checks.finding import Finding, Status


class Felt(StrEnum):
    """From the worst to the best."""

    UNGUARDED = "open to strangers"
    DOWN = "down"
    PARTLY = "down on some ways"
    FALLBACK = "on its fallback"
    SLOW = "slow"
    SPARE = "works, with a placement less"
    WELL = "works"
    UNKNOWN = "not known"

    @property
    def hurts(self) -> bool:
        """People cannot use it, or people use it who should not."""
        return self in (Felt.UNGUARDED, Felt.DOWN)

    @property
    def is_well(self) -> bool:
        return self in (Felt.WELL, Felt.UNKNOWN)


def slow_after(service: Service) -> float:
    """Seconds: half of the time after which Caddy asks the fallback in its place."""
    return service.header_timeout / 2


def felt(service: Service, findings: Sequence[Finding], seconds: float | None = None) -> Felt:
    """Of the findings of one service and how long it took to answer, where that is known."""
    ways = [finding for finding in findings if finding.way]
    known = [way for way in ways if way.status is not Status.SKIPPED]
    if any(finding.is_unguarded for finding in findings):
        return Felt.UNGUARDED
    if not known:
        return Felt.UNKNOWN
    if any(way.status.is_broken for way in known):
        return Felt.DOWN if all(way.status.is_broken for way in known) else Felt.PARTLY
    lost = lost_placements(service, findings)
    if service.primary in lost or any(way.status is Status.WARN for way in known):
        return Felt.FALLBACK
    if seconds is not None and seconds > slow_after(service):
        return Felt.SLOW
    return Felt.SPARE if lost else Felt.WELL


def lost_placements(service: Service, findings: Iterable[Finding]) -> list[str]:
    """Hosts on which it answers nobody."""
    seen: dict[str, list[bool]] = {}
    for finding in findings:
        if finding.check == "service" and finding.host and finding.status is not Status.SKIPPED:
            seen.setdefault(finding.host, []).append(finding.status.is_broken)
    return [host for host in service.placements if all(seen.get(host, [False]))]


def shows(felt: Felt, service: Service, finding: Finding) -> bool:
    """Is `finding`, of that service, one by which it is `felt` so?"""
    match felt:
        case Felt.UNGUARDED:
            return finding.is_unguarded
        case Felt.DOWN | Felt.PARTLY:
            return finding.way and finding.status.is_broken
        case Felt.FALLBACK:
            warned = finding.way and finding.status is Status.WARN
            return warned or (
                finding.check == "service"
                and finding.host == service.primary
                and finding.status.is_broken
            )
        case Felt.SPARE:
            return finding.check == "service" and finding.status.is_broken
    return False
