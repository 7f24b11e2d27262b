"""One transaction over many hosts: stage, barrier, waves of commits, verify, confirm.

Used by every runbook that changes a host. What one host does is tasks/release.py.
"""

import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from nornir.core.task import Result, Task

from inventory.catalogue import Catalogue, Host
from runbooks.cli import Session, out
from tasks import probe, release
from tasks.checks import caddy, dns, service
from tasks.checks.finding import Finding, Status
from tasks.release import Busy, Run
from tasks.shell import HostError

Stager = Callable[[Task, Run], Result]

APART = 10  # seconds between the times at which the waves revert by themselves
LOCK_PATIENCE = 15.0  # seconds to wait for hosts whose other suitor is about to give up
SETTLE = 15.0  # seconds that a new config may take until every route answers


class RolloutFailed(HostError):
    """The transaction was given up; every host is on the release it had before."""


class NotReverted(HostError):
    """Hosts could not be told to revert; their own timers will."""


@dataclass(kw_only=True)
class Rollout:
    """Drives `run` through `hosts`; `canary` is the first edge, `say` is told each step.

    `promised` is the catalogue that given hosts must serve; the whole one when None.
    `once_staged` is done when every host has accepted its release, and none has changed.
    """

    session: Session
    run: Run
    hosts: Sequence[str]
    canary: str
    say: Callable[[str], None]
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
        except BaseException as error:
            self.say("going back")
            self._undo()
            if isinstance(error, KeyboardInterrupt):
                out.print("interrupted: every host is back on the release it had before")
            raise

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
        """From outside: what this wave's hosts now serve, until it is right or time is up."""
        catalogue = self.promised(wave) if self.promised else self.session.catalogue
        deadline = time.monotonic() + SETTLE
        while broken := broken_hops(catalogue, wave):
            if time.monotonic() > deadline:
                seen = "\n".join(str(finding) for finding in broken)
                raise RolloutFailed(f"{seen}\nevery host goes back")
            time.sleep(0.3)

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


def broken_hops(catalogue: Catalogue, hosts: Iterable[str]) -> list[Finding]:
    """What `hosts` serve wrongly although what lies behind them is healthy."""
    here = socket.gethostname()
    edges = [edge for edge in catalogue.edges if edge.name in hosts]
    resolvers = [host for host in catalogue.resolvers if host.name in hosts]
    routes = [(edge, s) for edge in edges for s in catalogue.web_services]
    answers = catalogue.answers
    with ThreadPoolExecutor(max_workers=16) as pool:
        through = pool.map(
            lambda r: caddy.check_route(r[0], r[1], vantage=here, tls=probe.blind_tls()), routes
        )
        names = pool.map(
            lambda q: dns.check_record(q[0], q[1], answers[q[1]], vantage=here),
            [(resolver, name) for resolver in resolvers for name in answers],
        )
        wrong = [
            (asked, finding)
            for (_, asked), finding in zip(routes, through, strict=True)
            if finding.status is Status.FAILED
        ]
        placements = [(asked, host) for asked, _ in wrong for host in asked.placements]
        direct = pool.map(
            lambda p: service.check_placement(catalogue, p[0], p[1], vantage=here), placements
        )
        healthy = {
            asked.name
            for (asked, _), finding in zip(placements, direct, strict=True)
            if finding.status is Status.OK
        }
        found = [finding for asked, finding in wrong if asked.name in healthy]
        return [*found, *(finding for finding in names if finding.status is Status.FAILED)]


def words(errors: Mapping[str, HostError], end: str = "") -> str:
    """One line for each host's error, and `end`."""
    lines = [f"{host}: {error}" for host, error in sorted(errors.items())]
    return "\n".join([*lines, end] if end else lines)
