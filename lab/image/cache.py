"""What the lab installs once and keeps for the next one, below /var/lib/twinedge-lab."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.kernel.cgroup import Group
from lab.kernel.spawn import spawn

CACHE = Path("/var/lib/twinedge-lab")
BUILD_SECONDS = 600.0
NO_OUTPUT = "no output"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing in the cache, and the command that makes it. Who has its lock, shared, uses it.

    The command writes `complete` into the folder last. Of one kind only the newest is kept.
    """

    kind: str
    digest: str
    title: str  # as in "installing TITLE, once"
    build: tuple[str, ...]  # run with the folder behind
    emptied: tuple[str, ...] = ()  # folders of the machine's that are not seen in an overlay

    @property
    def folder(self) -> Path:
        return CACHE / f"{self.kind}-{self.digest}"

    @property
    def complete(self) -> bool:
        return (self.folder / "complete").exists()


def obtain(entry: Entry, *, group: Group, lab_lock: int, say: Callable[[str], None]) -> int:
    """Builds it if need be. Returns a descriptor that keeps it from removal."""
    lock = _open_lock(entry.folder)
    fcntl.flock(lock, fcntl.LOCK_SH)
    while not entry.complete:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not entry.complete:  # another lab may have built it while we waited
            say(f"installing {entry.title}, once")
            _build(entry, group=group, lab_lock=lab_lock)
        fcntl.flock(lock, fcntl.LOCK_SH)
    remove_unused(f"{entry.kind}-", keep=entry.folder)
    return lock


def remove_unused(kind: str = "", *, keep: Path | None = None) -> None:
    """Removes what no lab of this machine uses, of one kind or all of it, but `keep`.

    The empty lock files stay: another lab may be waiting for one.
    """
    for path in CACHE.glob(f"{kind}*.lock"):
        folder = path.with_suffix("")
        if folder == keep:
            continue
        lock = _open_lock(folder)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:  # in use
            pass
        finally:
            os.close(lock)


def _open_lock(folder: Path) -> int:
    CACHE.mkdir(mode=0o711, parents=True, exist_ok=True)
    return os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)


def _build(entry: Entry, *, group: Group, lab_lock: int) -> None:
    shutil.rmtree(entry.folder, ignore_errors=True)
    entry.folder.mkdir()
    for name in entry.emptied:
        emptied = entry.folder / "upper" / name
        emptied.mkdir(parents=True, mode=0o700)
        os.setxattr(emptied, "trusted.overlay.opaque", b"y")
    log = entry.folder / "build.log"
    spawn(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
         *entry.build, str(entry.folder)],
        group=group.make(), lock=lab_lock, log=log,
    )  # fmt: skip
    deadline = time.monotonic() + BUILD_SECONDS
    while group.pids():
        if time.monotonic() > deadline:
            group.kill()
        time.sleep(0.1)
    if not entry.complete:
        raise LabError(f"{entry.title}: {last_line(log)} (all of it: {log})")


def last_line(log: Path) -> str:
    """What a script said last, without mount's advice to read dmesg."""
    text = log.read_text(errors="replace") if log.exists() else ""
    lines = [line for line in text.splitlines() if line.strip() and "dmesg(1)" not in line]
    return lines[-1].strip() if lines else NO_OUTPUT
