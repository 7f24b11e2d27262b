"""What a host has now, as `look` of tasks/host/release.sh prints it."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from tasks import listening, unbound
from tasks.doctor import ground, own_lines
from tasks.doctor.ground import Ground
from tasks.doctor.own_lines import Adapted
from tasks.heard import heard
from tasks.listening import Listening
from tasks.member import Member

PURPOSES = ("sync", "look")  # what one host logs in to another for

Line = tuple[str, str]  # the first word of a line of the script's, and the rest


@dataclass(frozen=True, kw_only=True)
class LiveFile:
    """One managed path as it is. `text` is None for a secret: its digest says enough.

    `odd` is a link, a folder or a device where a file should be. `made_by` is a release
    on the host that wrote just this content; `synced` lies in a tree that its lsyncd fills.
    """

    kind: Literal["absent", "file", "odd"]
    digest: str | None = None
    mode: int | None = None
    owner: str | None = None
    modified: datetime | None = None
    text: str | None = None
    made_by: str | None = None
    synced: bool = False


@dataclass(frozen=True, kw_only=True)
class ReleaseInfo:
    """One release of a host. `digests`, by path, is what it claims to have written.

    `product` is the version that rendered it, `members` are the hosts that the site had; 0.1.0
    said neither. `left` is the commit that a rollback left for it.
    """

    id: str
    commit: str = "unknown"
    product: str = ""
    by: str = "unknown"
    at: str = ""
    parent: str | None = None
    left: str = ""
    members: tuple[Member, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    reverted: bool = False


@dataclass(frozen=True, kw_only=True)
class Releases:
    """The releases that lie on a host, newest first, and the id of the one that it runs."""

    current: str | None
    all: tuple[ReleaseInfo, ...]

    def find(self, id: str | None) -> ReleaseInfo | None:  # noqa: A002
        return next((release for release in self.all if release.id == id), None)

    @property
    def previous(self) -> ReleaseInfo | None:
        """What the host ran before, if it is still there."""
        current = self.find(self.current)
        return self.find(current.parent) if current else None


@dataclass(frozen=True, kw_only=True)
class Lock:
    """Who works on a host. Times are the host's own clock, in UTC."""

    token: str
    holder: str
    since: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True)
class HostKeys:
    """The keys of a host for one purpose: its public key (None before there is one) and its
    host keys; the lines that let others in, and those of the hosts that it knows."""

    public: str | None = None
    host_keys: tuple[str, ...] = ()
    authorized: tuple[str, ...] = ()
    known: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HostState:
    """Everything that one look at a host tells.

    `tools` maps each to its version, None where it is not installed.
    """

    now: datetime
    files: Mapping[str, LiveFile]
    current: ReleaseInfo | None = None
    lock: Lock | None = None
    pending: str | None = None
    pending_until: datetime | None = None
    missing: tuple[str, ...] = ()  # files that a release which goes back could not put back yet
    tools: Mapping[str, str | None] = field(default_factory=dict)
    keys: Mapping[str, HostKeys] = field(default_factory=dict)  # by purpose
    listening: Listening | None = None
    unbound_clashes: tuple[str, ...] = ()  # in words
    adapted: Mapping[str, Adapted] = field(default_factory=dict)  # where there are own lines
    ground: Ground = field(default_factory=Ground)
    unmounted: tuple[str, ...] = ()  # mount points that our paths lie below and are not there

    @property
    def unmounted_words(self) -> str:
        """What has to be mounted first, for the one who wanted to write there."""
        return (
            f"{', '.join(self.unmounted)} is not mounted: what is written below it is gone once "
            "it is; mount it (on Unraid: start the array)"
        )

    @property
    def held(self) -> Lock | None:
        """The lock, while its lease lasts; one that has run out is no obstacle."""
        return self.lock if self.lock and self.lock.until > self.now else None

    @property
    def lock_words(self) -> str:
        """Who holds the lock, for the one who wanted it."""
        if self.lock is None:
            return "nobody holds the lock"
        return (
            f"{self.lock.holder} is at work on this host since "
            f"{self.lock.since:%Y-%m-%d %H:%M:%S} UTC"
        )

    @property
    def pending_words(self) -> str:
        """Which release waits for its confirmation, and until when; or what keeps it from going."""
        if self.missing:
            return (
                f"release {self.pending} is going back, and {', '.join(self.missing)} could not be "
                "put back yet; the host tries again every few seconds, and "
                "`journalctl -u twinedge-revert` there says why"
            )
        return (
            f"release {self.pending} is not confirmed and goes back by itself at "
            f"{self.pending_until:%H:%M:%S} UTC"
        )


def parse_state(text: str, paths: Sequence[str]) -> HostState:
    """The state that `look` printed; `paths` are the files in the order it was asked for."""
    lines = _lines(text)
    single = dict(lines)
    files = {path: LiveFile(kind="absent") for path in paths}
    for kind, rest in lines:
        if kind in ("file", "odd"):
            n, _, values = rest.partition(" ")
            files[paths[int(n)]] = _live_file(values) if kind == "file" else LiveFile(kind="odd")
    for n, release in _pairs(lines, "known"):
        files[paths[int(n)]] = replace(files[paths[int(n)]], made_by=release)
    for n, _ in _pairs(lines, "synced"):
        files[paths[int(n)]] = replace(files[paths[int(n)]], synced=True)
    pending = single.get("pending", "").split()
    return HostState(
        now=_time(single["now"]),
        files=files,
        current=_current(lines, single.get("current")),
        lock=_lock(single.get("lock")),
        pending=pending[0] if pending else None,
        missing=tuple(rest for kind, rest in lines if kind == "missing"),
        pending_until=_time(pending[1]) if pending else None,
        tools=_tools(lines),
        keys={purpose: _keys(lines, purpose) for purpose in PURPOSES},
        unmounted=tuple(dict.fromkeys(rest for kind, rest in lines if kind == "unmounted")),
        listening=listening.parse(text),
        ground=ground.parse(text),
        unbound_clashes=tuple(unbound.clashes(text)),
        adapted=own_lines.parse(text),
    )


def parse_keys(text: str, purpose: str) -> HostKeys:
    """The keys that `look` of keys.sh printed."""
    return _keys(_lines(text), purpose)


def _keys(lines: Sequence[Line], purpose: str) -> HostKeys:
    def all_of(kind: str) -> tuple[str, ...]:
        return tuple(rest for found, rest in lines if found == f"{purpose}-{kind}")

    return HostKeys(
        public=next(iter(all_of("key")), None),
        host_keys=all_of("host-key"),
        authorized=all_of("authorized"),
        known=all_of("known"),
    )


def _live_file(values: str) -> LiveFile:
    digest, mode, owner, modified, content = f"{values} ".split(" ", 4)  # an empty file has none
    return LiveFile(
        kind="file",
        digest=digest,
        mode=int(mode, 8),
        owner=owner,
        modified=_time(modified),
        text=None if content == "- " else heard(base64.b64decode(content)),
    )


def _current(lines: Sequence[Line], release: str | None) -> ReleaseInfo | None:
    return None if release is None else _release(release, lines)


def _release(release: str, lines: Sequence[Line]) -> ReleaseInfo:
    meta = dict(_pairs(lines, "meta"))
    claims = [rest.split(" ", 7) for kind, rest in lines if kind == "claim"]
    return ReleaseInfo(
        id=release,
        commit=meta.get("commit", "unknown"),
        product=meta.get("product", ""),
        by=meta.get("by", "unknown"),
        at=meta.get("at", ""),
        parent=meta.get("parent"),
        left=meta.get("left", ""),
        members=tuple(Member.parse(line) for key, line in _pairs(lines, "meta") if key == "host"),
        digests={claim[7]: claim[3] for claim in claims},
        reverted=any(kind == "reverted" for kind, _ in lines),
    )


def claimed_paths(text: str) -> list[str]:
    """The files of the host's own release, in the order in which it was asked for them."""
    return [rest.split(" ", 7)[7] for kind, rest in _lines(text) if kind == "claim"]


def parse_releases(text: str) -> "Releases":
    """What `list` of release.sh printed."""
    lines = _lines(text)
    starts = [n for n, (kind, _) in enumerate(lines) if kind == "release"]
    ends = [*starts[1:], len(lines)]
    found = [
        _release(lines[start][1], lines[start:end]) for start, end in zip(starts, ends, strict=True)
    ]
    current = next((rest for kind, rest in lines if kind == "current"), None)
    return Releases(current=current, all=tuple(sorted(found, key=lambda r: r.id, reverse=True)))


def _lines(text: str) -> list[Line]:
    return [line.partition(" ")[::2] for line in text.splitlines()]


def _pairs(lines: Sequence[Line], kind: str) -> Iterator[tuple[str, str]]:
    for found, rest in lines:
        if found == kind:
            key, _, value = rest.partition(" ")
            yield key, value


def _tools(lines: Sequence[Line]) -> dict[str, str | None]:
    found: dict[str, str | None] = {rest: None for kind, rest in lines if kind == "no-tool"}
    for name, said in _pairs(lines, "tool"):
        number = re.search(r"\d+(\.\d+)+", said)
        found[name] = number[0] if number else "of unknown version"
    return found


def _lock(text: str | None) -> Lock | None:
    if text is None:
        return None
    token, holder, since, until, *_ = [*text.split("\t"), "", "", ""]
    return Lock(token=token, holder=holder or "somebody", since=_time(since), until=_time(until))


def _time(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds) if seconds.isdigit() else 0, UTC)
