"""`repair`: what differs; and with a rule, both sides brought together by it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from inventory.catalogue import Sync
from inventory.errors import UsageError
from runbooks.cli import Session
from runbooks.lines import tell_how_to_apply
from runbooks.remember import remembered
from runbooks.twoway.sides import Answer, ask, conclude, differences, done, say
from tasks.quote import shell as word
from tasks.sync import work


def repair(
    session: Session, chosen: Sequence[Sync], *, rule: str | None, apply: bool
) -> list[Answer]:
    for one in chosen:
        if rule not in ("newer", *one.hosts) and (rule or apply):
            hosts = " or ".join(one.hosts)
            raise UsageError(f"--rule should be newer, or the host that wins: {hosts}")
    if rule is None or not apply:
        found = {one.name: _look(session, one) for one in chosen}
        if rule and any(found.values()):
            tell_how_to_apply()
        return [Answer(sync=name, told={"differ": names}) for name, names in found.items()]
    with remembered(session, "sync") as record:
        answers = [_join(session, one, rule) for one in chosen]
        conclude(record, "repair", answers)
    return answers


def _look(session: Session, one: Sync) -> list[str]:
    names = differences(session, one)
    for name in names:
        say(one, f"differs: {name!r}", style="yellow")
    say(one, f"{len(names)} paths differ" if names else "both sides alike")
    return names


def _join(session: Session, one: Sync, rule: str) -> Answer:
    names = _look(session, one)
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    ask(session, one, "save", stamp)
    host = session.catalogue.hosts[one.runner]
    script = f"{word(host.paths.sync)} repair {one.name} {rule}\n"
    done(session.run(lambda task: work.run(task, host, script), [one.runner]))
    left = differences(session, one)
    saved = f"repairs/{stamp}.tar.gz"
    say(one, f"{len(left)} paths differ now; both trees as they were: {saved}")
    return Answer(sync=one.name, ok=not left, told={"differ": names, "left": left, "saved": saved})
