"""The journal's file survives what may happen to it: a death in mid-write, a full disk."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from journal.store import JournalError, Store
from tests.unit.fakehosts import FakeHost

ROOT = Path(__file__).resolve().parent.parent.parent

# Only the store: a child that imports little is a quick one.
WRITER = """
import sys
from pathlib import Path
from journal.store import Store
store = Store(Path(sys.argv[1]))
for n in range(100000):
    with store.transaction() as db:
        db.execute("INSERT INTO runs VALUES (?, 'verify', 1.0, NULL, NULL, '', '', '', '')", (n,))
        db.executemany("INSERT INTO steps VALUES (?, 1.0, ?)", [(n, "x" * 500)] * 20)
    print(n, flush=True)
"""


def is_whole(path: Path) -> bool:
    """SQLite finds nothing wrong with it, and no half of a transaction is in it."""
    db = sqlite3.connect(path)
    sound = db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    halves = db.execute(
        "SELECT runs.id FROM runs LEFT JOIN steps ON run = runs.id "
        "GROUP BY runs.id HAVING count(run) <> 20"
    ).fetchall()
    db.close()
    return sound and halves == []


def kill_while_it_writes(path: Path, after: int) -> int:
    """SIGKILL a writer once it has said `after` times that it wrote; how many it said in all."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    said = [line for _, line in zip(range(after), writer.stdout, strict=False)]
    os.kill(writer.pid, signal.SIGKILL)
    said += writer.stdout
    writer.wait()
    writer.stdout.close()
    assert writer.returncode == -signal.SIGKILL
    return len([line for line in said if line.endswith("\n")])


@pytest.mark.parametrize("after", [3, 40])
def test_a_writer_that_is_killed_leaves_a_whole_journal_with_all_that_it_had_written(
    tmp_path: Path, after: int
):
    path = tmp_path / "journal.db"
    written = kill_while_it_writes(path, after)
    assert written >= after
    kept = len(Store(path).read("SELECT id FROM runs"))
    assert kept in (written, written + 1)  # committed, and killed before it could say so
    assert is_whole(path)


def add_run(store: Store, name: str) -> None:
    with store.transaction() as db:
        db.execute("INSERT INTO runs VALUES (?, 'verify', 1, NULL, NULL, '', '', '', '')", (name,))
        rows: Iterable[tuple[str, str]] = [(name, "x" * 500)] * 20
        db.executemany("INSERT INTO steps VALUES (?, 1.0, ?)", rows)


def test_a_full_disk_loses_the_one_transaction_and_nothing_before_or_after_it(tmp_path: Path):
    store = Store(tmp_path / "journal.db")
    add_run(store, "before")
    pages = store.read("PRAGMA page_count")[0][0]
    store.read(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(JournalError, match="no space is left on its disk"):
        add_run(store, "while full")
    assert is_whole(store.path)
    store.read("PRAGMA max_page_count = 1000000")
    add_run(store, "after")
    assert [row["id"] for row in store.read("SELECT id FROM runs ORDER BY rowid")] == [
        "before",
        "after",
    ]
    assert is_whole(store.path)


def fill(disk: Path) -> None:
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)


@pytest.mark.parametrize("was_killed", [False, True], ids=["closed", "killed"])
def test_on_a_full_disk_the_journal_is_still_read_and_says_why_it_writes_nothing(
    host: FakeHost, was_killed: bool
):
    disk = host.root.memory("/var/lib/small", "size=8m")
    path = disk / "journal.db"
    if was_killed:
        kill_while_it_writes(path, 3)
        (disk / "journal.db-shm").unlink()  # a boot leaves it, a restore from backup may not
    else:
        store = Store(path)
        add_run(store, "before")
        store.close()
    fill(disk)
    store = Store(path)
    assert store.read("SELECT id FROM runs")
    with pytest.raises(JournalError, match="no space is left on its disk"):
        add_run(store, "while full")
    store.close()
    (disk / "filler").unlink()
    add_run(Store(path), "after")
    assert is_whole(path)
