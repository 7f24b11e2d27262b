"""What a host has now, as `look` of tasks/host/release.sh prints it."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class LiveFile:
    """One managed path as it is. `text` is None for a secret: its digest says enough.

    `odd` is a link, a folder or a device where a file should be. `made_by` is a release
    on the host that wrote just this content.
    """

    kind: Literal["absent", "file", "odd"]
    digest: str | None = None
    mode: int | None = None
    owner: str | None = None
    modified: datetime | None = None
    text: str | None = None
    made_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReleaseInfo:
    """One release of a host. `digests`, by path, is what it claims to have written."""

    id: str
    commit: str = "unknown"
    by: str = "unknown"
    at: str = ""
    parent: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    reverted: bool = False


@dataclass(frozen=True, kw_only=True)
class Lock:
    """Who works on a host. Times are the host's own clock, in UTC."""

    token: str
    holder: str
    since: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True)
class HostState:
    """Everything that one look at a host tells."""

    now: datetime
    files: Mapping[str, LiveFile]
    current: ReleaseInfo | None = None
    lock: Lock | None = None
    pending: str | None = None
    pending_until: datetime | None = None
    missing_tools: frozenset[str] = frozenset()

    @property
    def lock_words(self) -> str:
        """Who holds the lock, for the one who wanted it."""
        if self.lock is None:
            return "nobody holds the lock"
        return (
            f"{self.lock.holder} is at work on this host since "
            f"{self.lock.since:%Y-%m-%d %H:%M:%S} UTC"
        )


def parse_state(text: str, paths: Sequence[str]) -> HostState:
    """The state that `look` printed; `paths` are the files in the order it was asked for."""
    lines = [line.partition(" ")[::2] for line in text.splitlines()]
    single = dict(lines)
    files = {path: LiveFile(kind="absent") for path in paths}
    for kind, rest in lines:
        if kind in ("file", "odd"):
            n, *values = rest.split(" ")
            files[paths[int(n)]] = _live_file(values) if kind == "file" else LiveFile(kind="odd")
    for n, release in _pairs(lines, "known"):
        files[paths[int(n)]] = _made_by(files[paths[int(n)]], release)
    pending = single.get("pending", "").split()
    return HostState(
        now=_time(single["now"]),
        files=files,
        current=_current(lines, single.get("current")),
        lock=_lock(single.get("lock")),
        pending=pending[0] if pending else None,
        pending_until=_time(pending[1]) if pending else None,
        missing_tools=frozenset(rest for kind, rest in lines if kind == "no-tool"),
    )


def _live_file(values: list[str]) -> LiveFile:
    digest, mode, owner, modified, content = values
    return LiveFile(
        kind="file",
        digest=digest,
        mode=int(mode, 8),
        owner=owner,
        modified=_time(modified),
        text=None if content == "-" else base64.b64decode(content).decode(errors="replace"),
    )


def _made_by(file: LiveFile, release: str) -> LiveFile:
    return LiveFile(**{**vars(file), "made_by": release})


def _current(lines: Sequence[tuple[str, str]], release: str | None) -> ReleaseInfo | None:
    if release is None:
        return None
    meta = dict(_pairs(lines, "meta"))
    claims = [rest.split(" ", 7) for kind, rest in lines if kind == "claim"]
    return ReleaseInfo(
        id=release,
        commit=meta.get("commit", "unknown"),
        by=meta.get("by", "unknown"),
        at=meta.get("at", ""),
        parent=meta.get("parent"),
        digests={claim[7]: claim[3] for claim in claims},
    )


def _pairs(lines: Sequence[tuple[str, str]], kind: str) -> Iterator[tuple[str, str]]:
    for found, rest in lines:
        if found == kind:
            key, _, value = rest.partition(" ")
            yield key, value


def _lock(text: str | None) -> Lock | None:
    if text is None:
        return None
    token, holder, since, until, *_ = [*text.split("\t"), "", "", ""]
    return Lock(token=token, holder=holder or "somebody", since=_time(since), until=_time(until))


def _time(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds) if seconds.isdigit() else 0, UTC)
