"""Reading known_hosts as OpenSSH does; nothing is ever written to it.

paramiko's reader gives up the whole file for one line that it cannot read, takes no
pattern, and keeps one key of a kind for a host.
"""

import base64
import binascii
import fnmatch
import hmac
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

REVOKED = "@revoked"
AUTHORITY = "@cert-authority"
OF_THE_USER = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
OF_THE_MACHINE = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")

Kind = Literal["known", "revoked", "changed", "new"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line: for which `hosts`, and its key; `key` is None where the line is cut off."""

    file: str
    number: int
    marker: str
    hosts: str
    type: str
    key: bytes | None

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"

    def names(self, host: str) -> bool:
        """Does it speak of `host`, an address or `[address]:port`?"""
        if self.hosts.startswith("|"):
            return _is_hash_of(self.hosts, host)
        patterns = self.hosts.lower().split(",")
        if any(p.startswith("!") and _matches(host, p[1:]) for p in patterns):
            return False
        return any(_matches(host, p) for p in patterns)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the files say of a key that a host shows, and the lines that say it."""

    kind: Kind
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, kw_only=True)
class KnownHosts:
    """The lines of some files; `unread` tells why others could not be read."""

    lines: tuple[Line, ...]
    unread: tuple[str, ...] = ()

    @classmethod
    def read(cls, paths: Iterable[str]) -> "KnownHosts":
        """The lines of those of `paths` that exist."""
        lines: list[Line] = []
        unread: list[str] = []
        for path in paths:
            try:
                text = Path(path).expanduser().read_text(encoding="utf-8", errors="replace")
                lines += _lines(path, text.split("\n"))
            except FileNotFoundError:
                continue
            except OSError as error:
                unread.append(f"{path}: {error.strerror}")
        return cls(lines=tuple(lines), unread=tuple(unread))

    def of(self, name: str) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.names(name.lower()))

    def types(self, names: Sequence[str]) -> tuple[str, ...]:
        """The kinds of key that the host of these names is known by."""
        found = [li.type for name in names for li in self.of(name) if li.key and not li.marker]
        return tuple(dict.fromkeys(found))

    def judge(self, names: Sequence[str], key: bytes) -> Verdict:
        """`key` is shown by the host of `names`: `[address]:port` before the bare address.

        Another name is asked only where the one before is new, as OpenSSH does.
        """
        for name in names:
            verdict = self._judge(name, key)
            if verdict.kind == "changed" and name != names[0]:
                break  # a bare line says nothing against another port's key
            if verdict.kind != "new":
                return verdict
        return Verdict(kind="new", lines=tuple(li for name in names for li in self.of(name)))

    def _judge(self, name: str, key: bytes) -> Verdict:
        lines = self.of(name)
        same = tuple(line for line in lines if line.key == key)
        if revoked := tuple(line for line in same if line.marker == REVOKED):
            return Verdict(kind="revoked", lines=revoked)
        plain = tuple(line for line in lines if line.key and not line.marker)
        if known := tuple(line for line in same if line in plain):
            return Verdict(kind="known", lines=known)
        rivals = tuple(line for line in plain if line.type == _type_of(key))
        return Verdict(kind="changed" if rivals else "new", lines=rivals)


def _lines(path: str, texts: Iterable[str]) -> Iterator[Line]:
    for number, text in enumerate(texts, 1):
        words = text.split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        if marker not in ("", REVOKED, AUTHORITY) or not words:
            continue
        hosts, kind, key = (*words[:3], "", "")[:3]
        yield Line(
            file=path, number=number, marker=marker, hosts=hosts, type=kind, key=_key(kind, key)
        )


def _key(kind: str, text: str) -> bytes | None:
    """The key of a line, when it is whole and of the kind that it says."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if _type_of(key) == kind and _is_whole(key) else None


def _type_of(key: bytes) -> str:
    return key[4 : 4 + int.from_bytes(key[:4])].decode("latin-1")


def _is_whole(key: bytes) -> bool:
    """A key is a row of fields, each behind its length; a cut-off one ends within a field."""
    at = 0
    while at < len(key):
        at += 4 + int.from_bytes(key[at : at + 4])
    return at == len(key) and len(key) > 4 + len(_type_of(key))


def _matches(host: str, pattern: str) -> bool:
    """`*` and `?` alone are special; a bracket is one of `[address]:port`."""
    return fnmatch.fnmatchcase(host, re.sub(r"(\[)", r"[\1]", pattern))


def _is_hash_of(hashed: str, host: str) -> bool:
    """`|1|SALT|HMAC-SHA1`, as `ssh-keygen -H` writes it."""
    try:
        _, version, salt, digest = hashed.split("|")
        made = hmac.new(base64.b64decode(salt), host.encode(), "sha1").digest()
        return version == "1" and hmac.compare_digest(made, base64.b64decode(digest))
    except (ValueError, binascii.Error):
        return False
