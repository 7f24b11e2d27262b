"""`status`: how each direction of a sync goes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nornir.core.task import Task
from rich.table import Table

from inventory.catalogue import Sync
from runbooks.cli import Session, out, tell
from runbooks.twoway.sides import Answer, done
from tasks.checks import host as watches
from tasks.checks.finding import Finding, Status
from tasks.checks.sync import records, records_question
from tasks.observe import Observation, Question, observe
from tasks.sync.state import State, Transfer, parse, queues

LSYNCD = Question(name="lsyncd", words=("cat", "/run/lsyncd.status"))
UNIT = Question(name="unit", words=("systemctl", "is-active", "lsyncd"))


@dataclass(frozen=True, kw_only=True)
class Direction:
    """What goes from `here` to `there`; `last` is the last transfer that did."""

    here: str
    there: str
    lsyncd: str
    last: Transfer | None
    queue: int
    state: State
    watches: Finding

    @property
    def error(self) -> str:
        return self.state.error or self.state.after_error

    @property
    def ok(self) -> bool:
        return self.lsyncd == "active" and not self.state.failures and not self.error

    def row(self) -> tuple[str, ...]:
        since, last = self.state.failing_since, self.last
        return (
            f"{self.here} -> {self.there}",
            self.lsyncd,
            f"{datetime.fromtimestamp(last.at, UTC):%d %b %H:%M}" if last else "none yet",
            f"{time.time() - since:.0f} s" if since else "none",
            str(self.queue),
            self.error or "none",
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
            "conflicts": self.state.conflicts,
            "watches": self.watches.seen,
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

    seen: dict[str, Observation] = done(session.run(look, one.hosts))
    states = {host: parse(told.reply(records(one)).text) for host, told in seen.items()}
    runner = states[one.runner]
    return [
        Direction(
            here=host,
            there=one.peer_of(host),
            lsyncd=told.reply(UNIT.name).text,
            last=runner.to_peer if host == one.runner else runner.to_here,
            queue=queues(told.reply(LSYNCD.name).text).get(one.directory, 0),
            state=states[host],
            watches=watches.judge_watches(host, told.reply(watches.WATCHES)),
        )
        for host, told in seen.items()
    ]


def _show(standing: Mapping[str, Sequence[Direction]]) -> None:
    table = Table("sync", "direction", "lsyncd", "last transfer", "lag", "queue", "errors",
                  "conflicts", box=None, padding=(0, 1, 0, 0))  # fmt: skip
    scarce: dict[str, Finding] = {}
    for name, ways in standing.items():
        for way in ways:
            table.add_row(name, *way.row())
            if way.watches.status is Status.WARN:
                scarce[way.here] = way.watches
    out.print(table)
    for host, finding in scarce.items():
        tell(host, f"inotify watches: {finding.seen}; {finding.todo}", style="yellow")
