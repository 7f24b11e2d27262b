"""Twice the site is twice the work and no more: steps are counted, no clock is asked."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from inventory.catalogue import Catalogue
from journal.history import History
from journal.page.page import page
from journal.report import make_report
from runbooks.lines import out
from runbooks.survey import matrix
from runbooks.verify import CHECKS
from tasks.checks import mesh
from tasks.checks.diagnosis import diagnose, faults
from tasks.checks.finding import Finding, Status
from tasks.checks.survey import Survey
from tests.large import catalogue_of
from tests.site import ROOT
from tests.unit.surveys import Edge

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
TWICE = 2.5  # linear is 2, quadratic 4
OURS = (str(ROOT / "inventory"), str(ROOT / "journal"), str(ROOT / "runbooks"), str(ROOT / "tasks"))


def steps(work: Callable[[], object]) -> int:
    """How many lines of ours `work` runs; each turn of a loop is one."""
    count = 0

    def line(_: FrameType, event: str, __: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    def call(frame: FrameType, _: str, __: Any) -> Any:
        return line if frame.f_code.co_filename.startswith(OURS) else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def findings_of(survey: Survey) -> tuple[Finding, ...]:
    return diagnose(f for judges in CHECKS.values() for judge in judges for f in judge(survey))


def look(catalogue: Catalogue) -> Callable[[], object]:
    survey = Edge(catalogue).survey()

    def judge_and_show() -> None:
        findings = findings_of(survey)
        with out.capture():
            matrix.show_matrix(survey, findings)
            matrix.show_faults(faults(findings))

    return judge_and_show


def remembered(catalogue: Catalogue) -> History:
    history = History(catalogue.config.parent / "journal.db")
    history.look(findings_of(Edge(catalogue).survey()), NOON)
    history.look(findings_of(Edge(catalogue).survey()), NOON + timedelta(minutes=5))
    with history.store.transaction() as db:
        db.execute("INSERT INTO looks VALUES (?)", ((NOON + timedelta(minutes=5)).timestamp(),))
    return history


def status_page(catalogue: Catalogue) -> Callable[[], object]:
    history = remembered(catalogue)
    return lambda: page(catalogue, history, NOON + timedelta(minutes=6))


def report(catalogue: Catalogue) -> Callable[[], object]:
    history, day = remembered(catalogue), timedelta(days=1)
    return lambda: make_report(history, now=NOON + day / 2, back=day, hosts=catalogue.hosts)


@pytest.mark.parametrize("stage", [look, status_page, report])
def test_twice_the_hosts_and_services_are_twice_the_work(
    stage: Callable[[Catalogue], Callable[[], object]], tmp_path: Path
):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = steps(stage(catalogue_of(tmp_path / "one", 6, 24)))
    two = steps(stage(catalogue_of(tmp_path / "two", 12, 48)))
    assert two / one < TWICE


def test_the_names_are_put_together_once_for_all_answers_of_the_resolvers(tmp_path: Path):
    catalogue = catalogue_of(tmp_path, 3, 12)
    assert catalogue.records is catalogue.records
    assert catalogue.answers is catalogue.answers


def test_few_hosts_ping_all_others_and_many_the_edges(tmp_path: Path):
    few = catalogue_of(tmp_path, 5, 12)
    assert all(len(mesh.peers(host, few)) == 4 for host in few.hosts.values())
    many = catalogue_of(tmp_path, 60, 12)
    edges = set(many.edges)
    for host in many.hosts.values():
        asked = set(mesh.peers(host, many))
        assert asked == (set(many.hosts.values()) - {host} if host in edges else edges)


def test_a_look_takes_no_longer_for_the_episodes_that_were_noted_before(tmp_path: Path):
    history = History(tmp_path / "journal.db")
    one = Finding(
        check="service", subject="plex", vantage="vps1", status=Status.OK, seen="", expected=""
    )

    def work() -> int:
        count = 0

        def step() -> None:
            nonlocal count
            count += 1

        history.store._connection.set_progress_handler(step, 1)
        history.look([one], NOON)
        history.store._connection.set_progress_handler(None, 1)
        return count

    def note(episodes: int) -> None:
        with history.store.transaction() as db:
            db.executemany(
                'INSERT INTO episodes ("check", subject, vantage, hop, status, since, until, seen, '
                "expected, todo) VALUES ('service', 'plex', 'vps1', '', 0, ?, ?, '', '', '')",
                [(n, n) for n in range(episodes)],
            )

    note(10)
    short = work()
    note(2000)
    assert work() <= short * 1.5
