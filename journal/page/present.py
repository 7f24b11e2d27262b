"""Present: what the last look at everything found, cell by cell, as the page shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from itertools import groupby

from inventory.catalogue import Catalogue
from journal.alerts.problem import Problem, part_of, problems
from journal.alerts.words import duration
from journal.entries import Episode
from journal.page.stamp import stamp
from tasks.checks import cells
from tasks.checks.finding import Finding, Status
from tasks.quote import Quoted

SHARED = (
    "check", "subject", "vantage", "status", "seen", "expected", "service", "host", "hop",
    "todo", "cause", "way",
)  # fmt: skip


class Look(StrEnum):
    """How something looks: the CSS class of its cell or chip."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    ALONG = "along"
    UNKNOWN = "unknown"


SYMBOLS = {Look.OK: "✓", Look.WARN: "!", Look.BAD: "✗", Look.ALONG: "↳", Look.UNKNOWN: "?"}
MEANINGS = {
    Look.OK: "well",
    Look.WARN: "works, but needs a look",
    Look.BAD: "broken here",
    Look.ALONG: "only follows from what is broken elsewhere",
    Look.UNKNOWN: "could not be told",
}


def look_of(finding: Finding | None) -> Look:
    if finding is None or finding.status is Status.SKIPPED:
        return Look.UNKNOWN
    if finding.status is Status.OK:
        return Look.OK
    if finding.cause:
        return Look.ALONG
    return Look.WARN if finding.status is Status.WARN else Look.BAD


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell: how it looks, and what it says in words."""

    look: Look
    words: str

    @property
    def symbol(self) -> str:
        return SYMBOLS[self.look]

    @classmethod
    def of(cls, found: Sequence[Finding]) -> "Cell":
        worst = cells.worst(found)
        look = look_of(worst)
        if worst is None or look in (Look.OK, Look.UNKNOWN):
            return cls(look=look, words=MEANINGS[look])
        cause = f", because of {worst.cause}" if worst.cause else ""
        return cls(look=look, words=f"{worst.subject}: {worst.seen}{cause}")


@dataclass(frozen=True, kw_only=True)
class Open:
    """A problem that is there now, and since when."""

    problem: Problem
    since: datetime
    at: datetime

    @property
    def look(self) -> Look:
        return Look.WARN if self.problem.status is Status.WARN else Look.BAD

    @property
    def symbol(self) -> str:
        return SYMBOLS[self.look]

    @property
    def stamp(self) -> Quoted:
        lasted = f" ({duration(self.at - self.since)})" if self.at > self.since else ""
        return Quoted(f"{stamp(self.since)}{lasted}")


@dataclass(frozen=True, kw_only=True)
class Present:
    """The last known state of every part; what was last seen before `at` is not known now."""

    catalogue: Catalogue
    episodes: Sequence[Episode]
    at: datetime | None

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        if self.at is None:
            return ()
        return tuple(_finding(e) for e in self.episodes if e.until >= self.at)

    @cached_property
    def problems(self) -> tuple[Open, ...]:
        since = {e.part: e.since for e in self.episodes}
        return tuple(
            Open(
                problem=problem,
                since=min(since[part] for part in problem.parts),
                at=self.at or since[problem.parts[0]],
            )
            for problem in problems(self.findings).values()
        )

    @property
    def broken(self) -> int:
        return sum(one.look is Look.BAD for one in self.problems)

    @property
    def warnings(self) -> int:
        return len(self.problems) - self.broken

    @property
    def verdict(self) -> Cell:
        """The whole edge in a few words."""
        if not self.findings:
            return Cell(look=Look.UNKNOWN, words="Nobody has looked yet")
        if self.broken:
            words = "1 hop is broken" if self.broken == 1 else f"{self.broken} hops are broken"
            warned = f", {self._warned}" if self.warnings else ""
            return Cell(look=Look.BAD, words=f"{words}{warned}")
        if self.warnings:
            return Cell(look=Look.WARN, words=f"All works, with {self._warned}")
        return Cell(look=Look.OK, words="All is well")

    @property
    def _warned(self) -> str:
        return "1 warning" if self.warnings == 1 else f"{self.warnings} warnings"

    def cell(self, **wanted: object) -> Cell:
        """Of all findings whose fields are as `wanted`."""
        return Cell.of(self._chosen(wanted))

    def hop(self, **wanted: object) -> Cell:
        """As `cell`, of the hop by itself: what only follows from others is no part of it."""
        found = self._chosen(wanted)
        return Cell.of([finding for finding in found if finding.cause is None] or found)

    def _chosen(self, wanted: Mapping[str, object]) -> Sequence[Finding]:
        fields = tuple(wanted)
        if fields not in self._sorted:
            found = self._sorted[fields] = {}
            for finding in self.findings:
                values = tuple(getattr(finding, field) for field in fields)
                found.setdefault(values, []).append(finding)
        return self._sorted[fields].get(tuple(wanted.values()), ())

    @cached_property
    def _sorted(self) -> dict[tuple[str, ...], dict[tuple[object, ...], list[Finding]]]:
        """Names of fields -> their values -> the findings that have these: each cell of a large
        page would look at all findings otherwise."""
        return {}

    @cached_property
    def _by_place(self) -> Mapping[tuple[str, cells.Place], list[Finding]]:
        """What is known now of each cell that something was ever known of."""
        known: dict[tuple[str, cells.Place], list[Finding]] = {}
        now = set(map(part_of, self.findings))
        for finding in map(_finding, self.episodes):
            place = cells.place_of(finding)
            if place and finding.service:
                own = known.setdefault((finding.service, place), [])
                own += [finding] if part_of(finding) in now else []
        return known

    @cached_property
    def columns(self) -> list[cells.Place]:
        """Of the table of services."""
        direct = sorted(column for _, (heading, column) in self._by_place if "direct" in heading)
        known = {place for _, place in self._by_place}
        return [place for place in cells.places(self.catalogue, direct) if place in known]

    @property
    def headings(self) -> list[tuple[str, int]]:
        """What stands above `columns`, and above how many of them."""
        return [
            (heading, len(list(group)))
            for heading, group in groupby(self.columns, key=lambda place: place[0])
        ]

    @property
    def services(self) -> Mapping[str, list[Cell | None]]:
        """A row for each service: its title, and a cell for each of `columns`."""
        return {
            service.title: [
                Cell.of(self._by_place[service.name, place])
                if (service.name, place) in self._by_place
                else None
                for place in self.columns
            ]
            for service in self.catalogue.services.values()
        }

    @cached_property
    def host_checks(self) -> list[str]:
        known = {e.check for e in self.episodes if e.host}
        return [check for check in cells.HOST_CHECKS if check in known]

    @property
    def hosts(self) -> Mapping[str, list[Cell | None]]:
        """A row for each host, a cell for each of `host_checks`."""
        known = {(e.host, e.check) for e in self.episodes}
        titles = {name: name for name in self.catalogue.hosts}
        titles |= {name: f"{name} (no SSH)" for name in self.catalogue.appliances}
        return {
            title: [
                self.cell(host=host, check=check) if (host, check) in known else None
                for check in self.host_checks
            ]
            for host, title in titles.items()
        }


def _finding(episode: Episode) -> Finding:
    return Finding(**{name: getattr(episode, name) for name in SHARED})
