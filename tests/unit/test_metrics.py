"""The metrics: as Prometheus reads them, and all that the dashboard asks for."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from inventory.catalogue import Catalogue
from inventory.load import load_catalogue
from journal.history import History
from journal.metrics import metrics
from tests.runbook import Runbook
from tests.site import ROOT, Site
from tests.unit.histories import run_deploy, run_drill
from tests.unit.looks import MINUTE, NOON, dead, disk, look

DASHBOARD = ROOT / "docs" / "grafana.json"
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
    from dataclasses import replace

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
