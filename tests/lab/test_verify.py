"""Verify on the lab: silent when all is well, and each fault named by its own hop."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab.api import Lab
from tests.lab.conftest import runbook
from tests.lab.faults_of_verify import BROKEN, Broken
from tests.patience import until


def broken_findings(lab: Lab, *arguments: str, host: str = "vps2") -> tuple[int, list[Any]]:
    """The exit status, and what verify holds for broken and not for a consequence."""
    done = runbook(lab, "verify", "--json", *arguments, host=host)
    assert done.stdout, done.stderr
    findings = json.loads(done.stdout)["findings"]
    roots = [f for f in findings if f["status"] not in ("ok", "skipped") and not f["cause"]]
    return done.returncode, roots


def failed_hops(roots: list[Any]) -> set[str]:
    """Warnings aside: Caddy itself is late by up to 30 s, and verify says so."""
    return {finding["hop"] for finding in roots if finding["status"] != "warn"}


@pytest.fixture
def steady_lab(lab: Lab) -> Iterator[Lab]:
    """The lab once nothing is left to be said about it."""
    until(lambda: broken_findings(lab, "--strict")[0] == 0, every=1)
    yield lab


def is_late_caddy(finding: Any) -> bool:
    """True on a machine so busy that a Caddy had one slow health answer."""
    return finding["status"] == "warn" and "Caddy goes back after" in finding["todo"]


def test_a_healthy_lab_gives_no_finding_in_20_runs(steady_lab: Lab):
    for _ in range(20):
        status, roots = broken_findings(steady_lab)
        assert (status, [each for each in roots if not is_late_caddy(each)]) == (0, [])


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name.replace(" ", "-"))
def test_each_fault_is_named_by_its_hop_and_nothing_else(steady_lab: Lab, broken: Broken):
    try:
        broken.begin(steady_lab)
        status, roots = broken_findings(steady_lab)
    finally:
        broken.end(steady_lab)
    assert failed_hops(roots) - broken.artefacts == {broken.hop}, roots
    assert any(broken.seen in finding["seen"] for finding in roots), roots
    assert status == broken.status


def test_a_cut_between_the_edges_is_named_as_their_mesh(steady_lab: Lab):
    steady_lab.fault("partition", "vps1", other="vps2")
    status, roots = broken_findings(steady_lab, host="client")
    assert status == 1
    assert failed_hops(roots) == {"mesh vps1 to vps2", "mesh vps2 to vps1"}
