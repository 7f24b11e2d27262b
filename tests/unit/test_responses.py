"""Response times: percentiles of each hour, bounded, in a file that 0.1.0 still reads."""

import io
import subprocess
import sys
import tarfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from journal import responses
from journal.history import History
from journal.schema import ADDED
from tasks.checks.finding import Finding, Status
from tests.site import ROOT
from tests.unit.looks import MINUTE, NOON, healthy

FIRST_RELEASE = "28a754cf7061"  # 0.1.0


@pytest.fixture
def history(tmp_path: Path) -> History:
    made = History(tmp_path / "journal.db")
    made.store.read("PRAGMA synchronous = OFF")  # quicker; what it protects is tested elsewhere
    return made


def plex(seconds: float, status: Status = Status.OK) -> Finding:
    way = next(finding for finding in healthy() if finding.way and finding.service == "plex")
    return replace(way, seconds=seconds, status=status)


def hours(history: History) -> list[responses.Hour]:
    return responses.hours(history.store, since=NOON - timedelta(days=99)).get("plex", [])


def test_an_hour_knows_how_long_half_of_the_answers_nearly_all_and_the_slowest_took(
    history: History,
):
    for n in range(20):
        history.look([plex((n + 1) / 10)], NOON + 3 * n * MINUTE)
    (hour,) = hours(history)
    assert (hour.begin, hour.answers) == (NOON, 20)
    assert (hour.median, hour.p95, hour.slowest) == (1.0, 1.9, 2.0)


def test_what_did_not_answer_has_no_response_time(history: History):
    history.look([plex(5.0, Status.FAILED), plex(0.0)], NOON)
    assert hours(history) == []


def test_a_service_costs_one_row_an_hour_and_what_is_too_old_is_forgotten(history: History):
    from tests.unit.test_journal import a_run

    at = NOON
    while at < NOON + timedelta(days=4):
        history.look([plex(0.5)], at)
        at += 20 * MINUTE
    assert len(hours(history)) == 4 * 24
    assert len(history.store.read("SELECT * FROM answers")) == 3
    history.begin(a_run(began=NOON + timedelta(days=92)))
    assert len(hours(history)) == 2 * 24


def test_the_last_look_is_told_by_the_median_of_its_ways(history: History):
    ways = [replace(plex(seconds), subject=str(seconds)) for seconds in (0.1, 0.3, 9.0)]
    history.look(ways, NOON)
    assert responses.latest(history.store, NOON) == {"plex": 0.3}
    assert responses.latest(history.store, NOON + MINUTE) == {}


def test_a_journal_of_before_gets_the_new_tables_and_keeps_its_rows(history: History):
    history.look([plex(0.5)], NOON)
    with history.store.transaction() as db:
        for table in ADDED:
            db.execute(f"DROP TABLE {table}")
    again = History(history.store.path)
    assert len(again.episodes(since=NOON)) == 1
    again.look([plex(0.7)], NOON + MINUTE)
    assert [hour.median for hour in hours(again)] == [0.7]


def test_the_first_release_reads_and_writes_on_after_a_rollback(history: History, tmp_path: Path):
    history.look([plex(0.5)], NOON)
    history.close()
    old = _checkout(tmp_path / "old")
    script = (
        "import sys; from datetime import datetime, UTC; from pathlib import Path;"
        "from journal.history import History;"
        "h = History(Path(sys.argv[1])); at = datetime.fromtimestamp(0, UTC);"
        "print(len(h.episodes(since=at))); h.look([], at)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(history.store.path)],
        cwd=old, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert len(hours(History(history.store.path))) == 1


def _checkout(folder: Path) -> Path:
    """The first release, from the repository's history."""
    packed = subprocess.run(
        ["git", "archive", FIRST_RELEASE, "journal", "tasks", "inventory"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    if packed.returncode:
        pytest.skip("this clone does not hold the first release")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder
