"""Return hosts to an earlier release, by the same transaction as a deploy.

Looks by default: lists the releases of each host. --to chooses one, --apply
acts.
"""

import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from runbooks.flags import add_change_flags, add_diff_flag, parser

PREVIOUS = "previous"
EPILOG = """\
exit status: 0 all that was asked is true, 1 something failed, 2 nothing was
touched (usage or inventory).
"""


def flags() -> ArgumentParser:
    made = parser(__doc__ or "", epilog=EPILOG)
    made.add_argument(
        "--to", metavar="RELEASE", help=f"the release to return to: an id, or `{PREVIOUS}`"
    )
    add_change_flags(made)
    add_diff_flag(made)
    return made


if __name__ == "__main__":
    flags().parse_args()  # what ends here needs nothing of what follows

from nornir.core.task import Result, Task

from inventory.catalogue import Catalogue, Host, Service
from inventory.errors import Exit, UsageError
from inventory.source import git
from operations.renamed import served_by
from runbooks.cli import Session, main, open_session, working
from runbooks.lines import say, tell, tell_how_to_apply
from runbooks.remember import remembered
from runbooks.transaction import begin, introduce
from runbooks.transaction.gate import Change, Gate
from runbooks.transaction.rollout import Rollout
from runbooks.transaction.show import show_diffs, show_outcomes
from tasks import earlier, release
from tasks.configs.file import ABSENT
from tasks.live import HostState, ReleaseInfo, Releases
from tasks.plan import FileChange
from tasks.release import Run


def rollback(arguments: Namespace) -> int:
    session = open_session(arguments)
    begin.refuse_unknown_services(arguments, session)
    if arguments.apply and not arguments.to:
        raise UsageError(f"--apply needs --to RELEASE or --to {PREVIOUS}")
    with working("looking"):
        found: Mapping[str, Releases] = _on_all(session, release.releases)
    if not arguments.to:
        _show(found, session.source.root)
        return Exit.OK
    targets = {
        host: target
        for host, releases in found.items()
        if (target := _target(host, releases, arguments.to))
    }
    if not targets:
        raise UsageError("no host has a release before the one that it runs")
    for host in found.keys() - targets.keys():
        tell(host, "has no release before the one that it runs, and stays on that")
    todo = {host: t for host, t in targets.items() if t.id != found[host].current}
    blind = [host for host, t in todo.items() if _ends_look(session, host, found[host], t)]
    read = _differences(session, found, todo)
    for host, target in targets.items():
        for n, words in enumerate(_change(found[host], target, read.get(host, {}))):
            tell("" if n else host, words)
        if host in blind:
            words = "would let no stand-in look any more: that release has no program for it"
            tell("", words)
    if arguments.diff:
        show_diffs((host, change) for host, of in read.items() for change in of.values())
    if not arguments.apply and todo:
        tell_how_to_apply()
    if not arguments.apply or not todo:
        return Exit.OK
    return _apply(arguments, session, found, todo, blind, read)


def _apply(
    arguments: Namespace,
    session: Session,
    found: Mapping[str, Releases],
    todo: Mapping[str, ReleaseInfo],
    blind: Sequence[str],
    read: Mapping[str, Mapping[str, FileChange]],
) -> int:
    gate = _look_from_outside(arguments, session, found, todo, read)
    if any(change.caddy for change in gate.changes.values()):
        begin.refuse_forgetting(gate, arguments.reload_anyway)
    states: Mapping[str, HostState] = _on_all(session, release.survey)
    begin.refuse_busy({host: states[host] for host in todo}, arguments.break_lock)
    begin.refuse_unmounted({host: states[host] for host in todo})
    run = begin.new_run(arguments, session.catalogue, "unknown")  # each has its release's own

    def stage(task: Task, run: Run) -> Result:
        host = session.catalogue.hosts[task.host.name]
        return release.stage_earlier(task, host, run, todo[host.name].id, states[host.name])

    with (
        working(f"returning with release {run.id}") as show,
        remembered(session, "rollback", run.id, show=show) as record,
    ):
        transaction = Rollout(
            session=session,
            run=run,
            hosts=list(todo),
            canary=begin.canary(arguments, session),
            say=record.step,
            gate=gate,
            promised=lambda hosts: _still_promised(session, hosts),
        )
        transaction.execute(stage)
        introduce.end_looks(session, blind)
        record.conclude(Exit.OK, "; ".join(f"{host} to {todo[host].id}" for host in todo))
    for host, activated in transaction.activated.items():
        words = f"is on the files of {todo[host].id}; activated: {', '.join(activated) or '-'}"
        tell(host, words)
    show_outcomes(gate)
    say(f"release {run.id} is confirmed", style="green")
    return Exit.OK


def _look_from_outside(
    arguments: Namespace,
    session: Session,
    found: Mapping[str, Releases],
    todo: Mapping[str, ReleaseInfo],
    differences: Mapping[str, Mapping[str, FileChange]],
) -> Gate:
    """Ask what will be asked after the commit."""
    hosts = session.catalogue.hosts

    def read(task: Task) -> Result:
        host = hosts[task.host.name]
        return release.read(task, host, _serving(host))

    outcome = session.run(read, list(todo))
    begin.refuse_errors(outcome)
    changes = {
        name: _gated(session, hosts[name], found[name], target, outcome.done[name], differences)
        for name, target in todo.items()
    }
    gate = Gate(catalogue=session.catalogue, changes=changes, accepted=arguments.accept)
    gate.look()
    return gate


def _gated(
    session: Session,
    host: Host,
    releases: Releases,
    target: ReleaseInfo,
    both: str,
    differences: Mapping[str, Mapping[str, FileChange]],
) -> Change:
    """What `target` has to do with what `host` serves; `both` are its Caddyfile and its resolver's
    file now. Where a file that differs could not be read, what comes is not known.
    """
    caddy, resolver = (_touches(releases, target, path) for path in _serving(host))
    read = {p: of for p, of in differences[host.name].items() if p in _serving(host)}
    now = {path: read[path].live.text if path in read else both for path in _serving(host)}
    then = now | {path: of.config.text for path, of in read.items()}
    paths = host.paths
    known = (paths.caddy in read or not caddy) and (paths.resolver in read or not resolver)
    return Change(
        caddy=caddy,
        resolver=resolver,
        before=served_by(host, now, session.catalogue),
        after=served_by(host, then, session.catalogue) if known else None,
    )


def _serving(host: Host) -> tuple[str, str]:
    return host.paths.caddy, host.paths.resolver


def _still_promised(session: Session, hosts: Sequence[str]) -> Catalogue:
    """The catalogue as far as the earlier release of `hosts` knows it.

    A service that was added, or got another name, since then is not expected to answer; nor
    is a further name that a service has got.
    """

    def read(task: Task) -> Result:
        paths = session.catalogue.hosts[task.host.name].paths
        return release.read(task, session.catalogue.hosts[task.host.name], [paths.caddy])

    texts = [text for text in session.run(read, hosts).done.values() if text]
    return replace(
        session.catalogue,
        services={
            name: _as_known(service, texts)
            for name, service in session.catalogue.services.items()
            if service.kind == "dns" or _knows(texts, service.hostname)
        },
    )


def _as_known(service: Service, texts: Sequence[str]) -> Service:
    return replace(
        service,
        aliases=_known(service.aliases, texts),
        redirect_from=_known(service.redirect_from, texts),
        http_names=_known(service.http_names, texts),
    )


def _known(names: Sequence[str], texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if _knows(texts, name))


def _knows(texts: Sequence[str], name: str) -> bool:
    """Is there a site of that name in each of these Caddyfiles?"""
    return all(re.search(rf"://{re.escape(name)}[ ,]", text) for text in texts)


def _on_all(session: Session, look: Callable[[Task, Host], Result]) -> Mapping[str, Any]:
    outcome = session.run(lambda task: look(task, session.catalogue.hosts[task.host.name]))
    begin.refuse_errors(outcome)
    return outcome.done


def _touches(releases: Releases, target: ReleaseInfo, path: str) -> bool:
    current = releases.find(releases.current)
    return current is None or current.digests.get(path) != target.digests.get(path)


def _ends_look(session: Session, host: str, releases: Releases, target: ReleaseInfo) -> bool:
    """Does the host show itself to a stand-in now, and no more with `target`?"""
    path = session.catalogue.hosts[host].look
    current = releases.find(releases.current)
    has_look = current is not None and current.digests.get(path, ABSENT) != ABSENT
    return has_look and target.digests.get(path, ABSENT) == ABSENT


def _target(host: str, releases: Releases, wanted: str) -> ReleaseInfo | None:
    """None where `previous` is wanted, and a host has none."""
    if wanted == PREVIOUS:
        return releases.previous
    target = releases.find(wanted)
    if target is None:
        known = ", ".join(release.id for release in releases.all) or "none"
        raise UsageError(f"{host} has no release {wanted!r} (releases: {known})")
    return target


def _differences(
    session: Session, found: Mapping[str, Releases], todo: Mapping[str, ReleaseInfo]
) -> Mapping[str, Mapping[str, FileChange]]:
    """Host -> path -> what would change in the file, as far as everybody may read it."""
    hosts = session.catalogue.hosts

    def read(task: Task) -> Result:
        name = task.host.name
        return earlier.changes(task, hosts[name], todo[name].id, found[name].current or "")

    outcome = session.run(read, todo)
    begin.refuse_errors(outcome)
    return outcome.done


def _change(
    releases: Releases, target: ReleaseInfo, read: Mapping[str, FileChange]
) -> Iterator[str]:
    """From which release to which, and each file that changes with it; `read` by path."""
    current = releases.find(releases.current)
    if current is None or current.id == target.id:
        yield f"stays on {target.id}"
        return
    yield f"{current.id} -> {target.id} (commit {target.commit})"
    for path in (paths := _paths(current, target)):
        extent = f" {read[path].extent}" if path in read else ""
        yield f"{_kind(current, target, path)} {path}{extent}"
    if not paths:
        yield "would change no file"


def _kind(current: ReleaseInfo, target: ReleaseInfo, path: str) -> str:
    """What becomes of a file in which they differ."""
    before, after = (one.digests.get(path, ABSENT) for one in (current, target))
    return "new" if before == ABSENT else "removed" if after == ABSENT else "changed"


def _show(found: Mapping[str, Releases], repository: Path) -> None:
    """Each release, below it the subject of its commit and the files that it changed."""
    for host, releases in found.items():
        if not releases.all:
            tell(host, "no release")
        for n, one in enumerate(releases.all):
            marks = [*(["current"] * (one.id == releases.current)), *(["reverted"] * one.reverted)]
            note = f" ({', '.join(marks)})" if marks else ""
            made = f"commit {one.commit}{_product(one)}  by {one.by}"
            tell(host if n == 0 else "", f"{one.id}  {made}{note}")
            subject = _subject(repository, one.commit.removesuffix("-dirty"))
            before = releases.find(one.parent)
            paths = ", ".join(_paths(before, one)) or "no file" if before else ""
            changed = f"changed: {paths}" if before else "the first that is left"
            tell("", f"  {f'{subject}; ' if subject else ''}{changed}")


def _subject(repository: Path, commit: str) -> str | None:
    """Of a commit that the repository has; what a host says is asked of git where it is a hash."""
    is_hash = re.fullmatch("[0-9a-f]{7,40}", commit)
    return git(repository, "log", "-1", "--format=%s", commit) if is_hash else None


def _paths(one: ReleaseInfo, other: ReleaseInfo) -> list[str]:
    """The files in which two releases differ."""
    both = {**one.digests, **other.digests}
    return [p for p in both if one.digests.get(p, ABSENT) != other.digests.get(p, ABSENT)]


def _product(one: ReleaseInfo) -> str:
    """The version that rendered it, where the release says so."""
    return f"  twinedge {one.product.partition(' ')[0]}" if one.product else ""


if __name__ == "__main__":
    main(rollback, flags())
