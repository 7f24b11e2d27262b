"""One drill from the first request to the proof: load, fault, restore, whatever happens.

The one module that knows the wall clock of a drill.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from nornir.core.task import Result, Task

from inventory.catalogue import Host
from runbooks.cli import Outcome, Session
from runbooks.drill.ready import Plan
from tasks.drill import restore
from tasks.drill.ledger import Moments, Row
from tasks.drill.load import Load
from tasks.drill.result import DrillResult, conclude
from tasks.shell import HostError

STEADY = 3.0  # seconds of load before the fault: what normal looks like
TAIL = 3.0  # seconds of load after the primary is back: a flap shows in them
GIVE_UP = 2  # times the budget: a fallback that has not answered by then will not
LOOK_EVERY = 0.1  # seconds between two looks at the ledger
SLACK = 15.0  # seconds that a host's own restore may take after its timer fired


@dataclass(kw_only=True)
class Rehearsal:
    """Performs `plan` once; `say` is told each event."""

    session: Session
    plan: Plan
    say: Callable[[str], None]
    _affected: set[str] = field(default_factory=set)
    _ending: restore.Ending = restore.Ending.UNDONE

    @property
    def host(self) -> Host:
        return self.session.catalogue.hosts[self.plan.fault.host]

    @property
    def _load(self) -> Load:
        return self.plan.load

    def perform(self) -> DrillResult:
        """The whole drill. Raises DrillRefused, and NotUndone after everything was tried."""
        began = datetime.now(UTC)
        self._load.start()
        try:
            time.sleep(STEADY)
            self._refuse_unsteady()
            fault_at, restored_at = self._break_and_restore()
            self._watch_return(restored_at)
        finally:
            rows = self._load.stop()
        moments = Moments(fault=fault_at, restore=restored_at, end=self._load.now)
        return conclude(
            self.plan.service,
            self.plan.fault,
            rows,
            moments,
            rate=self._load.question.rate,
            began=began,
            unseen=self.plan.unseen,
            spoiled=self._ending.value,
            sockets=self._load.sockets,
        )

    def _refuse_unsteady(self) -> None:
        self._affected = self._served_by_broken()
        lost = [row for row in self._load.rows if row.lost]
        if lost or not self._load.rows:
            why = ", ".join(sorted({f"{row.error} from {row.vantage}" for row in lost}))
            raise restore.DrillRefused(
                f"{len(lost)} of {len(self._load.rows)} requests were lost before any fault "
                f"({why or 'none was sent'}); nothing was broken"
            )

    def _break_and_restore(self) -> tuple[float, float]:
        """Moments of the fault and of its end."""
        try:
            fault_at = self._load.now
            self.say(f"breaking: {self.plan.fault.words}")
            self._on_host(
                lambda task: restore.inject(task, self.host, self.plan.run, self.plan.fault)
            )
            self._hold(self._load.now)  # a stop may take its time, and go on to serve
        except restore.DrillRefused:
            raise
        except BaseException:
            with uninterrupted():
                self._restore()
            raise
        with uninterrupted():
            self._restore()
        return fault_at, self._load.now

    def _hold(self, since: float) -> None:
        """Until the time is up, or it is plain that nobody takes over."""
        patience = GIVE_UP * (self.plan.service.limits.failover or self.plan.hold)
        taken_over = False
        while (lasted := self._load.now - since) < self.plan.hold:
            if not taken_over and self._answers(since, broken=False):
                taken_over = True
                self.say(f"the fallback answers, {lasted:.1f} s after the fault was made")
            if self._affected and not taken_over and lasted > patience:
                self.say(f"no fallback within {patience:.0f} s: giving up early")
                return
            time.sleep(LOOK_EVERY)

    def _restore(self) -> None:
        """Undo the fault now; while the host cannot be reached, its own timer does."""
        deadline = time.monotonic() + self.plan.run.window + SLACK
        while True:
            try:
                self._ending = self._on_host(
                    lambda task: restore.restore(task, self.host, self.plan.run)
                )
                self.say(self._ending.value or "restored")
                return
            except HostError as error:
                if time.monotonic() > deadline:
                    raise restore.NotUndone(self.host, self.plan.fault, str(error)) from error
                self.say(f"{error}; trying again, and its own timer is armed")
                time.sleep(1)

    def _watch_return(self, since: float) -> None:
        patience = GIVE_UP * (self.plan.service.limits.failback or self.plan.hold)
        while (lasted := self._load.now - since) < patience:
            if not self._affected:
                break
            if self._answers(since, broken=True):
                self.say(f"the primary answers again, {lasted:.1f} s after the restore")
                break
            time.sleep(LOOK_EVERY)
        time.sleep(TAIL)

    def _served_by_broken(self) -> set[str]:
        """Vantages that only the host that is about to break serves now."""
        signed = [row for row in list(self._load.rows) if row.served_by]
        spared = {
            row.vantage
            for row in signed
            if row.served_by not in self.plan.fault.broken_for(row.vantage)
        }
        return {row.vantage for row in signed} - spared

    def _answers(self, since: float, *, broken: bool) -> bool:
        """Has every affected vantage since heard from the broken host, or from another?"""
        heard = {row.vantage for row in self._recent(since) if self._is_from(row, broken)}
        return bool(self._affected) and self._affected <= heard

    def _recent(self, since: float) -> Iterator[Row]:
        for row in reversed(list(self._load.rows)):
            if row.done < since:
                break
            if row.due >= since and not row.lost and row.served_by:
                yield row

    def _is_from(self, row: Row, broken: bool) -> bool:
        return (row.served_by in self.plan.fault.broken_for(row.vantage)) == broken

    def _on_host(self, work: Callable[[Task], Result]) -> Any:
        outcome: Outcome = self.session.run(work, [self.plan.fault.host])
        for error in outcome.errors.values():
            raise error
        return outcome.done[self.plan.fault.host]


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait: a restore is under way, and it has an end."""
    pending: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        pending.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if pending:
        raise KeyboardInterrupt
