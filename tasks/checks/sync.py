"""sync: lsyncd runs, nothing waits in it, and both sides hold the same files."""

import re
from collections.abc import Iterator

from inventory.catalogue import Catalogue, Host, Sync
from tasks.checks import parts
from tasks.checks.finding import Finding, Status
from tasks.checks.survey import Survey
from tasks.observe import Question, Reply

STATUS = "lsyncd status"
STUCK = 60  # seconds that a change may wait; lsyncd's own delay is 1, a retry a few
ALWAYS_LEFT_OUT = ("*.tmp",)  # as templates/lsyncd/lsyncd.conf.lua.j2 has it


def questions(host: Host, catalogue: Catalogue) -> Iterator[Question]:
    syncs = catalogue.syncs_of(host.name)
    if syncs:
        yield Question(name=STATUS, words=("aged", "/run/lsyncd.status"))
    for sync in syncs:
        words = ("tree", sync.directory, *left_out((*ALWAYS_LEFT_OUT, *sync.exclude)))
        yield Question(name=_tree(sync), words=words)


def left_out(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """rsync's exclude patterns as words of find: prune what matches, go on with the rest."""
    words: list[str] = []
    for pattern in patterns:
        name = pattern.rstrip("/")
        kind = ("-type", "d") if pattern.endswith("/") else ()
        anchored = ("-path", f"./{name.lstrip('/')}") if "/" in name else ("-name", name)
        words += ["(", *kind, *anchored, ")", "-prune", "-o"]
    return tuple(words)


def judge(survey: Survey) -> Iterator[Finding]:
    for host in survey.hosts:
        if host.name in survey.seen and survey.catalogue.syncs_of(host.name):
            yield _daemon(survey, host.name)
    for sync in survey.catalogue.syncs.values():
        if all(host in survey.seen for host in sync.hosts):
            yield _parity(survey, sync)


def _daemon(survey: Survey, host: str) -> Finding:
    unit, waiting = survey.unit_state(host, "lsyncd"), _waiting(survey.reply(host, STATUS))
    seen = "running"
    if unit not in ("active", None):
        seen = f"unit lsyncd is {unit}"
    elif waiting:
        seen = waiting
    return Finding(
        check="sync",
        subject=f"lsyncd on {host}",
        vantage=host,
        status=Status.OK if seen == "running" else Status.FAILED,
        seen=seen,
        expected="running, nothing waits",
        host=host,
        hop=f"sync {host}",
        todo=f"on {host}: systemctl status lsyncd; journalctl -u lsyncd -n 50",
        part=f"lsyncd {host}",
        needs=(parts.host(host), *(_meshes(survey, host))),
    )


def _meshes(survey: Survey, host: str) -> Iterator[str]:
    """Without its peer, changes wait: that is not lsyncd's fault."""
    for sync in survey.catalogue.syncs_of(host):
        peer = sync.peer_of(host)
        yield from (parts.host(peer), parts.mesh(host, peer))


def _waiting(reply: Reply) -> str:
    """What waits in lsyncd for too long; its file is only rewritten when something happens."""
    age = re.match(r"age (\d+)", reply.text)
    delays = sum(int(n) for n in re.findall(r"^There are (\d+) delays", reply.text, re.MULTILINE))
    if not reply.ok or not age or not delays or int(age[1]) < STUCK:
        return ""
    return f"{delays} changes wait for {age[1]} s"


def _parity(survey: Survey, sync: Sync) -> Finding:
    one, other = sync.hosts
    trees = [survey.reply(host, _tree(sync)) for host in sync.hosts]
    states = [tree.text.partition(" ")[::2] for tree in trees]
    same = states[0][1] == states[1][1]
    busy = any(state == "busy" for state, _ in states)
    counts = [rest.split(" ")[0] for _, rest in states]
    differs = f"{one} has {counts[0]} files, {other} {counts[1]}, and they differ"
    return Finding(
        check="sync",
        subject=f"{sync.name}: {one} and {other}",
        vantage="both sides",
        status=Status.OK if same else Status.SKIPPED if busy else Status.FAILED,
        seen="alike" if same else f"{differs}{' (still changing)' if busy else ''}",
        expected="the same files on both sides",
        host=one,
        hop=f"sync of {sync.name}",
        todo="python runbooks/sync.py verify names the files",
        needs=(
            *(parts.host(host) for host in sync.hosts),
            *(f"lsyncd {host}" for host in sync.hosts),
            parts.mesh(one, other),
            parts.mesh(other, one),
        ),
    )


def _tree(sync: Sync) -> str:
    return f"tree {sync.name}"
