"""sync: lsyncd runs, nothing waits in it, and both sides hold the same files."""

import re
from collections.abc import Iterator

from inventory.catalogue import Catalogue, Host, Sync
from tasks.checks import parts
from tasks.checks.finding import Finding, Status
from tasks.checks.survey import Survey
from tasks.configs.sync import home
from tasks.observe import Question, Reply
from tasks.sync.state import State, parse

STATUS = "lsyncd status"
STUCK = 60  # seconds that a change may wait; lsyncd's own delay is 1, a retry a few
PATIENT = 3  # failures in a row; one or two are a file that was being written


def questions(host: Host, catalogue: Catalogue) -> Iterator[Question]:
    syncs = catalogue.syncs_of(host.name)
    if syncs:
        yield Question(name=STATUS, words=("aged", "/run/lsyncd.status"))
    for sync in syncs:
        words = ("tree", sync.directory, *left_out(sync.left_out))
        yield Question(name=_tree(sync), words=words)
        yield records_question(host, sync)


def records_question(host: Host, sync: Sync) -> Question:
    """What `host` has written down of `sync`; tasks.sync.state reads the answer."""
    return Question(name=records(sync), words=("sync_records", f"{home(host)}/{sync.name}"))


def left_out(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Exclude patterns as words of find: prune what matches, go on with the rest."""
    words: list[str] = []
    for pattern in patterns:
        name = pattern.rstrip("/")
        words += ["-path", f"./{name.lstrip('/')}"] if "/" in name else ["-name", name]
        words += ["-prune", "-o"]
    return tuple(words)


def judge(survey: Survey) -> Iterator[Finding]:
    for host in survey.hosts:
        if host.name in survey.seen and survey.catalogue.syncs_of(host.name):
            yield _daemon(survey, host.name)
    for sync in survey.catalogue.syncs.values():
        if all(host in survey.seen for host in sync.hosts):
            yield _parity(survey, sync)


def _daemon(survey: Survey, host: str) -> Finding:
    syncs = survey.catalogue.syncs_of(host)
    unit, waiting = survey.unit_state(host, "lsyncd"), _waiting(survey.reply(host, STATUS))
    seen = "running"
    if unit not in ("active", None):
        seen = f"unit lsyncd is {unit}"
    elif failing := [text for sync in syncs if (text := _failing(survey, host, sync))]:
        seen = "; ".join(failing)
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


def state_of(survey: Survey, host: str, sync: Sync) -> State:
    return parse(survey.reply(host, records(sync)).text)


def _failing(survey: Survey, host: str, sync: Sync) -> str:
    state = state_of(survey, host, sync)
    if state.failures >= PATIENT:
        return f"{sync.name} failed {state.failures} times: {state.error}"
    if state.refused:
        return f"{sync.name}: unbound goes on without it: {state.refused[0]}"
    return f"{sync.name}: {sync.after} after changes: {state.after_error}" * bool(state.after_error)


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
    kept = sum(state_of(survey, host, sync).conflicts for host in sync.hosts)
    differs = f"{one} has {counts[0]} files, {other} {counts[1]}, and they differ"
    return Finding(
        check="sync",
        subject=f"{sync.name}: {one} and {other}",
        vantage="both sides",
        status=_parity_status(same=same, busy=busy, conflicts=kept),
        seen=_kept(kept) if same else f"{differs}{' (still changing)' if busy else ''}",
        expected="the same files on both sides",
        host=one,
        hop=f"sync of {sync.name}",
        todo=f"python runbooks/sync.py {'conflicts' if same else 'verify'} names the files",
        needs=(
            *(parts.host(host) for host in sync.hosts),
            *(f"lsyncd {host}" for host in sync.hosts),
            parts.mesh(one, other),
            parts.mesh(other, one),
        ),
    )


def _parity_status(*, same: bool, busy: bool, conflicts: int) -> Status:
    if same:
        return Status.WARN if conflicts else Status.OK
    return Status.SKIPPED if busy else Status.FAILED


def _kept(conflicts: int) -> str:
    plural = "s"[: conflicts != 1]
    return f"alike, and {conflicts} conflict{plural} to look at" if conflicts else "alike"


def records(sync: Sync) -> str:
    return f"records of {sync.name}"


def _tree(sync: Sync) -> str:
    return f"tree {sync.name}"
