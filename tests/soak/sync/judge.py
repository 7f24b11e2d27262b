"""What a history may end in. Pure: journals and trees in, complaints out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Tree = Mapping[str, Sequence[str]]  # path -> [digest or type, mode]


@dataclass(frozen=True)
class Event:
    """What one side did to one path: a digest written, and the one that went for it.

    `made` is when that content was first written: a file that is moved keeps its time, by
    which a conflict is decided.
    """

    at: float
    made: float
    side: str
    wrote: str | None
    gone: str | None


@dataclass(frozen=True)
class Record:
    """The journals of both sides, path by path; `unsure` paths were cut by a power cut."""

    events: Mapping[str, list[Event]]
    unsure: frozenset[str]
    operations: int


def record(journals: Mapping[str, Sequence[Mapping[str, Any]]]) -> Record:
    """`journals`: side -> the entries of one tree."""
    events: dict[str, list[Event]] = {}
    unsure: set[str] = set()
    done = 0
    made: dict[str, float] = {}
    for entry in sorted((e for es in journals.values() for e in es), key=lambda e: e["t"]):
        for digest in entry.get("wrote", {}).values():
            made.setdefault(digest, entry["t"])
    for side, entries in journals.items():
        begun: dict[int, Mapping[str, Any]] = {}
        for entry in entries:
            if "op" in entry:
                begun[entry["number"]] = entry["op"]
                continue
            begun.pop(entry["number"], None)
            done += not entry["error"]
            for path, digest in entry["removed"].items():
                events.setdefault(path, []).append(
                    Event(entry["t"], entry["t"], side, None, digest)
                )
            for path, digest in entry["wrote"].items():
                events.setdefault(path, []).append(
                    Event(entry["t"], made[digest], side, digest, entry["replaced"].get(path))
                )
        for op in begun.values():
            unsure |= {op["path"].rstrip("/"), op["other"]}
    for path in events:
        events[path].sort(key=lambda event: event.at)
    return Record(events, frozenset(unsure), done)


def judge(found: Record, trees: Mapping[str, Tree], kept: set[str]) -> Iterator[str]:
    """`trees`: side -> its tree at the end; `kept`: digests of all copies on both sides."""
    (one, left), (other, right) = trees.items()
    for path in sorted({*left, *right}):
        if left.get(path) != right.get(path):
            yield f"differs: {path!r} is {left.get(path)} on {one}, {right.get(path)} on {other}"
    for path, events in found.events.items():
        if not any(path == p or path.startswith(f"{p}/") for p in found.unsure):
            for complaint in _judge_path(path, events, left, kept):
                yield f"{complaint}: {path!r} ({_story(events)})"


def _judge_path(path: str, events: list[Event], tree: Tree, kept: set[str]) -> Iterator[str]:
    final = tree[path][0] if path in tree else None
    last = {event.side: event for event in events}
    writes = {event.wrote for event in last.values() if event.wrote}
    for event in last.values():
        if event.wrote and event.wrote not in (final, *kept) and not _superseded(event, events):
            yield "lost: the last write of a side is nowhere"
    if final is not None and len(final) > 1 and final not in writes:
        was_removed = all(event.wrote is None for event in last.values())
        yield "came back: it was deleted" if was_removed else "reverted: not a last write"
    newest = max((e for e in events if e.wrote), key=lambda e: e.made, default=None)
    standing = [e for e in last.values() if e.wrote and not _superseded(e, events)]
    if final is None and newest in standing and not _in_the_way(path, tree):
        yield "deleted: though written since"
    if final is not None and final in writes and not standing and len(final) > 1:
        yield "came back: the other side had deleted it"


def _superseded(write: Event, events: list[Event]) -> bool:
    """Somebody who had it before their eyes has put another in its place, or nothing."""
    return any(e.gone == write.wrote and e.at > write.at for e in events)


def _in_the_way(path: str, tree: Tree) -> bool:
    """A file stands where the path needs a folder; then one of the two had to go."""
    parts = path.split("/")
    above = ("/".join(parts[:n]) for n in range(1, len(parts)))
    return any(part in tree and tree[part][0] != "d" for part in above)


def _story(events: list[Event]) -> str:
    start = events[0].at
    return ", ".join(
        f"+{e.at - start:.2f} {e.side} {'wrote ' + e.wrote if e.wrote else f'removed {e.gone}'}"
        for e in events[-6:]
    )
