"""`conflicts`: what lost, how it came to that, and the operator's decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inventory.catalogue import Sync
from inventory.errors import UsageError
from runbooks.cli import Session
from runbooks.lines import out, tell
from runbooks.remember import remembered
from runbooks.twoway.sides import Answer, ask, conclude, say
from tasks.configs.sync import home
from tasks.sync.work import Kept, kept, story

HOW = "--id STAMP shows one; add --choose kept|current to settle it"


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """What the run of one moment set aside, on either side."""

    stamp: str
    story: tuple[str, ...]
    files: tuple[Kept, ...]

    def as_json(self) -> dict[str, Any]:
        files = [{"host": f.host, "path": f.path, "bytes": f.size} for f in self.files]
        return {"id": self.stamp, "story": list(self.story), "kept": files}


def conflicts(
    session: Session, chosen: Sequence[Sync], *, stamp: str | None, choose: str | None
) -> list[Answer]:
    found = {one.name: _conflicts(session, one) for one in chosen}
    if stamp is None:
        return [_list(one, found[one.name]) for one in chosen]
    having = [one for one in chosen if stamp in found[one.name]]
    if not having:
        known = sorted({known for stamps in found.values() for known in stamps})
        raise UsageError(f"no conflict {stamp!r} (conflicts: {', '.join(known) or 'none'})")
    if choose is None:
        return [_show(session, one, found[one.name][stamp]) for one in having]
    if len(having) > 1:
        names = ", ".join(one.name for one in having)
        raise UsageError(f"{stamp} is a conflict of {names}: --sync NAME says of which")
    return _settle(session, having[0], found[having[0].name][stamp], choose)


def _conflicts(session: Session, one: Sync) -> Mapping[str, Conflict]:
    told = ask(session, one, "conflicts")
    entries = [entry for host, text in told.items() for entry in kept(text, host)]
    return {
        stamp: Conflict(
            stamp=stamp,
            story=tuple(
                line
                for entry in entries
                if entry.stamp == stamp and entry.how
                for line in story(entry.how, one.runner, one.peer_of(one.runner))
            ),
            files=tuple(e for e in entries if e.stamp == stamp and e.path),
        )
        for stamp in sorted({entry.stamp for entry in entries})
    }


def _list(one: Sync, found: Mapping[str, Conflict]) -> Answer:
    for conflict in found.values():
        _tell(one, conflict)
    say(one, f"{len(found)} kept; {HOW}" if found else "no conflict is kept")
    return Answer(sync=one.name, told={"conflicts": [c.as_json() for c in found.values()]})


def _tell(one: Sync, conflict: Conflict) -> None:
    say(one, conflict.stamp, style="bold")
    for line in conflict.story:
        tell("", line, columns=2)
    for file in conflict.files:
        tell("", f"{file.host} keeps {file.path!r} ({file.size} bytes)", columns=2)


def _show(session: Session, one: Sync, conflict: Conflict) -> Answer:
    _tell(one, conflict)
    texts = ask(session, one, "difference", conflict.stamp)
    for text in texts.values():
        out.print(text, markup=False, end="")
    differences = {host: text for host, text in texts.items() if text}
    shown = conflict.as_json() | {"difference": differences}
    return Answer(sync=one.name, told={"conflicts": [shown]})


def _settle(session: Session, one: Sync, conflict: Conflict, choose: str) -> list[Answer]:
    if choose == "kept" and not conflict.files:
        raise UsageError(
            f"{conflict.stamp} keeps no file, what lost was a delete: --choose current settles it"
        )
    with remembered(session, "sync") as record:
        ask(session, one, "settle", conflict.stamp, choose)
        answers = [Answer(sync=one.name, told={"settled": conflict.stamp, "stays": choose})]
        conclude(record, f"{conflict.stamp}: {choose} stays", answers)
    words = "what was kept is back in the tree" if choose == "kept" else "the tree stays as it is"
    say(one, f"{conflict.stamp}: {words}")
    for name in dict.fromkeys(file.host for file in conflict.files):
        folder = f"{home(session.catalogue.hosts[name])}/{one.name}/settled/{conflict.stamp}"
        other = f"{folder}.replaced" if choose == "kept" else folder
        tell("", f"the other lies on {name} in {other}", columns=2)
    return answers
