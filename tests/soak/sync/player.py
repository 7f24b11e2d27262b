"""Plays operations on one host, and looks at its trees. Run on the host.

    python -m tests.soak.sync.player play < JSON      plays one phase, journal on disk
    python -m tests.soak.sync.player look < JSON      prints trees, kept copies and journal

Each operation stands in the journal twice: before it is tried, and with its effects. One
that a power cut has interrupted stands there once.
"""

import hashlib
import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

JOURNAL = Path("/var/lib/soak-journal.jsonl")


def content(seed: str, number: int, size: int) -> bytes:
    """Unlike any other operation's, also where the size is the same."""
    word = f"{seed}#{number:04d}#".encode()
    return (word * (size // len(word) + 1))[:size] if size > len(word) else word


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


class Player:
    """One phase on one host."""

    def __init__(self, root: str, seed: str) -> None:
        self.root, self.seed = root, seed
        self.wrote: dict[str, str] = {}
        self.removed: dict[str, str] = {}
        self.replaced: dict[str, str] = {}

    def _note_write(self, path: str, digest_of_it: str) -> None:
        """Before the write: what it takes the place of has been seen by this side."""
        if os.path.isfile(path):
            self.replaced[self._name(path)] = digest(path)
        self.wrote[self._name(path)] = digest_of_it

    def play(self, op: dict[str, Any]) -> str:
        try:
            getattr(self, op["kind"])(f"{self.root}/{op['path'].rstrip('/')}", op)
        except OSError as error:
            if op["kind"] in ("write", "append"):  # it was noted beforehand
                self.wrote.clear()
            return f"{type(error).__name__}: {error.strerror}"
        return ""

    def _name(self, path: str) -> str:
        return path.removeprefix(f"{self.root}/")

    def write(self, path: str, op: dict[str, Any]) -> None:
        data = content(self.seed, op["number"], op["size"])
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._note_write(path, hashlib.sha256(data).hexdigest()[:16])
        with open(path, "wb", buffering=0) as file:
            file.write(data)

    def append(self, path: str, op: dict[str, Any]) -> None:
        before = Path(path).read_bytes()
        data = before + content(self.seed, op["number"], 30)
        self._note_write(path, hashlib.sha256(data).hexdigest()[:16])
        with open(path, "ab", buffering=0) as file:
            file.write(data[len(before) :])

    def replace(self, path: str, op: dict[str, Any]) -> None:
        data = content(self.seed, op["number"], op["size"])
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        beside = f"{os.path.dirname(path)}/{op['number']}.tmp"
        Path(beside).write_bytes(data)
        self._rename(beside, path, hashlib.sha256(data).hexdigest()[:16])

    def delete(self, path: str, _: dict[str, Any]) -> None:
        was = digest(path)
        os.unlink(path)
        self.removed[self._name(path)] = was

    def rename(self, path: str, op: dict[str, Any]) -> None:
        to = f"{self.root}/{op['other']}"
        was = digest(path)
        if path == to:
            return
        self._rename(path, to, was)
        self.removed[self._name(path)] = was

    def _rename(self, path: str, to: str, what: str) -> None:
        over = digest(to) if os.path.isfile(to) else None
        try:
            os.rename(path, to)
        except OSError:
            if path.endswith(".tmp"):
                os.unlink(path)
            raise
        self.wrote[self._name(to)] = what
        if over:
            self.replaced[self._name(to)] = over

    def mkdir(self, path: str, _: dict[str, Any]) -> None:
        os.makedirs(path)

    def chmod(self, path: str, op: dict[str, Any]) -> None:
        os.chmod(path, op["mode"])

    def rmtree(self, path: str, _: dict[str, Any]) -> None:
        for folder, _folders, files in os.walk(path, topdown=False):
            for name in files:
                self.delete(f"{folder}/{name}", _)
            os.rmdir(folder)


def play(plan: dict[str, Any]) -> None:
    """`plan`: start (epoch seconds), and per tree its root, seed and operations."""
    todo = sorted(
        ((op["at"], tree, op) for tree in plan["trees"] for op in tree["ops"]),
        key=lambda entry: entry[0],
    )
    with JOURNAL.open("a", encoding="utf-8") as journal:

        def note(**entry: Any) -> None:
            journal.write(json.dumps({"t": time.time(), **entry}) + "\n")
            journal.flush()

        for at, tree, op in todo:
            time.sleep(max(0.0, plan["start"] + at - time.time()))
            which = {"root": tree["root"], "number": op["number"]}
            note(**which, op=op)
            player = Player(tree["root"], tree["seed"])
            error = player.play(op)
            effects = {k: getattr(player, k) for k in ("wrote", "removed", "replaced")}
            note(**which, **effects, error=error)


def look(asked: dict[str, Any]) -> dict[str, Any]:
    journal = JOURNAL.read_text(encoding="utf-8").splitlines() if JOURNAL.exists() else []
    return {
        "trees": {root: dict(_tree(root)) for root in asked["roots"]},
        "kept": {
            root: sorted({digest(str(path)) for folder in folders for path in _files(folder)})
            for root, folders in asked["kept"].items()
        },
        "journal": [json.loads(line) for line in journal] if asked.get("journal") else [],
    }


def _files(folder: str) -> Iterator[Path]:
    return (path for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink())


def _tree(root: str) -> Iterator[tuple[str, list[str]]]:
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = f"{folder}/{name}"
            try:
                mode = os.lstat(path).st_mode
                what = digest(path) if stat.S_ISREG(mode) else stat.filemode(mode)[0]
            except FileNotFoundError:
                continue
            yield path.removeprefix(f"{root}/"), [what, f"{stat.S_IMODE(mode):o}"]


def clear(asked: dict[str, Any]) -> None:
    JOURNAL.unlink(missing_ok=True)
    for folder in (*asked["roots"], *(f for fs in asked["kept"].values() for f in fs)):
        shutil.rmtree(folder, ignore_errors=True)
    for root in asked["roots"]:
        Path(root).mkdir(parents=True)


if __name__ == "__main__":
    request = json.load(sys.stdin)
    if sys.argv[1] == "look":
        json.dump(look(request), sys.stdout)
    else:
        {"play": play, "clear": clear}[sys.argv[1]](request)
