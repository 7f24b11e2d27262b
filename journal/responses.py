"""How long services took to answer: the percentiles of each hour, in the journal's file.

Every way that worked counts. The single answers are kept for the hour under way alone, so a
service costs one row an hour.
"""

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from journal.store import Store, time_of
from tasks.checks.finding import Finding, Status

HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class Hour:
    """The answers of one service in the hour from `begin`; times in seconds."""

    service: str
    begin: datetime
    answers: int
    median: float
    p95: float
    slowest: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """The least value that `share` of all are not above (nearest rank)."""
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def note(db: sqlite3.Connection, findings: Iterable[Finding], now: float) -> None:
    """What the ways of a look took; the hour that it lies in is counted anew."""
    taken = [
        (finding.service, now, finding.seconds)
        for finding in findings
        if finding.way and finding.service and finding.seconds
        if finding.status in (Status.OK, Status.WARN)
    ]
    begin = now - now % HOUR
    db.execute("DELETE FROM answers WHERE at < ?", (begin,))
    db.executemany("INSERT INTO answers VALUES (?, ?, ?)", taken)
    for service in sorted({str(service) for service, _, _ in taken}):
        rows = db.execute(
            "SELECT seconds FROM answers WHERE service = ? AND at >= ? AND at < ? ORDER BY seconds",
            (service, begin, begin + HOUR),
        )
        ordered = [float(row["seconds"]) for row in rows]
        db.execute(
            "INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?, ?, ?)",
            (service, begin, len(ordered), percentile(ordered, 0.5), percentile(ordered, 0.95),
             ordered[-1]),
        )  # fmt: skip


def forget(db: sqlite3.Connection, oldest: float) -> None:
    db.execute("DELETE FROM responses WHERE hour < ?", (oldest,))


def hours(store: Store, *, since: datetime) -> dict[str, list[Hour]]:
    """Service -> its hours, the oldest first. May raise JournalError."""
    rows = store.read(
        "SELECT * FROM responses WHERE hour + 3600 > ? ORDER BY service, hour", (since.timestamp(),)
    )
    found: dict[str, list[Hour]] = {}
    for row in rows:
        found.setdefault(row["service"], []).append(
            Hour(
                service=row["service"],
                begin=time_of(row["hour"]),
                answers=row["answers"],
                median=row["median"],
                p95=row["p95"],
                slowest=row["slowest"],
            )
        )
    return found


def latest(store: Store, at: datetime) -> Mapping[str, float]:
    """Service -> the median of what its ways took at the look `at`. May raise JournalError."""
    rows = store.read(
        "SELECT service, seconds FROM answers WHERE at = ? ORDER BY seconds", (at.timestamp(),)
    )
    taken: dict[str, list[float]] = {}
    for row in rows:
        taken.setdefault(row["service"], []).append(row["seconds"])
    return {service: percentile(seconds, 0.5) for service, seconds in taken.items()}
