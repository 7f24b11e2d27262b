"""One transaction over many hosts: stage, barrier, waves of commits, verify, confirm.

Used by every runbook that changes a host. What one host does is tasks/release.py.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from nornir.core.task import Result, Task

from inventory.catalogue import Catalogue, Host
from runbooks.cli import Session
from runbooks.lines import say
from runbooks.transaction.gate import Gate, lines
from tasks import release
from tasks.release import Busy, Run
from tasks.shell import HostError

Stager = Callable[[Task, Run], Result]

APART = 10  # seconds between the times at which the waves revert by themselves
LOCK_PATIENCE = 15.0  # seconds to wait for hosts whose other suitor is about to give up


class RolloutFailed(HostError):
    """The transaction was given up; every host is on the release it had before."""


class NotReverted(HostError):
    """Hosts could not be told to revert; their own timers will."""


@dataclass(kw_only=True)
class Rollout:
    """Drives `run` through `hosts`; `canary` is the first edge, `say` is told each step.

    `gate` has looked before, and judges after each wave; None where nothing that is served
    changes. `promised` is the catalogue that given hosts must serve; the whole one when None.
    `once_staged` is done when every host has accepted its release, and none has changed.
    """

    session: Session
    run: Run
    hosts: Sequence[str]
    canary: str
    say: Callable[[str], None]
    gate: Gate | None = None
    promised: Callable[[Sequence[str]], Catalogue] | None = None
    once_staged: Callable[[], None] | None = None
    committed: list[str] = field(default_factory=list)
    activated: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def execute(self, stage_on: Stager) -> None:
        """The whole transaction. Raises RolloutFailed, or NotReverted, after undoing it."""
        try:
            self.say("staging and validating on every host")
            self._stage(stage_on)
            if self.once_staged:
                self.once_staged()
            for wave in self.waves():
                self.say(f"committing on {' and '.join(wave)}")
                self._commit(wave)
                self.say(f"asking {' and '.join(wave)} from outside")
                self._verify(wave)
            self.say("confirming")
            self._confirm()
            self._tell_outcomes()
        except BaseException as error:
            self._tell_outcomes()
            self.say("going back")
            self._undo()
            if isinstance(error, KeyboardInterrupt):
                say("interrupted: every host is back on the release it had before")
            raise

    def _tell_outcomes(self) -> None:
        """What became of the services, so that the history has it too."""
        for service, told in lines(self.gate.told()) if self.gate else ():
            self.say(f"{service} {told}".strip())

    def waves(self) -> list[list[str]]:
        """Edges one after the other, the canary first; everything else with the last edge."""
        edges = [host.name for host in self.session.catalogue.edges if host.name in self.hosts]
        edges.sort(key=lambda name: name != self.canary)
        others = [name for name in self.hosts if name not in edges]
        waves = [[edge] for edge in edges]
        return [*waves[:-1], [*(waves[-1] if waves else []), *others]]

    def _stage(self, stage_on: Stager) -> None:
        """Every host staged, or none: the barrier."""
        first = min(self.hosts)
        waiting = list(self.hosts)
        give_up = time.monotonic() + LOCK_PATIENCE
        while True:
            outcome = self.session.run(
                lambda task: stage_on(task, self._run(task.host.name)), waiting
            )
            busy = {h: e for h, e in outcome.errors.items() if isinstance(e, Busy)}
            failed = {h: e for h, e in outcome.errors.items() if h not in busy}
            # Of two runs at once, the one that got the first host may wait for the rest.
            if failed or first in busy or (busy and time.monotonic() > give_up):
                raise RolloutFailed(words({**busy, **failed}, "nothing was changed on any host"))
            if not busy:
                break
            waiting = list(busy)
            time.sleep(0.5)

    def _commit(self, wave: Sequence[str]) -> None:
        self.committed += wave
        outcome = self.session.run(lambda task: release.commit(task, *self._of(task)), wave)
        self.activated |= outcome.done
        if outcome.errors:
            raise RolloutFailed(words(outcome.errors, "every host goes back"))

    def _verify(self, wave: Sequence[str]) -> None:
        """From outside: is what this wave's hosts now serve at least as well as before?"""
        if self.gate is None:
            return
        worse = self.gate.judge(wave, self.promised(wave) if self.promised else None)
        if worse:
            raise RolloutFailed("\n".join([*worse, "every host goes back"]))

    def _confirm(self) -> None:
        outcome = self.session.run(lambda task: release.confirm(task, *self._of(task)), self.hosts)
        if outcome.errors:
            end = "every host goes back"
            if outcome.done:
                kept = ", ".join(sorted(outcome.done))
                end = f"confirmed, and kept, on {kept}; the rest goes back: run the same again"
            raise RolloutFailed(words(outcome.errors, end))

    def _undo(self) -> None:
        """Revert what was committed, unlock what was only staged; idempotent on the host.

        In waves, too: the edges are never both at it.
        """
        errors: dict[str, HostError] = {}
        for wave in reversed(self.waves()):
            errors |= self.session.run(self._undo_one, wave).errors
        lost = sorted(set(errors) & set(self.committed))
        if lost:
            window = max(self._run(host).window for host in lost)
            raise NotReverted(
                f"{', '.join(lost)} could not be told to go back and will do so by itself within "
                f"{window} s, unless it was confirmed already (status.py tells):\n"
                f"{words(errors)}"
            )

    def _undo_one(self, task: Task) -> Result:
        undo = release.revert if task.host.name in self.committed else release.unlock
        return undo(task, *self._of(task))

    def _of(self, task: Task) -> tuple[Host, Run]:
        return self.session.catalogue.hosts[task.host.name], self._run(task.host.name)

    def _run(self, host: str) -> Run:
        """The run on one host: later waves wait longer before they revert by themselves."""
        wave = next(n for n, wave in enumerate(self.waves()) if host in wave)
        return replace(self.run, window=self.run.window + APART * wave)


def words(errors: Mapping[str, HostError], end: str = "") -> str:
    """One line for each host's error, and `end`."""
    lines = [f"{host}: {error}" for host, error in sorted(errors.items())]
    return "\n".join([*lines, end] if end else lines)
