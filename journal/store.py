"""The journal's file: opening it, bringing it to the present schema, one transaction.

SQLite in WAL mode: a crash or a full disk ends a transaction as if it had never begun.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from inventory.errors import TwinedgeError
from journal.schema import ADDED, MIGRATIONS

PATIENCE = 1.0  # seconds; a journal that others hold never keeps a run longer
SETTINGS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
# Readers share an index of the WAL file, 32 KiB beside it. Whoever has the file to itself keeps
# the index in memory, and so can read where the disk has no room for it (sqlite.org/wal.html).
ALONE = "locking_mode = EXCLUSIVE"


class JournalError(TwinedgeError):
    """The journal cannot be read or written; whoever keeps it goes on without."""


class Store:
    """One connection to the journal at `path`, which is made when it is not there.

    On a full disk it still reads, and only what would write fails.

    Raises JournalError, here and from `transaction`, in words that name the file.
    """

    def __init__(self, path: Path, migrations: tuple[str, ...] = MIGRATIONS) -> None:
        self.path = path
        with self._in_words():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                self._connection = _connect(path, *SETTINGS)
            except sqlite3.OperationalError as error:
                if not _is_for_want_of_room(error):
                    raise
                self._connection = _connect(path, ALONE, *SETTINGS)
            self._prepare(migrations)

    def _prepare(self, migrations: tuple[str, ...]) -> None:
        if self._version == len(migrations) and not self._missing():
            return
        with self.transaction():
            self._migrate(migrations)  # asks again: another run may just have done it
            for table in self._missing():
                self._execute(ADDED[table])

    @property
    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _migrate(self, migrations: tuple[str, ...]) -> None:
        seen = self._version
        if seen > len(migrations):
            raise JournalError(
                f"{self.path}: written by a newer twinedge (version {seen} of its tables, "
                f"known here: {len(migrations)}): git pull"
            )
        for step in migrations[seen:]:
            self._execute(step)
        self._connection.execute(f"PRAGMA user_version = {len(migrations)}")

    def _missing(self) -> list[str]:
        """What of ADDED the file does not have."""
        rows = self._connection.execute("SELECT name FROM sqlite_master")
        there = {row["name"] for row in rows}
        return [table for table in ADDED if table not in there]

    def _execute(self, script: str) -> None:
        for statement in _statements(script):
            self._connection.execute(statement)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is written, or nothing of it. One inside another is a part of it."""
        if self._connection.in_transaction:
            yield self._connection
            return
        with self._in_words():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def read(self, query: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        with self._in_words(), closing(self._connection.execute(query, values)) as cursor:
            return cursor.fetchall()

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise JournalError(f"{self.path}: {_words(error)}") from error
        except OSError as error:
            raise JournalError(f"{self.path}: {error.strerror}") from error


def _connect(path: Path, *settings: str) -> sqlite3.Connection:
    """A connection that has read something: what cannot be had fails here."""
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")
        connection.execute("PRAGMA user_version")
    except BaseException:
        connection.close()
        raise
    return connection


def _is_for_want_of_room(error: sqlite3.OperationalError) -> bool:
    return any(words in str(error) for words in ("full", "disk I/O"))


def time_of(seconds: float) -> datetime:
    """A time as the tables hold it: seconds since 1970, UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _statements(script: str) -> Iterator[str]:
    """One by one: `executescript` would end the transaction that they belong to."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _words(error: sqlite3.DatabaseError) -> str:
    words = str(error)
    if "locked" in words:
        return f"another run has held it for over {PATIENCE:g} s"
    if "full" in words:
        return "no space is left on its disk"
    if "disk I/O" in words:
        return f"cannot be read or written ({words}): is its disk full, or broken?"
    if "not a database" in words or "malformed" in words:
        return f"is no journal any more ({words}): move it away, and a new one begins"
    return words
