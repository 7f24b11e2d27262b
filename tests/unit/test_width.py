"""In a pipe no runbook says a line over 80 columns (runbooks/lines.py has the rule)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inventory.load import load_catalogue
from journal.history import History
from runbooks.drill import show
from tasks.drill.faults import make_fault
from tasks.drill.result import conclude
from tasks.probe import Answer
from tests.large import catalogue_of
from tests.runbook import Done, Runbook
from tests.site import Site
from tests.unit.drills import MOMENTS, clean_failover
from tests.unit.fakehosts import FakeHosts
from tests.unit.histories import run_deploy, run_drill
from tests.unit.surveys import Edge, stop_service
from tests.unit.test_linear import findings_of
from tests.width import too_wide


@pytest.fixture(autouse=True)
def a_pipe(a_sentence_is_one_line: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")


def break_much(edge: Edge) -> None:
    stop_service(edge, "organizr", "vps2")
    edge.lost["unraid"] = "timed out"
    edge.strangers["plex"] = Answer(status=200, body="MediaContainer")
    edge.names["sabnzbd", "vps1"] = Answer(status=None, error="no answer within 5 s")


def test_a_deploy_its_rollback_and_what_looks_at_the_hosts_beside(
    deploy: Runbook, in_process: Callable[[str], Runbook], hosts: FakeHosts, site: Site
):
    rollback, status, retire = (in_process(name) for name in ("rollback", "status", "retire"))
    doctor, schedule = in_process("doctor"), in_process("schedule")
    site.change("services", "services.plex.aliases", ["films-and-series-of-the-family"])
    told = [deploy(), deploy("--apply"), deploy(), deploy("--apply"), doctor(), status()]
    site.change("services", "services.plex.hostname", "movies")
    hosts["vps1"].mcp.write_text("by hand\n")
    told += [deploy("--keep", "20", "--window", "60"), status(), deploy("--apply"), rollback()]
    told += [rollback("--to", "previous"), rollback("--to", "previous", "--apply")]
    told += [deploy("--host", "vps9"), retire("vps1"), schedule()]
    assert {done.status for done in told[:4]} == {0}
    assert too_wide(*told) == []


def test_verify_and_readiness_of_an_edge_where_much_is_broken(
    verify: Runbook, edge: Edge, in_process: Callable[[str], Runbook]
):
    break_much(edge)
    assert too_wide(verify(), verify("--quiet"), in_process("failover")("--check")) == []


def test_verify_of_many_hosts(
    tmp_path: Path, in_process: Callable[[str], Runbook], monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "many").mkdir()
    edge = Edge(catalogue_of(tmp_path / "many", 14, 20))
    break_much(edge)
    monkeypatch.setattr("runbooks.survey.inquiry.Inquiry.take", lambda _: edge.survey())
    assert too_wide(in_process("verify")()) == []


def test_a_report_of_outages_deploys_and_drills(
    site: Site, edge: Edge, in_process: Callable[[str], Runbook]
):
    history, now = History(site.journal), datetime.now(UTC)
    run_deploy(history, now - timedelta(hours=5), 0)
    run_deploy(history, now - timedelta(hours=4), 1)
    history.look(findings_of(edge.survey()), now - timedelta(minutes=20))
    break_much(edge)
    for minutes in (15, 10, 5):
        history.look(findings_of(edge.survey()), now - timedelta(minutes=minutes))
    run_drill(load_catalogue(site.config), history, now - timedelta(hours=2))
    history.close()
    report, alerts = in_process("report"), in_process("alerts")
    told = [report(), report("--all"), report("--down", "plex"), report("--down", "nobody")]
    assert told[0].status == 0
    assert too_wide(*told, alerts()) == []


def test_a_drills_result(site: Site, capsys: pytest.CaptureFixture[str]):
    catalogue = load_catalogue(site.config)
    service = catalogue.services["organizr"]
    fault = make_fault("stop", catalogue, service, "vps2")
    rows = clean_failover()
    result = conclude(service, fault, rows, MOMENTS, rate=10, began=datetime.now(UTC), unseen={})
    show.show_result(result, Path("reports/drill-20260301T120000-1234-organizr.html"))
    show.say_event("the fault is on vps2, which restores by itself after 120 s, " * 3)
    said = capsys.readouterr()
    assert too_wide(Done(0, said.out, said.err)) == []


def test_outside_without_a_token(in_process: Callable[[str], Runbook]):
    assert too_wide(in_process("outside")()) == []
