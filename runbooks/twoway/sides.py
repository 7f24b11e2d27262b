"""Both sides of a sync: they are asked together, and in what they differ."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nornir.core.task import Task

from inventory.catalogue import Sync
from inventory.errors import Exit
from runbooks.cli import Outcome, Session
from runbooks.lines import tell
from runbooks.remember import Record
from tasks.shell import HostError
from tasks.sync import work


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a verb found of one sync; `told` is the same for machines."""

    sync: str
    ok: bool = True
    told: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {"sync": self.sync, "ok": self.ok, **self.told}


def ask(
    session: Session, one: Sync, *verb: object, hosts: Iterable[str] | None = None
) -> dict[str, Any]:
    """One verb on both sides, or on `hosts`. Raises HostError for the first that fails."""

    def of_host(task: Task) -> Any:
        return work.ask(task, session.catalogue.hosts[task.host.name], one, *verb)

    return done(session.run(of_host, one.hosts if hosts is None else hosts))


def done(outcome: Outcome) -> dict[str, Any]:
    for host, error in outcome.errors.items():
        raise HostError(f"{host}: {error}")
    return dict(outcome.done)


def differences(session: Session, one: Sync) -> list[str]:
    """The paths in which both sides differ."""

    def look(task: Task) -> Any:
        return work.listing(task, session.catalogue.hosts[task.host.name], one)

    trees = done(session.run(look, one.hosts))
    return work.differences(trees[one.hosts[0]], trees[one.hosts[1]])


def say(one: Sync, words: str, *, style: str = "") -> None:
    tell(one.name, words, style=style, columns=len(one.name) + 2)


def conclude(record: Record, verb: str, answers: Iterable[Answer]) -> None:
    """How a run of `verb` ended, in one sentence for the history."""
    broken = [answer.sync for answer in answers if not answer.ok]
    well = [answer.sync for answer in answers if answer.ok]
    words = f"not well: {', '.join(broken)}" if broken else f"well: {', '.join(well)}"
    record.conclude(Exit.FAILED if broken else Exit.OK, f"{verb}: {words}")
