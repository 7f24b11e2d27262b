"""Introducing the hosts of a sync to each other: part of a deploy, before its first commit."""

from collections.abc import Mapping

from nornir.core.task import Result, Task

from inventory.catalogue import Host
from runbooks.cli import Session
from runbooks.transaction import begin
from tasks.live import SyncKeys
from tasks.sync import keys


def couples(session: Session) -> list[str]:
    """The selected hosts that have syncs, and whose peers are selected, too."""
    selected = [host.name for host in session.hosts]
    return [
        name
        for name in selected
        if (peers := keys.peers(session.catalogue, name)) and set(peers) <= set(selected)
    ]


def strangers(session: Session, found: Mapping[str, SyncKeys]) -> tuple[str, ...]:
    """Those of `found`'s hosts that lack a key, or do not know their peers'."""
    catalogue = session.catalogue
    return tuple(
        name for name in found if not keys.is_in_place(catalogue, catalogue.hosts[name], found)
    )


def introduce(session: Session) -> None:
    """Make the keys that are missing and tell both sides. Raises RolloutFailed."""
    outcome = session.run(lambda task: keys.make(task, _host(session, task)), couples(session))
    begin.refuse_errors(outcome)
    found: Mapping[str, SyncKeys] = outcome.done

    def install(task: Task) -> Result:
        host = _host(session, task)
        return keys.install(task, host, keys.wanted(session.catalogue, host, found))

    begin.refuse_errors(session.run(install, strangers(session, found)))


def _host(session: Session, task: Task) -> Host:
    return session.catalogue.hosts[task.host.name]
