"""Introducing the hosts of a sync to each other: part of a deploy, before anything else."""

from collections.abc import Mapping

from nornir.core.task import Result, Task

from inventory.catalogue import Host
from runbooks.cli import Session
from runbooks.transaction import begin
from tasks.sync import keys
from tasks.sync.keys import Keys


def strangers(session: Session) -> tuple[str, ...]:
    """The selected hosts whose keys for a sync are not in place; reads only.

    Hosts whose peers are not selected are left alone. Raises RolloutFailed when one
    cannot be read.
    """
    hosts = _couples(session)
    outcome = session.run(lambda task: keys.look(task, _host(session, task)), hosts)
    begin.refuse_errors(outcome)
    return _out_of_place(session, outcome.done)


def introduce(session: Session) -> tuple[str, ...]:
    """Make the keys that are missing and tell both sides; the hosts that were changed."""
    hosts = _couples(session)
    outcome = session.run(lambda task: keys.make(task, _host(session, task)), hosts)
    begin.refuse_errors(outcome)
    found: Mapping[str, Keys] = outcome.done

    def install(task: Task) -> Result:
        host = _host(session, task)
        return keys.install(task, host, keys.wanted(session.catalogue, host, found))

    changed = _out_of_place(session, found)
    begin.refuse_errors(session.run(install, changed))
    return changed


def _out_of_place(session: Session, found: Mapping[str, Keys]) -> tuple[str, ...]:
    catalogue = session.catalogue
    return tuple(
        name for name in found if not keys.is_in_place(catalogue, catalogue.hosts[name], found)
    )


def _couples(session: Session) -> list[str]:
    selected = {host.name for host in session.hosts}
    return [
        name
        for name in selected
        if (peers := keys.peers(session.catalogue, name)) and selected.issuperset(peers)
    ]


def _host(session: Session, task: Task) -> Host:
    return session.catalogue.hosts[task.host.name]
