"""`status`: how each direction of a sync goes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nornir.core.task import Task
from rich.table import Table

from inventory.catalogue import Sync
from runbooks.cli import Session
from runbooks.lines import tell, tell_table
from runbooks.twoway.sides import Answer
from tasks.checks import host as watches
from tasks.checks.finding import Finding, Status
from tasks.checks.sync import records, records_question
from tasks.observe import Observation, Question, observe
from tasks.sync.state import State, Transfer, parse, queues

LSYNCD = Question(name="lsyncd", words=("cat", "/run/lsyncd.status"))
UNIT = Question(name="unit", words=("systemctl", "is-active", "lsyncd"))

COLUMNS = ("sync", "direction", "lsyncd", "last transfer", "lag", "queue", "errors", "conflicts")


@dataclass(frozen=True, kw_only=True)
class Direction:
    """What goes from `here` to `there`, as `here` tells it unless it was `lost`.

    `last` is the last transfer that did; only the runner knows of one.
    """

    here: str
    there: str
    last: Transfer | None
    state: State
    lost: str
    lsyncd: str = "unknown"
    queue: int | None = None
    watches: Finding | None = None

    @property
    def error(self) -> str:
        refused = "; ".join(self.state.refused)
        return self.lost or self.state.error or self.state.after_error or refused

    @property
    def ok(self) -> bool:
        return self.lsyncd == "active" and not self.state.failures and not self.error

    def row(self) -> tuple[str, ...]:
        last, since = self.last, self.state.failing_since
        when = f"{datetime.fromtimestamp(last.at, UTC):%d %b %H:%M}" if last else "none known"
        if self.lost:
            return (f"{self.here} -> {self.there}", self.lsyncd, when)
        return (
            f"{self.here} -> {self.there}",
            self.lsyncd,
            when,
            f"{time.time() - since:.0f} s" if since else "none",
            str(self.queue),
            "below" if self.error else "none",
            str(self.state.conflicts),
        )

    def as_json(self) -> dict[str, Any]:
        last = self.last
        return {
            "from": self.here,
            "to": self.there,
            "lsyncd": self.lsyncd,
            "last": last
            and {"at": _iso(last.at), "seconds": last.milliseconds / 1000, "items": last.items},
            "failing_since": self.state.failing_since and _iso(self.state.failing_since),
            "queue": self.queue,
            "error": self.error or None,
            "conflicts": None if self.lost else self.state.conflicts,
            "skipped": list(self.state.skipped),
            "watches": self.watches and self.watches.seen,
        }


def _iso(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def status(session: Session, chosen: Sequence[Sync]) -> list[Answer]:
    standing = {one.name: _directions(session, one) for one in chosen}
    _show(standing)
    return [
        Answer(
            sync=name,
            ok=all(way.ok for way in ways),
            told={"directions": [way.as_json() for way in ways]},
        )
        for name, ways in standing.items()
    ]


def _directions(session: Session, one: Sync) -> list[Direction]:
    def look(task: Task) -> Any:
        host = session.catalogue.hosts[task.host.name]
        asked = [LSYNCD, UNIT, watches.WATCHES_QUESTION, records_question(host, one)]
        return observe(task, host, [], asked, limit=5)

    outcome = session.run(look, one.hosts)
    states = {h: parse(told.reply(records(one)).text) for h, told in outcome.done.items()}
    runner = states.get(one.runner, State())
    lasts = {one.runner: runner.to_peer, one.peer_of(one.runner): runner.to_here}
    return [
        Direction(
            here=host,
            there=one.peer_of(host),
            last=lasts[host],
            state=states.get(host, State()),
            lost=str(outcome.errors.get(host, "")),
            **_of_lsyncd(host, one, outcome.done.get(host)),
        )
        for host in one.hosts
    ]


def _of_lsyncd(host: str, one: Sync, told: Observation | None) -> dict[str, Any]:
    if told is None:
        return {}
    return {
        "lsyncd": told.reply(UNIT.name).text,
        "queue": queues(told.reply(LSYNCD.name).text).get(one.directory, 0),
        "watches": watches.judge_watches(host, told.reply(watches.WATCHES)),
    }


def _show(standing: Mapping[str, Sequence[Direction]]) -> None:
    table = Table(*COLUMNS, box=None, padding=(0, 1, 0, 0))
    notes: dict[tuple[str, str], str] = {}  # host and words -> style; once for all syncs
    for name, ways in standing.items():
        for way in ways:
            table.add_row(name, *way.row())
            for skipped in way.state.skipped:
                host, _, rest = skipped.partition(" ")
                notes[host, f"{name}: cannot travel: {rest}"] = "yellow"
            if way.error:
                notes[way.here, way.lost or f"{name}: {way.error}"] = "red"
            if way.watches and way.watches.status is Status.WARN:
                words = f"inotify watches: {way.watches.seen}; {way.watches.todo}"
                notes[way.here, words] = "yellow"
    tell_table(table)
    for (host, words), style in notes.items():
        tell(host, words, style=style)
