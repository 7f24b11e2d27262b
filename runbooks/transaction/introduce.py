"""Introducing hosts to each other: part of a deploy, before its first commit.

Who is let in no more is told so at the end: what a host ran before still works if the
deploy is given up. A rollback takes back what the earlier release has no program for.
"""

from collections.abc import Mapping, Sequence

from nornir.core.task import Result, Task

from inventory.catalogue import Host
from runbooks.cli import Outcome, Session
from runbooks.lines import tell
from runbooks.transaction import begin
from runbooks.transaction.rollout import words
from tasks.keys import Found, Lines, Purpose
from tasks.live import HostState
from tasks.look.keys import LOOK
from tasks.shell import HostError
from tasks.sync.keys import SYNC

PURPOSES = (SYNC, LOOK)

Strangers = Mapping[str, Sequence[str]]  # hosts that are not in place, by purpose


class NotParted(HostError):
    """A host still lets in somebody who is not wanted there any more."""


def gathered(session: Session, purpose: Purpose) -> list[str]:
    """The selected hosts that have company for the purpose, all of it selected, too."""
    selected = {host.name for host in session.hosts}
    return [
        host.name
        for host in session.hosts
        if (others := purpose.company(session.catalogue, host.name)) and selected.issuperset(others)
    ]


def look_scripts(session: Session) -> Mapping[str, str]:
    """By host, the script that prints the keys of all that it can be introduced for."""
    scripts = {host.name: "" for host in session.hosts}
    for purpose in PURPOSES:
        for name in gathered(session, purpose):
            scripts[name] += purpose.look_script(session.catalogue, session.catalogue.hosts[name])
    return scripts


def strangers(
    session: Session,
    states: Mapping[str, HostState],
    purposes: Sequence[Purpose] = PURPOSES,
) -> Strangers:
    """Those that lack a key, do not know whom they visit or admit, or know too many."""
    return {
        purpose.name: _strangers(
            session,
            purpose,
            {name: states[name].keys[purpose.name] for name in gathered(session, purpose)},
        )
        for purpose in purposes
    }


def _strangers(session: Session, purpose: Purpose, found: Found) -> tuple[str, ...]:
    catalogue = session.catalogue
    return tuple(
        name for name in found if not purpose.is_in_place(catalogue, catalogue.hosts[name], found)
    )


def show(session: Session, strangers: Strangers) -> None:
    for purpose in _concerned(strangers):
        for host in strangers[purpose.name]:
            tell(host, purpose.news(session.catalogue, host))


def introduce(session: Session, strangers: Strangers) -> None:
    """Make the keys that are missing and tell all sides. Raises RolloutFailed."""
    for purpose in _concerned(strangers):
        found = _found(session, purpose)
        begin.refuse_errors(_install(session, purpose, found, keep=True))


def part(session: Session, strangers: Strangers) -> None:
    """Let in nobody any more who is not wanted. Raises NotParted."""
    for purpose in _concerned(strangers):
        errors = _install(session, purpose, _found(session, purpose), keep=False).errors
        if errors:
            raise NotParted(words(errors, "the release is confirmed; deploy once more"))


def end_looks(session: Session, hosts: Sequence[str]) -> None:
    """`hosts`, whose release has no look any more, let no stand-in in. Raises NotParted."""
    errors = session.run(
        lambda task: LOOK.remove(task, session.catalogue, _host(session, task)), hosts
    ).errors
    if errors:
        by_hand = "the release is confirmed; take twinedge-look: out of authorized_keys there"
        raise NotParted(words(errors, by_hand))


def _concerned(strangers: Strangers) -> list[Purpose]:
    return [purpose for purpose in PURPOSES if strangers.get(purpose.name)]


def _found(session: Session, purpose: Purpose) -> Found:
    """The keys of all that are gathered, made where they are missing."""
    outcome = session.run(
        lambda task: purpose.make(task, session.catalogue, _host(session, task)),
        gathered(session, purpose),
    )
    begin.refuse_errors(outcome)
    return outcome.done


def _install(session: Session, purpose: Purpose, found: Found, *, keep: bool) -> Outcome:
    """The lines of whoever is not in place; what was there is kept beside them, or goes."""

    def install(task: Task) -> Result:
        host = _host(session, task)
        lines = purpose.wanted(session.catalogue, host, found)
        if keep:
            lines = lines.beside(Lines.of(found[host.name]))
        return purpose.install(task, session.catalogue, host, lines)

    return session.run(install, _strangers(session, purpose, found))


def _host(session: Session, task: Task) -> Host:
    return session.catalogue.hosts[task.host.name]
