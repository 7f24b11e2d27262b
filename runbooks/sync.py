"""The two-way sync: how it goes, whether it works, what lost a conflict, bringing sides together.

`status` and `verify` tell, `conflicts` lists, shows and settles, `repair` looks unless told
--apply. Nothing is ever lost: what is replaced is kept on its host.
"""

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from nornir.core.task import Task
from rich.table import Table

from inventory.catalogue import Sync
from runbooks.cli import (
    Exit,
    Session,
    UsageError,
    main,
    open_session,
    out,
    parser,
    refuse_unknown,
    tell,
)
from runbooks.remember import remembered
from tasks.checks.sync import records, records_question
from tasks.observe import Observation, Question, observe
from tasks.quote import shell as word
from tasks.shell import HostError
from tasks.sync import state, work

LSYNCD = Question(name="lsyncd", words=("cat", "/run/lsyncd.status"))
UNIT = Question(name="unit", words=("systemctl", "is-active", "lsyncd"))
PATIENCE = 30  # seconds that a canary may take


def flags() -> ArgumentParser:
    made = parser(__doc__ or "")
    made.add_argument("what", choices=("status", "verify", "conflicts", "repair"))
    made.add_argument("--sync", action="append", default=[], metavar="NAME", help="only this one")
    made.add_argument("--id", metavar="STAMP", help="conflicts: show this one's difference")
    made.add_argument("--choose", choices=("kept", "current"), help="conflicts: which one stays")
    made.add_argument("--rule", metavar="newer|HOST", help="repair: who wins where sides differ")
    made.add_argument("--apply", action="store_true", help="repair: do it")
    return made


def sync(arguments: Namespace) -> int:
    session = open_session(arguments)
    known = session.catalogue.syncs
    refuse_unknown("sync", arguments.sync, known)
    chosen = [known[name] for name in arguments.sync or known]
    if not chosen:
        raise UsageError("the inventory has no sync")
    steps = {"status": status, "verify": verify, "conflicts": conflicts, "repair": repair}
    step = steps[arguments.what]
    if arguments.what != "verify" and not arguments.apply:
        return max(step(arguments, session, one) for one in chosen)
    with remembered(session, "sync") as record:
        results = {one.name: step(arguments, session, one) for one in chosen}
        broken = [name for name, status in results.items() if status]
        words = f"not well: {', '.join(broken)}" if broken else f"well: {', '.join(results)}"
        record.conclude(Exit(max(results.values())), f"{arguments.what}: {words}")
    return max(results.values())


def _ask(session: Session, one: Sync, *verb: object, hosts: Iterable[str] = ()) -> dict[str, Any]:
    """One verb on both sides. Raises HostError for the first that fails."""

    def ask(task: Task) -> Any:
        return work.ask(task, session.catalogue.hosts[task.host.name], one, *verb)

    return _done(session.run(ask, hosts or one.hosts))


def _say(one: Sync, words: str, *, style: str = "") -> None:
    tell("", f"{one.name}: {words}", style=style)


def _done(outcome: Any) -> dict[str, Any]:
    for host, error in outcome.errors.items():
        raise HostError(f"{host}: {error}")
    return dict(outcome.done)


def status(_: Namespace, session: Session, one: Sync) -> int:
    def look(task: Task) -> Any:
        host = session.catalogue.hosts[task.host.name]
        return observe(task, host, [], [LSYNCD, UNIT, records_question(host, one)], limit=5)

    seen: dict[str, Observation] = _done(session.run(look, one.hosts))
    states = {host: state.parse(told.reply(records(one)).text) for host, told in seen.items()}
    table = Table("sync", "direction", "lsyncd", "last transfer", "lag", "queue", "errors",
                  "conflicts", box=None, padding=(0, 1, 0, 0))  # fmt: skip
    bad = False
    for host, told in seen.items():
        peer, own = one.peer_of(host), states[host]
        runner = states[one.runner]
        last = runner.to_peer if host == one.runner else runner.to_here
        running = told.reply(UNIT.name).text
        queue = state.queues(told.reply(LSYNCD.name).text).get(one.directory, 0)
        bad = bad or running != "active" or bool(own.failures)
        table.add_row(
            one.name, f"{host} -> {peer}", running,
            f"{datetime.fromtimestamp(last.at, UTC):%d %b %H:%M}" if last else "none yet",
            _lag(own), str(queue),
            own.error or own.after_error or "none", str(own.conflicts),
        )  # fmt: skip
    out.print(table)
    return Exit.FAILED if bad else Exit.OK


def _lag(own: state.State) -> str:
    return f"{time.time() - own.failing_since:.0f} s" if own.failing_since else "none"


def verify(_: Namespace, session: Session, one: Sync) -> int:
    worst = 0
    for host in one.hosts:
        before = int(_ask(session, one, "transfers", hosts=[one.runner])[one.runner])
        try:
            there = _canary(session, one, host)
        except HostError as error:
            _ask(session, one, "canary_gone", hosts=[host])
            _say(one, f"from {host}: {error}: no canary within {PATIENCE} s", style="red")
            worst = 1
            continue
        time.sleep(3)
        after = int(_ask(session, one, "transfers", hosts=[one.runner])[one.runner])
        echoes = max(after - before - 2, 0)  # the canary and its end
        _say(one, f"from {host}: there after {there:.2f} s, {echoes} transfers back")
        worst = max(worst, echoes > 0)
    names = _differences(session, one)
    for name in names:
        _say(one, f"differs: {name!r}", style="red")
    _say(one, "both sides alike" if not names else f"{len(names)} paths differ")
    return Exit.FAILED if worst or names else Exit.OK


def _canary(session: Session, one: Sync, host: str) -> float:
    """Seconds until a file of `host` is on the other side; it is deleted on both again."""
    peer, words = one.peer_of(host), f"canary {time.time():.6f}"
    with ThreadPoolExecutor(max_workers=1) as pool:
        seen = pool.submit(_ask, session, one, "await", words, PATIENCE, hosts=[peer])
        time.sleep(0.5)
        started = time.monotonic()
        _ask(session, one, "canary", words, hosts=[host])
        seen.result()
        took = time.monotonic() - started
    _ask(session, one, "canary_gone", hosts=[host])
    _ask(session, one, "await", "", PATIENCE, hosts=[peer])
    return took


def _differences(session: Session, one: Sync) -> list[str]:
    def look(task: Task) -> Any:
        return work.listing(task, session.catalogue.hosts[task.host.name], one)

    trees = _done(session.run(look, one.hosts))
    return work.differences(trees[one.hosts[0]], trees[one.hosts[1]])


def conflicts(arguments: Namespace, session: Session, one: Sync) -> int:
    said = _ask(session, one, "conflicts")
    found = [entry for host, text in said.items() for entry in work.kept(text, host)]
    stamps = sorted({entry.stamp for entry in found})
    if arguments.choose and not arguments.id:
        raise UsageError("--choose needs --id")
    if arguments.id and arguments.id not in stamps:
        return Exit.OK
    if arguments.choose:
        _ask(session, one, "settle", arguments.id, arguments.choose)
        _say(one, f"{arguments.id}: {arguments.choose} stays; the other is in settled/")
        return Exit.OK
    for entry in found:
        words = f"{entry.path!r} ({entry.size} bytes) is kept" if entry.path else entry.how.strip()
        if arguments.id in (None, entry.stamp):
            _say(one, f"{entry.stamp} on {entry.host}: {words}")
    if arguments.id:
        for text in _ask(session, one, "difference", arguments.id).values():
            out.print(text, markup=False, end="")
    return Exit.OK


def repair(arguments: Namespace, session: Session, one: Sync) -> int:
    names = _differences(session, one)
    for name in names:
        _say(one, f"differs: {name!r}", style="yellow")
    _say(one, f"{len(names)} paths differ")
    if not arguments.apply:
        return Exit.OK
    if arguments.rule not in ("newer", *one.hosts):
        raise UsageError(f"--rule newer, or the host that wins: {', '.join(one.hosts)}")
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    _ask(session, one, "save", stamp)
    host = session.catalogue.hosts[one.runner]
    script = f"{word(host.paths.sync)} repair {one.name} {arguments.rule}\n"
    _done(session.run(lambda task: work.run(task, host, script), [one.runner]))
    left = _differences(session, one)
    _say(one, f"{len(left)} paths differ now; both trees as they were: repairs/{stamp}.tar.gz")
    return Exit.FAILED if left else Exit.OK


if __name__ == "__main__":
    main(sync, flags())
