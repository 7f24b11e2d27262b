"""The nouns of the journal: Run, Step, Episode, DrillEntry."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tasks.checks.finding import Status


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a runbook. `seconds` and `status` are None until it ended.

    A run that was killed never ended. `status` is its exit status.
    """

    id: str
    kind: str
    began: datetime
    operator: str
    commit: str
    asked: str
    seconds: float | None = None
    status: int | None = None
    words: str = ""

    @property
    def ended(self) -> datetime | None:
        return None if self.seconds is None else self.began + timedelta(seconds=self.seconds)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that a run did."""

    at: datetime
    words: str


@dataclass(frozen=True, kw_only=True)
class Episode:
    """A stretch of time in which every look found one part in the same state.

    It ends with the look that saw another state; where nobody looked for longer than
    GAP, it ended with the last look, and the time after it is unknown.
    """

    check: str
    subject: str
    vantage: str
    service: str | None
    host: str | None
    hop: str
    status: Status
    since: datetime
    until: datetime
    seen: str
    expected: str
    cause: str | None
    todo: str
    way: bool = False

    @property
    def part(self) -> tuple[str, str, str]:
        """What it is about: one part, seen from one side."""
        return self.check, self.subject, self.vantage

    def within(self, begin: datetime, end: datetime) -> float:
        """Seconds of it that lie between two moments."""
        return max((min(self.until, end) - max(self.since, begin)).total_seconds(), 0.0)


@dataclass(frozen=True, kw_only=True)
class DrillEntry:
    """One drill that was judged. `document` is DrillResult.as_json()."""

    run: str
    service: str
    fault: str
    host: str
    kept: bool
    document: Mapping[str, Any]
