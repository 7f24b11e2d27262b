"""The page: one self-contained file, made of the journal and written after each run."""

import base64
import hashlib
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from inventory.catalogue import Catalogue
from journal.alerts.book import Book, Delivery
from journal.alerts.tell import Alerting
from journal.alerts.words import duration, moment
from journal.entries import Run
from journal.history import History
from journal.page.drills import Timeline, timeline
from journal.page.heat import beginning, heat
from journal.page.picture import draw
from journal.page.present import MEANINGS, SYMBOLS, Present
from tasks.checks.finding import Status
from tasks.configs.render import TEMPLATES, environment
from tasks.quote import Quoted

MONTH = timedelta(days=30)
DEPLOYS, DRILLS, MESSAGES = 5, 4, 8  # as many as are shown


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """One deploy or rollback, as the page says it."""

    run: Run

    @property
    def when(self) -> str:
        lasted = self.run.ended and f", {duration(self.run.ended - self.run.began)}"
        return f"{moment(self.run.began)}{lasted or ''}"

    @property
    def well(self) -> bool:
        return self.run.status == 0

    @property
    def outcome(self) -> str:
        if self.run.status is None:
            return "at work, or killed"
        return "done" if self.well else "failed, and undone"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One message, as the page says it."""

    delivery: Delivery

    @property
    def when(self) -> str:
        return moment(self.delivery.message.at)

    @property
    def look(self) -> str:
        status = self.delivery.message.status
        return "good" if status is Status.OK else "bad" if status.is_broken else "warn"

    @property
    def state(self) -> str:
        if self.delivery.sent:
            return f"arrived {moment(self.delivery.sent)}"
        tried = f" after {self.delivery.tries} tries" if self.delivery.tries else ""
        return f"waits{tried}" + (f": {self.delivery.error}" if self.delivery.error else "")


def page(catalogue: Catalogue, history: History, now: datetime) -> str:
    """The whole page. May raise JournalError."""
    book = Book(history.store)
    at = book.last_look()
    present = Present(catalogue=catalogue, episodes=history.present(), at=at)
    late = at is not None and now - at >= catalogue.site.alerts.unwatched_after
    script = (TEMPLATES / "page" / "age.js").read_text(encoding="utf-8")
    text: str = (
        environment()
        .get_template("page/status.html.j2")
        .render(
            domain=catalogue.site.domain,
            present=present,
            looked=f"{at:%a %d %b %Y %H:%M:%S} UTC" if at else None,
            looked_at=int(at.timestamp()) if at else 0,
            patience=int(catalogue.site.alerts.unwatched_after.total_seconds()),
            late=duration(now - at) if late and at else None,
            written=f"{now:%a %d %b %Y %H:%M:%S} UTC",
            silence=Alerting(site=catalogue.site, history=history).silence(now),
            picture=draw(present),
            heat=heat(catalogue, history.episodes(since=beginning(now)), now),
            deploys=_deploys(history, now),
            drills=_drills(history, now),
            messages=[Sent(delivery=delivery) for delivery in book.recent(MESSAGES)],
            legend=[(look, SYMBOLS[look], words) for look, words in MEANINGS.items()],
            script=Quoted(script),
            script_hash=Quoted(_hash(script)),
        )
    )
    return text


def _deploys(history: History, now: datetime) -> list[Deploy]:
    runs = [r for r in history.runs(since=now - MONTH) if r.kind in ("deploy", "rollback")]
    return [Deploy(run=run) for run in runs[:DEPLOYS]]


def _drills(history: History, now: datetime) -> list[Timeline]:
    return [timeline(run, drill) for run, drill in history.drills(since=now - MONTH)[:DRILLS]]


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
