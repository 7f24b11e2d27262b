"""Notice: what is known of one problem over time, and when people are told. All pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from inventory.watch import Alerts
from journal.alerts.problem import Look, Problem
from tasks.checks.finding import Status


class Kind(StrEnum):
    """What a message says of a problem. In the order in which they are told."""

    UNWATCHED = "nobody watched"
    NEW = "new"
    WORSE = "worse"
    FLAPPING = "comes and goes"
    STILL = "still"
    STEADY = "steady"
    BETTER = "better"
    RECOVERED = "recovered"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One hop's problem, as it was last seen, since when, and what people know of it.

    `looks` in a row have seen it; 0 when the last one found it `gone`. `told` is the
    status that people know, None when they know of nothing (or of its end). `changes` are
    the times within the window at which it came or went. `acknowledged` is who knows of it
    and wants no reminder.
    """

    problem: Problem
    since: datetime
    looks: int = 0
    gone: datetime | None = None
    told: Status | None = None
    told_at: datetime | None = None
    reminders: int = 0
    changes: tuple[datetime, ...] = ()
    flapping: bool = False
    acknowledged: str = ""

    @property
    def is_there(self) -> bool:
        return self.looks > 0

    @property
    def is_over(self) -> bool:
        """Nothing is left to remember."""
        return not (self.is_there or self.told or self.changes or self.flapping)

    def present(self, problem: Problem, at: datetime, *, watched: bool) -> "Notice":
        """Seen at `at`; where nobody `watched` since the last look, it counts anew."""
        if not self.is_there:
            back = replace(self, since=at, gone=None, changes=(*self.changes, at))
            return replace(back, problem=problem, looks=1)
        if not watched and self.told is None:
            return replace(self, problem=problem, since=at, looks=1)
        return replace(self, problem=problem, looks=self.looks + 1)

    def absent(self, at: datetime) -> "Notice":
        if not self.is_there:
            return self
        return replace(self, looks=0, gone=at, changes=(*self.changes, at), acknowledged="")

    def forgetting(self, rules: Alerts, at: datetime) -> "Notice":
        """Without the changes that have left the window."""
        kept = tuple(change for change in self.changes if at - change < rules.flap_window)
        return replace(self, changes=kept)

    def due(self, rules: Alerts, at: datetime) -> Kind | None:
        """What there is to tell now."""
        if self.flapping:
            return None if self.changes else Kind.STEADY
        if len(self.changes) >= rules.flaps:
            return Kind.FLAPPING
        if not self.is_there:
            return Kind.RECOVERED if self.told else None
        if self.told is None:
            return Kind.NEW if self.looks >= rules.looks else None
        if self.told.is_broken != self.problem.status.is_broken:
            return Kind.BETTER if self.told.is_broken else Kind.WORSE
        return Kind.STILL if self._is_overdue(rules, at) else None

    def _is_overdue(self, rules: Alerts, at: datetime) -> bool:
        if self.acknowledged:
            return False
        assert self.told_at is not None, "who was told was told at a time"
        return at - self.told_at >= rules.still_after * (1 << self.reminders)

    def after(self, kind: Kind, at: datetime) -> "Notice":
        """Once that was told."""
        return replace(
            self,
            told=self.problem.status if self.is_there or kind is Kind.FLAPPING else None,
            told_at=at,
            reminders=self.reminders + 1 if kind is Kind.STILL else 0,
            flapping=kind is Kind.FLAPPING,
            acknowledged="" if kind is Kind.WORSE else self.acknowledged,
        )


@dataclass(frozen=True, kw_only=True)
class News:
    """Something to tell: of which notice, and what."""

    kind: Kind
    notice: Notice


def follow_up(
    notices: Sequence[Notice],
    look: Look,
    at: datetime,
    rules: Alerts,
    *,
    quiet: bool,
    watched: bool,
) -> tuple[list[Notice], list[News]]:
    """The notices after a look, and what people are told of them.

    While it is `quiet` nothing is told, and nothing counts as coming and going; what is
    then still so is told at the first look after. Where nobody `watched` since the last
    look, a problem of which nobody was told counts as new.
    """
    known = {notice.problem.hop: notice for notice in notices}
    for problem in look.problems.values():
        known.setdefault(problem.hop, Notice(problem=problem, since=at))
    after, news = [], []
    for notice in known.values():
        now = _seen(notice, look, at, watched=watched)
        now = replace(now, changes=notice.changes) if quiet else now
        now = now.forgetting(rules, at)
        hidden = now.is_there and notice.problem.hop not in look.problems
        kind = None if quiet or hidden else now.due(rules, at)
        if kind:
            news.append(News(kind=kind, notice=now))
            now = now.after(kind, at)
        if not now.is_over:
            after.append(now)
    order = list(Kind)
    return after, sorted(news, key=lambda n: (order.index(n.kind), -n.notice.problem.status))


def _seen(notice: Notice, look: Look, at: datetime, *, watched: bool) -> Notice:
    problem = look.problems.get(notice.problem.hop)
    if problem:
        return notice.present(problem, at, watched=watched)
    return notice if look.hides(notice.problem) else notice.absent(at)
