"""Incidents on the page, and a page for each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from inventory.catalogue import Catalogue
from journal.alerts.book import Book, Delivery
from journal.alerts.words import duration
from journal.entries import Run
from journal.history import History
from journal.incidents import FOLDER, Incident, incidents
from journal.page import drills
from journal.page.heat import BLOCKS, CELL, DAY_GAP, DAYS, LABEL, beginning
from journal.page.present import Look
from journal.page.sent import Sent
from journal.page.stamp import stamp
from tasks.checks.finding import Status
from tasks.configs.render import environment
from tasks.quote import Quoted

SETTLED = timedelta(days=1)  # after that the page of an incident does not change any more
AROUND = timedelta(hours=1)  # a deploy or a drill so close may have to do with it
DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One incident, as the page says it."""

    incident: Incident

    @property
    def look(self) -> Look:
        return Look.WARN if self.incident.worst.status is Status.WARN else Look.BAD

    @property
    def when(self) -> Quoted:
        incident = self.incident
        lasted = duration(incident.end - incident.begin)
        if incident.lasts:
            return Quoted(f"{stamp(incident.begin)}, so far {lasted}")
        if not incident.over:
            return Quoted(f"{stamp(incident.begin)}, {lasted} or longer: nobody looked on")
        return Quoted(f"{stamp(incident.begin)} to {stamp(incident.end)}, {lasted}")


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Something on the line of the last days: an incident (with a width), a deploy, a drill."""

    x: int
    width: int
    kind: str
    title: str


def marks(found: Iterable[Incident], runs: Iterable[Run], now: datetime) -> list[Mark]:
    """On the time axis of the heat map."""
    begin = beginning(now)
    made = [
        Mark(
            x=_x(max(incident.begin, begin), begin),
            width=max(_x(incident.end, begin) - _x(max(incident.begin, begin), begin), 2),
            kind=Entry(incident=incident).look,
            title=f"{incident.hop}, {duration(incident.end - incident.begin)}",
        )
        for incident in found
        if incident.end >= begin
    ]
    made += [
        Mark(x=_x(run.began, begin), width=0, kind=run.kind, title=f"{run.kind}: {run.words}")
        for run in runs
        if run.kind in ("deploy", "rollback", "drill") and run.began >= begin
    ]
    return made


def _x(at: datetime, begin: datetime) -> int:
    days, rest = divmod(at - begin, DAY)
    return LABEL + min(days, DAYS - 1) * (BLOCKS * CELL + DAY_GAP) + int(rest / DAY * BLOCKS * CELL)


def pages(
    catalogue: Catalogue, history: History, now: datetime, there: Path
) -> Iterator[tuple[Path, str]]:
    """Those that may have changed or are not there yet. May raise JournalError."""
    book = Book(history.store)
    found = incidents(history.episodes(since=now - history.kept), book.last_look())
    later: dict[str, datetime] = {}  # of each hop, when its next incident began
    for incident in reversed(found):
        path = there / incident.path
        if now - incident.end < SETTLED or not path.exists():
            until = later.get(incident.hop, now)
            told = book.told_of(incident.hop, since=incident.begin, until=until)
            runs = history.runs(since=incident.begin - AROUND)
            near = [run for run in runs if _is_near(run, incident)]
            yield path, _text(catalogue, incident, told, near)
        later[incident.hop] = incident.begin


def outdated(there: Path, oldest: datetime) -> list[Path]:
    """Pages of incidents and drills that the journal has forgotten."""
    files = [file for folder in (FOLDER, drills.FOLDER) for file in (there / folder).glob("*.html")]
    return [file for file in files if file.stat().st_mtime < oldest.timestamp()]


def _is_near(run: Run, incident: Incident) -> bool:
    changes = run.kind in ("deploy", "rollback", "drill")
    return changes and run.began <= incident.end + AROUND


def _text(
    catalogue: Catalogue, incident: Incident, told: Sequence[Delivery], runs: Sequence[Run]
) -> str:
    entry = Entry(incident=incident)
    known = catalogue.services
    text: str = (
        environment()
        .get_template("page/incident.html.j2")
        .render(
            domain=catalogue.site.domain,
            entry=entry,
            incident=incident,
            services=[known[name].title if name in known else name for name in incident.services],
            told=[Sent(delivery=delivery) for delivery in told],
            runs=[(run, stamp(run.began)) for run in reversed(runs)],
            findings=[(finding, stamp(finding.since)) for finding in incident.findings],
        )
    )
    return text
