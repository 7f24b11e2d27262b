"""The one module that writes and reads the history: runs, their steps, episodes, drills."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from inventory.secret import redact
from journal import responses
from journal.entries import DrillEntry, Episode, Run, Step
from journal.store import Store, time_of
from tasks.checks.finding import Finding, Status

GAP = timedelta(minutes=20)  # longer without a look (four of the schedule's): nobody knows
KEPT = timedelta(days=90)  # as long as the longest question that report.py answers


class History:
    """The journal at `path`. Every method may raise JournalError, and has then done nothing.

    The caller says when: no method looks at a clock.
    """

    def __init__(self, path: Path, *, gap: timedelta = GAP, kept: timedelta = KEPT) -> None:
        self.store = Store(path)
        self.gap, self.kept = gap, kept
        self._gap = gap.total_seconds()
        self._kept = kept.total_seconds()

    def close(self) -> None:
        self.store.close()

    def begin(self, run: Run) -> None:
        """Note that `run` has begun, and forget what is older than the retention."""
        oldest = run.began.timestamp() - self._kept
        with self.store.transaction() as db:
            db.execute("DELETE FROM runs WHERE began < ?", (oldest,))
            db.execute("DELETE FROM episodes WHERE until < ?", (oldest,))
            responses.forget(db, oldest)
            db.execute(
                "INSERT INTO runs (id, kind, began, operator, commit_id, asked, words) "
                "VALUES (?, ?, ?, ?, ?, ?, '')",
                (run.id, run.kind, run.began.timestamp(), run.operator, run.commit,
                 redact(run.asked)),
            )  # fmt: skip

    def end(
        self, run: str, *, at: datetime, status: int, words: str, steps: Iterable[Step]
    ) -> None:
        """Note how `run` ended, and what it did on the way."""
        with self.store.transaction() as db:
            db.execute(
                "UPDATE runs SET seconds = ? - began, status = ?, words = ? WHERE id = ?",
                (at.timestamp(), status, redact(words), run),
            )
            db.executemany(
                "INSERT INTO steps (run, at, words) VALUES (?, ?, ?)",
                [(run, step.at.timestamp(), redact(step.words)) for step in steps],
            )

    def look(self, findings: Sequence[Finding], at: datetime) -> None:
        """Note what was found at `at`: each finding goes on with its episode or begins one.

        What is not deployed yet is no part of the edge so far.
        """
        now = at.timestamp()
        with self.store.transaction() as db:
            for finding in findings:
                if finding.status is not Status.UNDEPLOYED:
                    _note(db, finding, now, self._gap)
            responses.note(db, findings, now)

    def forget(self, run: str) -> None:
        """As if `run` had never begun."""
        with self.store.transaction() as db:
            db.execute("DELETE FROM runs WHERE id = ?", (run,))

    def drilled(self, drill: DrillEntry) -> None:
        """Note a drill of a run that has begun."""
        with self.store.transaction() as db:
            db.execute(
                "INSERT INTO drills (run, service, fault, host, kept, document) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (drill.run, drill.service, drill.fault, drill.host, drill.kept,
                 redact(json.dumps(drill.document))),
            )  # fmt: skip

    def runs(self, *, since: datetime, kind: str | None = None) -> list[Run]:
        """The newest first."""
        rows = self.store.read(
            "SELECT * FROM runs WHERE began >= ? AND ? IN (kind, '') ORDER BY began DESC",
            (since.timestamp(), kind or ""),
        )
        return [_run(row) for row in rows]

    def steps(self, run: str) -> list[Step]:
        rows = self.store.read("SELECT * FROM steps WHERE run = ? ORDER BY rowid", (run,))
        return [Step(at=time_of(row["at"]), words=row["words"]) for row in rows]

    def episodes(self, *, since: datetime) -> list[Episode]:
        """Everything that lasted into the time after `since`, by its beginning."""
        rows = self.store.read(
            "SELECT * FROM episodes WHERE until >= ? ORDER BY since, id", (since.timestamp(),)
        )
        return [_episode(row) for row in rows]

    def present(self) -> list[Episode]:
        """The last known state of every part."""
        rows = self.store.read(
            'SELECT *, max(id) FROM episodes GROUP BY "check", subject, vantage ORDER BY id'
        )
        return [_episode(row) for row in rows]

    def drills(self, *, since: datetime) -> list[tuple[Run, DrillEntry]]:
        """The newest first, each with its run."""
        rows = self.store.read(
            "SELECT * FROM drills JOIN runs ON runs.id = drills.run WHERE began >= ? "
            "ORDER BY began DESC, drills.rowid DESC",
            (since.timestamp(),),
        )
        return [(_run(row), _drill(row)) for row in rows]


def _note(db: sqlite3.Connection, finding: Finding, now: float, gap: float) -> None:
    last = db.execute(
        'SELECT id, status, until FROM episodes WHERE "check" = ? AND subject = ? AND vantage = ? '
        "ORDER BY id DESC LIMIT 1",
        (finding.check, finding.subject, finding.vantage),
    ).fetchone()
    watched = last is not None and now - last["until"] <= gap
    if watched and last["status"] == finding.status:
        db.execute(
            "UPDATE episodes SET until = max(until, ?), seen = ?, expected = ?, cause = ?, "
            "todo = ?, hop = ? WHERE id = ?",
            (now, redact(finding.seen), finding.expected, finding.cause, finding.todo,
             finding.hop, last["id"]),
        )  # fmt: skip
        return
    if watched:
        db.execute("UPDATE episodes SET until = max(until, ?) WHERE id = ?", (now, last["id"]))
    db.execute(
        'INSERT INTO episodes ("check", subject, vantage, service, host, hop, status, since, '
        "until, seen, expected, cause, todo, way) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (finding.check, finding.subject, finding.vantage, finding.service, finding.host,
         finding.hop, int(finding.status), now, now, redact(finding.seen), finding.expected,
         finding.cause, finding.todo, finding.way),
    )  # fmt: skip


def _run(row: sqlite3.Row) -> Run:
    return Run(
        id=row["id"],
        kind=row["kind"],
        began=time_of(row["began"]),
        seconds=row["seconds"],
        status=row["status"],
        operator=row["operator"],
        commit=row["commit_id"],
        asked=row["asked"],
        words=row["words"],
    )


def _episode(row: sqlite3.Row) -> Episode:
    names = ("check", "subject", "vantage", "service", "host", "hop", "seen", "expected", "cause")
    return Episode(
        **{name: row[name] for name in names},
        todo=row["todo"],
        way=bool(row["way"]),
        status=Status(row["status"]),
        since=time_of(row["since"]),
        until=time_of(row["until"]),
    )


def _drill(row: sqlite3.Row) -> DrillEntry:
    return DrillEntry(
        run=row["run"],
        service=row["service"],
        fault=row["fault"],
        host=row["host"],
        kept=bool(row["kept"]),
        document=json.loads(row["document"]),
    )
