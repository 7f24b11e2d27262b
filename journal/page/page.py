"""The page: one self-contained file, made of the journal and written after each run."""

import base64
import hashlib
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from inventory.catalogue import Catalogue
from inventory.schedule import SILENT_AFTER
from journal.alerts.book import Book
from journal.alerts.tell import Alerting
from journal.alerts.words import duration
from journal.entries import Run
from journal.history import History
from journal.incidents import incidents
from journal.page.drills import Timeline, timeline
from journal.page.heat import beginning, heat
from journal.page.incidents import Entry, marks
from journal.page.picture import draw
from journal.page.present import MEANINGS, SYMBOLS, Cell, Look, Present
from journal.page.sent import Sent
from journal.page.services import rows, verdict
from journal.page.stamp import full_stamp, stamp
from tasks.configs.render import TEMPLATES, environment
from tasks.quote import Quoted

MONTH = timedelta(days=30)
DEPLOYS, DRILLS, MESSAGES, INCIDENTS = 5, 4, 8, 10  # as many as are shown


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """One deploy or rollback, as the page says it."""

    run: Run

    @property
    def when(self) -> Quoted:
        lasted = self.run.ended and f", {duration(self.run.ended - self.run.began)}"
        return Quoted(f"{stamp(self.run.began)}{lasted or ''}")

    @property
    def well(self) -> bool:
        return self.run.status == 0

    @property
    def outcome(self) -> str:
        if self.run.status is None:
            return "at work, or killed"
        return "done" if self.well else "failed, and undone"


def page(catalogue: Catalogue, history: History, now: datetime) -> str:
    """The whole page. May raise JournalError."""
    book = Book(history.store)
    at = book.last_look()
    alerting = Alerting(site=catalogue.site, history=history)
    present = Present(catalogue=catalogue, episodes=history.present(), at=at)
    services = rows(present, history, now)
    said = verdict(services, present)
    patience = _patience(catalogue, alerting)
    late = at is not None and now - at > patience
    old = Cell(look=Look.BAD, words=f"Nobody has looked for {duration(now - at)}") if at else said
    schedule = catalogue.site.schedule.verify
    happened = incidents(history.episodes(since=now - MONTH), at)
    script = (TEMPLATES / "page" / "live.js").read_text(encoding="utf-8")
    text: str = (
        environment()
        .get_template("page/status.html.j2")
        .render(
            domain=catalogue.site.domain,
            present=present,
            services=services,
            verdict=old if late else said,
            before=f"{said.symbol} {said.words}" if late else "",
            interval=duration(schedule.period) if schedule else None,
            looked=full_stamp(at) if at else None,
            looked_at=int(at.timestamp()) if at else 0,
            patience=int(patience.total_seconds()),
            written=full_stamp(now),
            silence=alerting.silence(now),
            acknowledged={n.problem.hop: n.acknowledged for n in book.notices() if n.acknowledged},
            picture=draw(present),
            heat=heat(catalogue, history.episodes(since=beginning(now)), now),
            marks=marks(happened, history.runs(since=beginning(now)), now),
            incidents=[Entry(incident=one) for one in reversed(happened[-INCIDENTS:])],
            deploys=_deploys(history, now),
            drills=_drills(catalogue, history, now),
            messages=[Sent(delivery=delivery) for delivery in book.recent(MESSAGES)],
            legend=[(look, SYMBOLS[look], words) for look, words in MEANINGS.items()],
            script=Quoted(script),
            script_hash=Quoted(_hash(script)),
        )
    )
    return text


def _patience(catalogue: Catalogue, alerting: Alerting) -> timedelta:
    """After that long without a look, that nobody looked is what the page says first."""
    schedule = catalogue.site.schedule.verify
    return SILENT_AFTER * schedule.period if schedule else alerting.patience


def _deploys(history: History, now: datetime) -> list[Deploy]:
    runs = [r for r in history.runs(since=now - MONTH) if r.kind in ("deploy", "rollback")]
    return [Deploy(run=run) for run in runs[:DEPLOYS]]


def _drills(catalogue: Catalogue, history: History, now: datetime) -> list[Timeline]:
    folder = Path(catalogue.site.page.directory if catalogue.site.page else ".")
    drills = history.drills(since=now - MONTH)[:DRILLS]
    return [timeline(run, drill, folder) for run, drill in drills]


def _hash(script: str) -> str:
    """As a Content-Security-Policy names the one script that may run."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def write(text: str, path: Path) -> None:
    """In one step, readable by everybody: a web server or a collector never sees a half."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
