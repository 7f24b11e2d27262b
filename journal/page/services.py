"""Services as their users feel them: the first thing on the page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby

from inventory.catalogue import Catalogue, Service
from journal import responses
from journal.alerts.words import duration
from journal.availability import (
    WINDOWS,
    State,
    Stretch,
    availability,
    last,
    of_service,
    split,
)
from journal.entries import Episode
from journal.felt import Felt, felt, shows, slow_after
from journal.history import History
from journal.page.heat import kind, words
from journal.page.line import Line, line
from journal.page.present import SYMBOLS, Cell, Look, Open, Present
from journal.page.stamp import stamp
from journal.responses import Hour
from tasks.checks.finding import Finding
from tasks.quote import Quoted

DAYS = 30  # of the bar
DAY = timedelta(days=1)
LONGEST = max(WINDOWS.values())
BAR = 8  # units of the picture, for each day
NAMED = 2  # services in the headline; the others are counted
LOOKS = {
    Felt.UNGUARDED: Look.BAD,
    Felt.DOWN: Look.BAD,
    Felt.WELL: Look.OK,
    Felt.UNKNOWN: Look.UNKNOWN,
}
ORDER = list(Felt)


@dataclass(frozen=True, kw_only=True)
class Day:
    """One day of the bar."""

    x: int
    kind: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Link:
    """Where a reader goes: an address, and who can."""

    url: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One service. `since` is when what is felt began; `down` is when it was last down."""

    service: Service
    felt: Felt
    since: datetime | None
    down: Stretch | None
    at: datetime
    cause: Open | None
    shares: Mapping[str, str]
    days: Sequence[Day]
    line: Line | None
    links: Sequence[Link]

    @property
    def look(self) -> Look:
        return LOOKS.get(self.felt, Look.WARN)

    @property
    def symbol(self) -> str:
        return SYMBOLS[self.look]

    @property
    def when(self) -> Quoted | None:
        """Since when it is felt so; of what works, when it was last down."""
        if self.felt is Felt.UNKNOWN:
            return None
        if self.since and self.felt is not Felt.WELL:
            return Quoted(f"since {stamp(self.since)} ({duration(self.at - self.since)})")
        if self.down is None:
            return Quoted("never seen down")
        lasted = duration(self.down.until - self.down.since)
        return Quoted(f"last down {stamp(self.down.since)}, for {lasted}")

    @property
    def reason(self) -> str:
        """Why, in one line."""
        if self.cause:
            return f"{self.cause.problem.hop}: {self.cause.problem.seen}"
        if self.felt is Felt.SLOW:
            return f"it took longer than {slow_after(self.service):g} s at the last look"
        return ""

    @property
    def todo(self) -> str:
        return self.cause.problem.todo if self.cause else ""

    @property
    def bar_width(self) -> int:
        return DAYS * BAR


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the journal knows of one service: `now` of the last look, with the episode of
    each finding; its states of the last 90 days, and how long it took to answer."""

    service: Service
    now: Sequence[tuple[Finding, Episode]]
    stretches: Sequence[Stretch]
    hours: Sequence[Hour]
    seconds: float | None

    @cached_property
    def felt(self) -> Felt:
        return felt(self.service, [finding for finding, _ in self.now], self.seconds)

    @cached_property
    def shown_by(self) -> list[tuple[Finding, Episode]]:
        """That by which it is felt so."""
        return [pair for pair in self.now if shows(self.felt, self.service, pair[0])]

    @property
    def since(self) -> datetime | None:
        state = {Felt.DOWN: State.DOWN, Felt.PARTLY: State.PARTLY}.get(self.felt)
        stretch = last(self.stretches, state) if state else None
        begins = [episode.since for _, episode in self.shown_by]
        return stretch.since if stretch else min(begins, default=None)


def rows(present: Present, history: History, now: datetime) -> list[Row]:
    """The worst first. May raise JournalError."""
    made = [_row(known, present, now) for known in _known(present, history, now)]
    return sorted(made, key=lambda row: ORDER.index(row.felt))


def _known(present: Present, history: History, now: datetime) -> Iterator[Known]:
    past: dict[str | None, list[Episode]] = {}
    for episode in history.episodes(since=now - LONGEST):
        if episode.way:
            past.setdefault(episode.service, []).append(episode)
    at = present.at
    here = [episode for episode in present.episodes if at and episode.until >= at]
    known: dict[str | None, list[tuple[Finding, Episode]]] = {}
    for pair in zip(present.findings, here, strict=True):
        known.setdefault(pair[0].service, []).append(pair)
    hours = responses.hours(history.store, since=now - LONGEST)
    seconds = responses.latest(history.store, at) if at else {}
    for name, service in present.catalogue.services.items():
        yield Known(
            service=service,
            now=known.get(name, ()),
            stretches=of_service(past.get(name, ()), name, now - LONGEST, now),
            hours=hours.get(name, ()),
            seconds=seconds.get(name),
        )


def _row(known: Known, present: Present, now: datetime) -> Row:
    return Row(
        service=known.service,
        felt=known.felt,
        since=known.since,
        down=last(known.stretches, State.DOWN),
        at=present.at or now,
        cause=_cause(known, present.problems),
        shares={
            name: words(availability(known.stretches, now - window, now))
            for name, window in WINDOWS.items()
        },
        days=list(_days(known.stretches, now)),
        line=line(known.hours, now),
        links=list(_links(known.service, present.catalogue)),
    )


def _cause(known: Known, problems: Sequence[Open]) -> Open | None:
    """The problem that explains what is felt; the worst of those that touch the service."""
    if known.felt is Felt.WELL:
        return None
    hops = [finding.cause or finding.hop for finding, _ in known.shown_by]
    explains = [one for one in problems if one.problem.hop in hops]
    return next(iter(explains), None)


def _days(stretches: Sequence[Stretch], now: datetime) -> Iterator[Day]:
    """Whole days, UTC, of which `now` lies in the last."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    begins = [today - n * DAY for n in reversed(range(DAYS))]
    for n, (begin, found) in enumerate(zip(begins, split(stretches, [*begins, now]), strict=True)):
        yield Day(x=n * BAR, kind=kind(found), title=f"{begin:%a %d %b}: {words(found)}")


def _links(service: Service, catalogue: Catalogue) -> Iterator[Link]:
    """By its name, through a Caddy; and past every Caddy, at each of its placements."""
    if service.kind != "http":
        return
    everywhere = "public" if service.is_public else "tailnet"
    yield Link(url=f"https://{service.hostname}", words=everywhere)
    for host in service.placements:
        name = f"{host}.{catalogue.site.domain}:{service.port}"
        yield Link(url=f"{service.upstream.scheme}://{name}", words=f"tailnet, at {host}")


def verdict(made: Sequence[Row], present: Present) -> Cell:
    """Everything in a sentence: services first, then hops that nobody feels yet."""
    felt_so = [row for row in made if not row.felt.is_well and row.felt is not Felt.SPARE]
    if not present.findings:
        return Cell(look=Look.UNKNOWN, words="Nobody has looked yet")
    if felt_so:
        groups = groupby(felt_so, key=lambda row: row.felt)
        look = Look.BAD if felt_so[0].felt.hurts else Look.WARN
        return Cell(look=look, words="; ".join(_said(f, list(group)) for f, group in groups))
    if present.problems:
        hops = present.verdict.words.replace("All works, with ", "")
        return Cell(look=Look.WARN, words=f"All services work; {hops}")
    return present.verdict


def _said(state: Felt, group: Sequence[Row]) -> str:
    titles = [row.service.title for row in group]
    if more := len(titles) - NAMED:
        titles = [*titles[:NAMED], f"{more} more"] if more > 1 else titles
    *first, final = titles
    named = f"{', '.join(first)} and {final}" if first else final
    return f"{named} {'are' if first else 'is'} {state}"
