"""Incidents: what was wrong at one hop, from its first finding until a look found it well. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from journal.entries import Episode
from tasks.checks.finding import Status

FOLDER = "incidents"
APART = timedelta(hours=1)  # a hop that is broken again within that is the same incident


@dataclass(frozen=True, kw_only=True)
class Incident:
    """`findings` are the hop's own, by their beginning; `services` are those that it touched.

    It `lasts` when the last look saw it. Where it neither lasts nor was `over` for a look,
    nobody looked on, and it may have gone on.
    """

    hop: str
    findings: tuple[Episode, ...]
    services: tuple[str, ...]
    lasts: bool
    over: bool

    @property
    def begin(self) -> datetime:
        return self.findings[0].since

    @property
    def end(self) -> datetime:
        """Seen well; where it lasts, the last look."""
        return max(finding.until for finding in self.findings)

    @property
    def seconds(self) -> float:
        return (self.end - self.begin).total_seconds()

    @property
    def worst(self) -> Episode:
        return max(self.findings, key=lambda finding: finding.status)

    @property
    def path(self) -> str:
        """Of its own page, beside the page; it stays the same for as long as it lasts."""
        hop = re.sub(r"[^a-z0-9]+", "-", self.hop.lower()).strip("-")
        return f"{FOLDER}/{self.begin:%Y%m%d-%H%M%S}-{hop}.html"


def worst(found: Iterable[Incident], limit: int) -> list[Incident]:
    """Failures before warnings, long ones before short ones."""
    order = sorted(found, key=lambda one: (not one.worst.status.is_broken, -one.seconds))
    return order[:limit]


def incidents(episodes: Sequence[Episode], at: datetime | None) -> list[Incident]:
    """By their beginning; `at` is the last look at everything."""
    own: dict[str, list[Episode]] = {}
    follow: dict[str, list[Episode]] = {}
    for episode in episodes:
        if episode.status > Status.SKIPPED:
            group = follow if episode.cause else own
            group.setdefault(episode.cause or episode.hop, []).append(episode)
    begins = {(episode.part, episode.since) for episode in episodes}
    made = [
        _incident(hop, findings, follow.get(hop, ()), begins, at)
        for hop, all_of_it in own.items()
        for findings in _runs(all_of_it)
    ]
    return sorted(made, key=lambda incident: (incident.begin, incident.hop))


def _runs(findings: Iterable[Episode]) -> Iterable[list[Episode]]:
    """Findings of one hop that lie close together."""
    run: list[Episode] = []
    end = None
    for finding in sorted(findings, key=lambda finding: finding.since):
        if end and finding.since - end > APART:
            yield run
            run, end = [], None
        run.append(finding)
        end = max(end, finding.until) if end else finding.until
    if run:
        yield run


def _incident(
    hop: str,
    findings: Sequence[Episode],
    follow: Iterable[Episode],
    begins: set[tuple[tuple[str, str, str], datetime]],
    at: datetime | None,
) -> Incident:
    begin, end = findings[0].since, max(finding.until for finding in findings)
    touched = [e for e in follow if e.since <= end and e.until >= begin]
    final = [finding for finding in findings if finding.until == end]
    return Incident(
        hop=hop,
        findings=tuple(findings),
        services=tuple(dict.fromkeys(e.service for e in (*findings, *touched) if e.service)),
        lasts=at is not None and end >= at and any((f.part, end) not in begins for f in final),
        over=all((finding.part, end) in begins for finding in final),
    )
