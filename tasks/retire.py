"""Taking twinedge off a host, and letting the others forget it; their side is retire.sh and
members.sh."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nornir.core.task import Result, Task

from inventory.catalogue import Catalogue, Host
from tasks import shell
from tasks.host import host_side
from tasks.keys import Lines, Purpose
from tasks.look.keys import LOOK
from tasks.member import Member
from tasks.quote import shell as word
from tasks.release import EOF, LOOK_TIMEOUT, Run, preamble, printed
from tasks.sync.keys import SYNC

PURPOSES = (SYNC, LOOK)
PATIENCE = 120.0  # seconds of silence: cloudflared lets what is in flight end, for up to 30


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """What is there of ours on a host: the units that run, the paths, and what stays behind."""

    stops: tuple[str, ...] = ()
    goes: tuple[str, ...] = ()
    remains: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Leaving":
        lines = [line.partition(" ")[::2] for line in text.splitlines()]
        return cls(
            **{
                kind: tuple(dict.fromkeys(rest for found, rest in lines if found == kind))
                for kind in ("stops", "goes", "remains")
            }
        )


def look(task: Task, host: Host, run: Run, catalogue: Catalogue) -> Result:
    """Nornir task: the Leaving of `host`; nothing is changed."""
    there = _ask(task, host, run, "leaving")
    lines = tuple(
        f"{len(found)} of the {purpose.name}'s lines in authorized_keys of {host.user}"
        for purpose in PURPOSES
        if (found := purpose.read(task, catalogue, host).authorized)
    )
    return Result(host=task.host, result=replace(there, goes=(*there.goes, *lines)))


def leave(task: Task, host: Host, run: Run, catalogue: Catalogue) -> Result:
    """Nornir task: take twinedge off `host`. Raises Busy or Refused, and nothing is changed."""
    there = _ask(task, host, run, "leave")
    for purpose in PURPOSES:
        found = purpose.read(task, catalogue, host)
        if found.public or found.authorized:
            purpose.remove(task, catalogue, host)
    return Result(host=task.host, changed=True, result=there)


def _ask(task: Task, host: Host, run: Run, verb: str) -> Leaving:
    text = f"{preamble(host, run)}{host_side('write.sh', 'release.sh', 'retire.sh')}\n"
    return Leaving.parse(
        printed(host, shell.run(task, f"{text}{verb}\n", timeout=PATIENCE, sudo=host.sudo))
    )


def forget(task: Task, host: Host, gone: Host, left: Catalogue) -> Result:
    """Nornir task: `host`, one of those that are `left`, lets `gone` in no more, does not know its
    keys, and its release does not list it. The result is what it knew, in words."""
    known = []
    for purpose in PURPOSES:
        if _part(task, host, gone, left, purpose):
            known.append(f"its key for the {purpose.name}")
    _members(task, host, f"forget {word(gone.name)}\n")
    return Result(host=task.host, changed=bool(known), result=tuple(known))


def _part(task: Task, host: Host, gone: Host, left: Catalogue, purpose: Purpose) -> bool:
    """Take the lines of `gone` away, where there are any."""
    found = purpose.read(task, left, host)
    mark = f" twinedge-{purpose.name}:{gone.name}"
    names = (f"{gone.name} ", f"{gone.address} ")
    lines = Lines(
        authorized=tuple(line for line in found.authorized if not line.endswith(mark)),
        known=tuple(line for line in found.known if not line.startswith(names)),
    )
    if lines == Lines.of(found):
        return False
    purpose.install(task, left, host, lines)
    return True


def list_hosts(task: Task, host: Host, members: Sequence[Member]) -> Result:
    """Nornir task: the release that `host` runs lists the site's hosts as they are now."""
    lines = "".join(f"{member.line}\n" for member in members)
    _members(task, host, f"list_hosts <<'{EOF}'\n{lines}{EOF}\n")
    return Result(host=task.host, changed=True)


def _members(task: Task, host: Host, verb: str) -> None:
    front = f"state={word(host.paths.state)}\n"
    script = f"{front}{host_side('write.sh', 'release.sh', 'members.sh')}\n{verb}"
    printed(host, shell.run(task, script, timeout=LOOK_TIMEOUT, sudo=host.sudo))


def without(catalogue: Catalogue, name: str) -> Catalogue:
    """The site as its keys know it once `name` is gone: without it, and what it synced with."""
    hosts: Mapping[str, Host] = {n: host for n, host in catalogue.hosts.items() if n != name}
    syncs = {n: sync for n, sync in catalogue.syncs.items() if name not in sync.hosts}
    return replace(catalogue, hosts=hosts, syncs=syncs)
