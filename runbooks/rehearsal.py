"""One drill from the first request to the proof: load, fault, restore, whatever happens.

The one module that knows the wall clock of a drill.
"""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import FrameType

from nornir.core.task import Result, Task

from inventory.catalogue import Host, Service
from runbooks.cli import Outcome, Session
from tasks.drill import restore
from tasks.drill.faults import Fault
from tasks.drill.ledger import Moments, Row
from tasks.drill.load import Load
from tasks.drill.result import DrillResult, conclude
from tasks.release import Run
from tasks.shell import HostError

STEADY = 3.0  # seconds of load before the fault: what normal looks like
TAIL = 3.0  # seconds of load after the primary is back: a flap shows in them
GIVE_UP = 2  # times the budget: a fallback that has not answered by then will not
LOOK_EVERY = 0.1  # seconds between two looks at the ledger
SLACK = 15.0  # seconds that a host's own restore may take after its timer fired


@dataclass(kw_only=True)
class Rehearsal:
    """`hold` is how long the fault lasts, in seconds; `run.window` when it ends by itself."""

    session: Session
    service: Service
    fault: Fault
    run: Run
    load: Load
    hold: float
    unseen: Mapping[str, str]
    say: Callable[[str], None]
    _affected: set[str] = field(default_factory=set)

    @property
    def host(self) -> Host:
        return self.session.catalogue.hosts[self.fault.host]

    def perform(self) -> DrillResult:
        """The whole drill. Raises DrillRefused, and NotUndone after everything was tried."""
        began = datetime.now(UTC)
        self.load.start()
        try:
            time.sleep(STEADY)
            self._refuse_unsteady()
            fault_at, restored_at = self._break_and_restore()
            self._watch_return(restored_at)
        finally:
            rows = self.load.stop()
        moments = Moments(fault=fault_at, restore=restored_at, end=self.load.now)
        return conclude(
            self.service,
            self.fault,
            rows,
            moments,
            rate=self.load.question.rate,
            began=began,
            unseen=self.unseen,
        )

    def _refuse_unsteady(self) -> None:
        self._affected = self._served_by_broken()
        lost = [row for row in self.load.rows if row.lost]
        if lost or not self.load.rows:
            why = ", ".join(sorted({f"{row.error} from {row.vantage}" for row in lost}))
            raise restore.DrillRefused(
                f"{len(lost)} of {len(self.load.rows)} requests were lost before any fault "
                f"({why or 'none was sent'}); nothing was broken"
            )

    def _break_and_restore(self) -> tuple[float, float]:
        """Moments of the fault and of its end."""
        try:
            fault_at = self.load.now
            self.say(f"breaking: {self.fault.words}")
            self._on_host(lambda task: restore.inject(task, self.host, self.run, self.fault))
            self._hold(fault_at)
        except restore.DrillRefused:
            raise
        except BaseException:
            with uninterrupted():
                self._restore()
            raise
        with uninterrupted():
            self._restore()
        return fault_at, self.load.now

    def _hold(self, since: float) -> None:
        """Until the time is up, or it is plain that nobody takes over."""
        patience = GIVE_UP * (self.service.limits.failover or self.hold)
        taken_over = False
        while (lasted := self.load.now - since) < self.hold:
            if not taken_over and self._answers(since, broken=False):
                taken_over = True
                self.say(f"the fallback answers, {lasted:.1f} s after the fault")
            if self._affected and not taken_over and lasted > patience:
                self.say(f"no fallback within {patience:.0f} s: giving up early")
                return
            time.sleep(LOOK_EVERY)

    def _restore(self) -> None:
        """Undo the fault now; while the host cannot be reached, its own timer does."""
        deadline = time.monotonic() + self.run.window + SLACK
        while True:
            try:
                self._on_host(lambda task: restore.restore(task, self.host, self.run))
                self.say("restored")
                return
            except HostError as error:
                if time.monotonic() > deadline:
                    raise restore.NotUndone(self.host, self.fault, str(error)) from error
                self.say(f"{error}; trying again, and its own timer is armed")
                time.sleep(1)

    def _watch_return(self, since: float) -> None:
        patience = GIVE_UP * (self.service.limits.failback or self.hold)
        while (lasted := self.load.now - since) < patience:
            if not self._affected:
                break
            if self._answers(since, broken=True):
                self.say(f"the primary answers again, {lasted:.1f} s after the restore")
                break
            time.sleep(LOOK_EVERY)
        time.sleep(TAIL)

    def _served_by_broken(self) -> set[str]:
        """Vantages that only the host that is about to break serves now."""
        signed = [row for row in list(self.load.rows) if row.served_by]
        spared = {
            row.vantage for row in signed if row.served_by not in self.fault.broken_for(row.vantage)
        }
        return {row.vantage for row in signed} - spared

    def _answers(self, since: float, *, broken: bool) -> bool:
        """Has every affected vantage since heard from the broken host, or from another?"""
        heard = {row.vantage for row in self._recent(since) if self._is_from(row, broken)}
        return bool(self._affected) and self._affected <= heard

    def _recent(self, since: float) -> Iterator[Row]:
        for row in reversed(list(self.load.rows)):
            if row.done < since:
                break
            if row.due >= since and not row.lost and row.served_by:
                yield row

    def _is_from(self, row: Row, broken: bool) -> bool:
        return (row.served_by in self.fault.broken_for(row.vantage)) == broken

    def _on_host(self, work: Callable[[Task], Result]) -> None:
        outcome: Outcome = self.session.run(work, [self.fault.host])
        for error in outcome.errors.values():
            raise error


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
