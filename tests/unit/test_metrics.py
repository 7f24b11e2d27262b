"""The metrics: as Prometheus reads them, and all that the dashboard asks for."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from inventory.catalogue import Catalogue
from inventory.load import load_catalogue
from journal.alerts.book import Book
from journal.availability import percent
from journal.felt import Felt
from journal.history import History
from journal.metrics import metrics
from journal.page.present import Present
from journal.page.services import rows
from journal.report import make_report
from tests.runbook import Runbook
from tests.site import ROOT, Site
from tests.unit.histories import run_deploy, run_drill
from tests.unit.looks import MINUTE, NOON, dead, disk, look, stopped

DASHBOARD = ROOT / "docs" / "grafana.json"
RULES = ROOT / "docs" / "prometheus-rules.yml"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def catalogue(site: Site) -> Catalogue:
    return load_catalogue(site.config)


@pytest.fixture
def text(catalogue: Catalogue, tmp_path: Path) -> str:
    """Of an edge that lost a host ten minutes ago, after a deploy and a drill."""
    history = History(tmp_path / "journal.db")
    run_deploy(history, NOON, status=1)
    run_drill(catalogue, history, NOON)
    history.look(look(), NOON)
    for minutes in (10, 20):
        found = look(dead("unraid"), disk("vps1", 90))
        history.look(found, NOON + minutes * MINUTE)
    return metrics(catalogue, history, found, NOON + 20 * MINUTE)


def samples(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float:
    return samples(text)[f"twinedge_{name}", frozenset(labels.items())]


def test_prometheus_reads_what_the_look_found(text: str):
    assert value(text, "last_look_timestamp_seconds") == (NOON + 20 * MINUTE).timestamp()
    assert value(text, "host_up", host="unraid") == 0
    assert value(text, "host_up", host="vps1") == 1
    assert value(text, "hop_problem", hop="host unraid", status="unreachable") == 1
    assert value(text, "hop_problem", hop="disk vps1", status="warn") == 1
    assert value(text, "service_up", service="plex", host="unraid", vantage="vps1") == 0
    assert value(text, "findings", check="host", status="unreachable") == 1


def test_prometheus_reads_what_the_history_knows(text: str):
    share = value(text, "service_availability_ratio", service="plex", window="24h")
    assert share == pytest.approx(10 / 20)
    assert value(text, "service_availability_ratio", service="organizr", window="30d") == 1
    assert value(text, "last_deploy_success") == 0
    assert value(text, "last_drill_success", service="organizr") == 1
    assert value(text, "alerts_waiting") == 0


def test_every_metric_is_explained_typed_named_and_stands_without_a_time(text: str):
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families) > 8
    for family in families:
        assert re.fullmatch(r"twinedge_[a-z_]+", family.name)
        assert family.documentation.endswith((".", "?")) and family.type == "gauge"
        assert all(sample.timestamp is None for sample in family.samples)


def test_hostile_names_stay_values(catalogue: Catalogue, tmp_path: Path):
    hostile = 'a"b\\c\nd} 1\nevil 1'
    found = [replace(f, hop=hostile) if f.host == "unraid" else f for f in look(dead("unraid"))]
    text = metrics(catalogue, History(tmp_path / "journal.db"), found, NOON)
    hops = [labels for (name, labels) in samples(text) if name == "twinedge_hop_problem"]
    assert frozenset({("hop", hostile), ("status", "unreachable")}) in hops
    assert "evil" not in {name for name, _ in samples(text)}


def test_the_dashboard_asks_for_nothing_that_is_not_written(text: str):
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    names = {name for expression in asked for name in re.findall(r"twinedge_[a-z_]+", expression)}
    written = {name for name, _ in samples(text)} | {"twinedge_service_response_seconds"}
    assert len(names) > 8
    assert names <= written
    for wanted in re.findall(r'window="([^"]+)"', " ".join(asked)):
        assert f'window="{wanted}"' in text


def test_the_alert_rules_ask_for_nothing_that_is_not_written(catalogue: Catalogue, text: str):
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
    names = {n for rule in rules for n in re.findall(r"twinedge_[a-z_]+", rule["expr"])}
    written = {name for name, _ in samples(text)}
    assert len(rules) == 7 and len(names) == 6
    assert names - written == {"twinedge_service_error_budget_left_ratio"}, "no objective here"
    states = {s for rule in rules for s in re.findall(r'state=~"([a-z|]+)"', rule["expr"])}
    known = {felt.name.lower() for felt in Felt}
    assert {state for group in states for state in group.split("|")} | {"well", "unknown"} == known


def test_page_report_and_metrics_give_the_same_numbers(catalogue: Catalogue, tmp_path: Path):
    services = dict(catalogue.services)
    services["plex"] = replace(services["plex"], objective=99.0)
    catalogue = replace(catalogue, services=services)
    history = History(tmp_path / "journal.db")
    history.store.read("PRAGMA synchronous = OFF")
    looks = [*range(0, 5), *range(700, 760)]  # a week apart, of which nobody watched the most
    for n in looks:
        at = NOON + 15 * n * MINUTE
        found = look(dead("unraid") if 720 < n < 730 or n == 2 else stopped("organizr", "vps2"))
        history.look(found, at)
        Book(history.store).note(at, [], [], ())
    now = at
    text = metrics(catalogue, history, found, now)
    made = make_report(
        history, now=now, back=timedelta(days=1), hosts=catalogue.hosts, services=services.values()
    )
    present = Present(catalogue=catalogue, episodes=history.present(), at=now)
    shown = {row.service.name: row for row in rows(present, history, now)}
    for service in ("plex", "radarr", "sonarr", "organizr"):
        for window, measured in made.services[service].items():
            label = window.replace(" ", "")
            ratio = value(text, "service_availability_ratio", service=service, window=label)
            assert ratio == pytest.approx(measured.share, rel=1e-9)
            assert shown[service].shares[window] == percent(measured.share or 0)
        state = shown[service].felt.name.lower()
        assert value(text, "service_state", service=service, state=state) == 1
    assert 0.5 < (made.services["plex"]["7 d"].share or 0) < 1, "there is something to compare"
    (one,) = made.objectives
    left = value(text, "service_error_budget_left_ratio", service="plex")
    assert left == pytest.approx(one.left_share, rel=1e-9) and left < 0


def test_verify_writes_the_file_that_the_inventory_names(site: Site, verify: Runbook):
    file = site.folder / "collector" / "twinedge.prom"
    site.change("defaults", "data.metrics", {"file": str(file)})
    assert verify("--quiet").err == ""
    text = file.read_text(encoding="utf-8")
    assert value(text, "host_up", host="vps1") == 1
    assert {name for name, _ in samples(text)} >= {"twinedge_service_up", "twinedge_findings"}
    assert (site.folder / "status" / "index.html").read_text(encoding="utf-8").startswith("<!doc")


def test_a_file_that_cannot_be_written_is_told_and_fails_nothing(site: Site, verify: Runbook):
    (site.folder / "collector").write_text("a file where the folder should be", encoding="utf-8")
    site.change("defaults", "data.metrics", {"file": str(site.folder / "collector" / "x.prom")})
    (site.folder / "status").write_text("another", encoding="utf-8")
    done = verify("--quiet")
    assert done.status == 0
    assert "metrics: " in done.err and "page: " in done.err
