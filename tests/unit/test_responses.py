"""Response times: percentiles of each hour, bounded, in a file that 0.1.0 still reads."""

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from inventory.watch import Channel
from journal import responses
from journal.alerts.book import Book
from journal.alerts.notice import Kind, Notice
from journal.alerts.problem import Look
from journal.alerts.words import Message
from journal.history import History
from journal.schema import ADDED
from tasks.checks.finding import Finding, Status
from tests.unit.looks import MINUTE, NOON, healthy, look, stopped


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


def test_a_journal_of_before_gets_what_is_new_and_keeps_its_rows(history: History):
    history.look([plex(0.5)], NOON)
    with history.store.transaction() as db:
        for name, script in ADDED.items():
            db.execute(f"DROP {script.split()[1]} {name}")  # TABLE or INDEX
    again = History(history.store.path)
    assert len(again.episodes(since=NOON)) == 1
    again.look([plex(0.7)], NOON + MINUTE)
    assert [hour.median for hour in hours(again)] == [0.7]


def test_the_first_release_reads_and_writes_on_after_a_rollback(
    history: History, version_0_1_0: Path
):
    history.look([plex(0.5)], NOON)
    problem = Look.of(look(stopped("plex", "unraid"))).problems["service plex@unraid"]
    known = Notice(problem=problem, since=NOON, looks=1, acknowledged="ann@vps2")
    told = Message(at=NOON, kind=Kind.NEW, status=Status.FAILED, title="t", body="b", hops=("h",))
    Book(history.store).note(NOON, [known], [told], [Channel(url="env:A")])
    history.close()
    script = (
        "import sys; from datetime import datetime, UTC; from pathlib import Path;"
        "from journal.history import History; from journal.alerts.book import Book;"
        "h = History(Path(sys.argv[1])); b = Book(h.store);"
        "print(len(h.episodes(since=datetime.fromtimestamp(0, UTC))), len(b.notices()),"
        " len(b.waiting())); h.look([], datetime.now(UTC));"
        "b.note(datetime.fromtimestamp(0, UTC), b.notices(), [], ('env:A',))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(history.store.path)],
        cwd=version_0_1_0, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("1 1 1\n", "")
    again = History(history.store.path)
    assert len(hours(again)) == 1
    assert len(Book(again.store).told_of("h", since=NOON, until=NOON + MINUTE)) == 1
