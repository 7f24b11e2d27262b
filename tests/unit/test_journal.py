"""The history: what it remembers, and what it does when its file fails."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journal.entries import DrillEntry, Run, Step
from journal.history import History
from journal.schema import MIGRATIONS
from journal.store import JournalError, Store
from tasks.checks.finding import Finding, Status
from tests.runbook import Done

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "new" / "journal.db")


def a_run(name: str = "one", began: datetime = NOON, kind: str = "verify") -> Run:
    return Run(id=name, kind=kind, began=began, operator="ann@vps2", commit="abc", asked="--quiet")


def plex(status: Status, seen: str = "") -> Finding:
    return Finding(
        check="service",
        subject="plex on unraid",
        vantage="vps2",
        status=status,
        seen=seen,
        expected="200",
        service="plex",
        host="unraid",
        hop="service plex on unraid",
    )


def test_a_run_is_remembered_with_what_it_did_and_how_it_ended(history: History):
    history.begin(a_run())
    step = Step(at=NOON, words="staging")
    history.end("one", at=NOON + timedelta(seconds=3), status=1, words="vps1 is down", steps=[step])
    (run,) = history.runs(since=NOON)
    assert (run.seconds, run.status, run.words) == (3.0, 1, "vps1 is down")
    assert history.steps("one") == [step]


def test_a_run_that_was_killed_is_one_without_an_end(history: History):
    history.begin(a_run())
    (run,) = history.runs(since=NOON)
    assert run.ended is None


def test_a_state_that_stays_is_one_episode_however_often_it_is_seen(history: History):
    for minute in (0, 5, 10):
        history.look([plex(Status.OK)], NOON + timedelta(minutes=minute))
    (episode,) = history.episodes(since=NOON)
    assert (episode.since, episode.until) == (NOON, NOON + timedelta(minutes=10))


def test_an_outage_lasts_from_the_look_that_saw_it_to_the_look_that_saw_its_end(history: History):
    looks = [Status.OK, Status.FAILED, Status.FAILED, Status.OK]
    for n, status in enumerate(looks):
        history.look([plex(status, seen=f"look {n}")], NOON + timedelta(minutes=5 * n))
    outage = history.episodes(since=NOON)[1]
    assert outage.status is Status.FAILED
    assert outage.within(NOON, NOON + timedelta(days=1)) == 600
    assert outage.within(NOON, NOON + timedelta(minutes=7)) == 120
    assert outage.seen == "look 2"


def test_a_time_in_which_nobody_looked_belongs_to_no_episode(history: History):
    history.look([plex(Status.OK)], NOON)
    history.look([plex(Status.OK)], NOON + timedelta(hours=3))
    first, second = history.episodes(since=NOON)
    assert first.until == NOON
    assert second.since == NOON + timedelta(hours=3)


def test_the_present_is_the_last_state_of_every_part(history: History):
    history.look([plex(Status.OK)], NOON)
    history.look([plex(Status.FAILED)], NOON + timedelta(minutes=5))
    assert [episode.status for episode in history.present()] == [Status.FAILED]


def test_a_drill_keeps_its_numbers_and_goes_with_its_run(history: History):
    history.begin(a_run(kind="drill"))
    drill = DrillEntry(
        run="one", service="plex", fault="stop", host="unraid", kept=True, document={"rate": 10}
    )
    history.drilled(drill)
    ((run, kept),) = history.drills(since=NOON)
    assert (run.id, kept) == ("one", drill)


def test_what_is_older_than_the_retention_is_forgotten(history: History):
    history.begin(a_run("old"))
    history.look([plex(Status.OK)], NOON)
    history.begin(a_run("new", NOON + timedelta(days=91)))
    assert [run.id for run in history.runs(since=NOON)] == ["new"]
    assert history.episodes(since=NOON) == []


def test_a_locked_journal_is_said_and_keeps_nobody_for_ever(history: History):
    other = sqlite3.connect(history.store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError, match="another run has held it for over 1 s"):
        history.begin(a_run())
    other.close()


def test_a_transaction_that_fails_half_way_leaves_nothing(history: History):
    class DiskFullError(sqlite3.OperationalError): ...

    with pytest.raises(JournalError), history.store.transaction() as db:
        db.execute("INSERT INTO steps VALUES ('one', 1.0, 'half')")
        raise DiskFullError("database or disk is full")
    assert history.steps("one") == []


def test_a_file_that_is_no_journal_is_refused_in_words(tmp_path: Path):
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is not SQLite, and long enough to look at" * 40)
    with pytest.raises(JournalError, match="move it away"):
        History(path)


def test_a_journal_of_a_newer_twinedge_is_left_alone(history: History):
    Store(history.store.path, (*MIGRATIONS, "CREATE TABLE later (id INTEGER);"))
    with pytest.raises(JournalError, match="git pull"):
        History(history.store.path)


def test_an_older_journal_is_brought_up_to_date_and_keeps_its_rows(history: History):
    history.begin(a_run())
    newer = Store(history.store.path, (*MIGRATIONS, "CREATE TABLE later (id INTEGER);"))
    assert len(newer.read("SELECT * FROM runs")) == 1
    assert newer.read("SELECT * FROM later") == []


def test_a_deploy_is_remembered_with_its_steps(deploy: Callable[..., Done], site: object):
    assert deploy("--apply").status == 0
    history = History(site.journal)
    (run,) = history.runs(since=NOON - timedelta(days=9000))
    assert (run.kind, run.status) == ("deploy", 0)
    assert "vps1: 11 files put in place" in run.words
    assert "confirming" in [step.words for step in history.steps(run.id)]


def test_a_journal_that_cannot_be_written_never_stops_a_deploy(
    deploy: Callable[..., Done], site: object
):
    site.journal.parent.write_text("a file where the folder should be", encoding="utf-8")
    done = deploy("--apply")
    assert done.status == 0
    assert done.err.count("not remembered") == 1
