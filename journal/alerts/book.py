"""The one module that writes and reads what alerts remember: notices, messages, silences."""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

from pydantic import TypeAdapter

from inventory.secret import redact
from inventory.watch import Channel
from journal.alerts.channel import wants
from journal.alerts.notice import Kind, Notice
from journal.alerts.words import Message
from journal.store import Store, time_of
from tasks.checks.finding import Status

KEPT = timedelta(days=14)  # a message that nobody took for so long is old news
REMEMBERED = timedelta(days=90)  # that it was told, for the page of its incident


@cache
def _notices() -> TypeAdapter[Notice]:
    return TypeAdapter(Notice)


@dataclass(frozen=True, kw_only=True)
class Silence:
    """Nobody is told anything until then, because an operator said so."""

    until: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One message on its way to one address; `sent` is None while it waits."""

    id: int
    target: str
    message: Message
    tries: int = 0
    error: str = ""
    sent: datetime | None = None


class Book:
    """What alerts remember, in the journal's file. Every method may raise JournalError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def notices(self) -> list[Notice]:
        rows = self._store.read("SELECT document FROM notices ORDER BY rowid")
        return [_notices().validate_json(row["document"]) for row in rows]

    def last_look(self) -> datetime | None:
        rows = self._store.read("SELECT max(at) AS at FROM looks")
        return time_of(rows[0]["at"]) if rows[0]["at"] is not None else None

    def note(
        self,
        at: datetime,
        notices: Iterable[Notice],
        messages: Iterable[Message],
        channels: Sequence[Channel],
    ) -> None:
        """The outcome of a look: what is known now, and what is to be sent to whom."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM looks")
            db.execute("INSERT INTO looks VALUES (?)", (at.timestamp(),))
            db.execute("DELETE FROM notices")
            db.executemany(
                "INSERT INTO notices VALUES (?, ?)",
                [(n.problem.hop, redact(_notices().dump_json(n).decode())) for n in notices],
            )
            for message in messages:
                _post(db, message, [c.url for c in channels if wants(c, message)])
            _forget(db, at, [channel.url for channel in channels])

    def acknowledge(self, hops: Collection[str], operator: str) -> list[str]:
        """End the reminders of these, or of all there are; which those were."""
        with self._store.transaction() as db:
            known = [
                n for n in self.notices() if n.is_there and (not hops or n.problem.hop in hops)
            ]
            for notice in known:
                seen = replace(notice, acknowledged=operator)
                row = (redact(_notices().dump_json(seen).decode()), notice.problem.hop)
                db.execute("UPDATE notices SET document = ? WHERE hop = ?", row)
        return [notice.problem.hop for notice in known]

    def waiting(self) -> list[Delivery]:
        """What has not arrived yet, the oldest first."""
        return self._deliveries("WHERE sent IS NULL ORDER BY id, target")

    def recent(self, limit: int) -> list[Delivery]:
        """The last messages, the newest first."""
        return self._deliveries(f"ORDER BY id DESC, target LIMIT {limit:d}")

    def told_of(self, hop: str, *, since: datetime, until: datetime) -> list[Delivery]:
        """The messages about a hop, and to whom they went; the oldest first."""
        return self._deliveries(
            "WHERE messages.id IN (SELECT message FROM told WHERE hop = ?) "
            "AND messages.at >= ? AND messages.at < ? ORDER BY id, target",
            (hop, since.timestamp(), until.timestamp()),
        )

    def arrived(self, delivery: Delivery, at: datetime) -> None:
        self._tried(delivery, "", at.timestamp())

    def failed(self, delivery: Delivery, error: str) -> None:
        self._tried(delivery, error, None)

    def silence(self, silence: Silence, operator: str, at: datetime) -> None:
        """From `at` on; it takes the place of the one before."""
        row = (at.timestamp(), silence.until.timestamp(), operator, redact(silence.reason))
        with self._store.transaction() as db:
            db.execute("DELETE FROM silences")
            db.execute("INSERT INTO silences VALUES (?, ?, ?, ?)", row)

    def silenced(self, at: datetime) -> Silence | None:
        """The silence that an operator asked for, if it lasts beyond `at`."""
        rows = self._store.read(
            "SELECT * FROM silences WHERE until > ? ORDER BY until DESC", (at.timestamp(),)
        )
        return Silence(until=time_of(rows[0]["until"]), reason=rows[0]["reason"]) if rows else None

    def _tried(self, delivery: Delivery, error: str, sent: float | None) -> None:
        with self._store.transaction() as db:
            db.execute(
                "UPDATE deliveries SET tries = tries + 1, error = ?, sent = ? "
                "WHERE message = ? AND target = ?",
                (redact(error), sent, delivery.id, delivery.target),
            )

    def _deliveries(self, which: str, values: tuple[object, ...] = ()) -> list[Delivery]:
        rows = self._store.read(
            f"SELECT * FROM deliveries JOIN messages ON messages.id = deliveries.message {which}",
            values,
        )
        return [_delivery(row) for row in rows]


def _post(db: sqlite3.Connection, message: Message, targets: Sequence[str]) -> None:
    row = db.execute(
        "INSERT INTO messages (at, kind, status, title, body) VALUES (?, ?, ?, ?, ?)",
        (message.at.timestamp(), message.kind, int(message.status), message.title, message.body),
    )
    db.executemany(
        "INSERT INTO deliveries (message, target) VALUES (?, ?)",
        [(row.lastrowid, target) for target in targets],
    )
    db.executemany("INSERT INTO told VALUES (?, ?)", [(row.lastrowid, hop) for hop in message.hops])


def _forget(db: sqlite3.Connection, at: datetime, targets: Sequence[str]) -> None:
    """What waits for too long, or for an address which is no more, and old messages."""
    db.execute("DELETE FROM messages WHERE at < ?", ((at - REMEMBERED).timestamp(),))
    db.execute(
        "DELETE FROM deliveries WHERE sent IS NULL AND message IN "
        "(SELECT id FROM messages WHERE at < ?)",
        ((at - KEPT).timestamp(),),
    )
    known = ", ".join("?" * len(targets))
    db.execute(
        f"DELETE FROM deliveries WHERE sent IS NULL AND target NOT IN ({known})", tuple(targets)
    )


def _delivery(row: sqlite3.Row) -> Delivery:
    return Delivery(
        id=row["id"],
        target=row["target"],
        tries=row["tries"],
        error=row["error"],
        sent=None if row["sent"] is None else time_of(row["sent"]),
        message=Message(
            at=time_of(row["at"]),
            kind=Kind(row["kind"]),
            status=Status(row["status"]),
            title=row["title"],
            body=row["body"],
        ),
    )
