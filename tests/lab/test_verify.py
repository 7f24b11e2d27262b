"""Verify on the lab: silent when all is well, and each fault named by its own hop."""

import json
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import pytest

from lab.api import Lab
from tests.lab.conftest import runbook
from tests.lab.faults_of_verify import BROKEN, Broken

HEALTHY_SECONDS = 5.0
PATIENCE = 60.0  # seconds until the lab has got over the test before


def broken_findings(lab: Lab, *arguments: str, host: str = "vps2") -> tuple[int, list[Any]]:
    """The exit status, and what verify holds for broken and not for a consequence."""
    done = runbook(lab, "verify", "--json", *arguments, host=host, timeout=60)
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
    deadline = time.monotonic() + PATIENCE
    while (said := broken_findings(lab, "--strict"))[0]:
        assert time.monotonic() < deadline, said
        time.sleep(1)
    yield lab


def test_a_healthy_lab_gives_no_finding_in_20_runs_of_under_5_seconds(steady_lab: Lab):
    took = []
    for _ in range(20):
        started = time.monotonic()
        status, roots = broken_findings(steady_lab, "--strict")
        took.append(time.monotonic() - started)
        assert (status, roots) == (0, [])
    assert median(took) < HEALTHY_SECONDS, took


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name.replace(" ", "-"))
def test_each_fault_is_named_by_its_hop_and_nothing_else(steady_lab: Lab, broken: Broken):
    try:
        broken.begin(steady_lab)
        started = time.monotonic()
        status, roots = broken_findings(steady_lab)
        assert time.monotonic() - started < HEALTHY_SECONDS + 5.0
    finally:
        broken.end(steady_lab)
    assert failed_hops(roots) == {broken.hop}
    assert any(broken.seen in finding["seen"] for finding in roots), roots
    assert status == broken.status


def test_a_cut_between_the_edges_is_named_as_their_mesh(steady_lab: Lab):
    steady_lab.fault("partition", "vps1", other="vps2")
    status, roots = broken_findings(steady_lab, host="client")
    assert status == 1
    assert failed_hops(roots) == {"mesh vps1 to vps2", "mesh vps2 to vps1"}
