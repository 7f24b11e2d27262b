"""Verify on the lab: silent when all is well, and each fault named by its own hop."""

from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab.faults_of_verify import BROKEN, Broken
from tests.lab.verified import broken_findings, failed_hops, is_late_caddy
from tests.patience import until


@pytest.fixture
def steady_lab(lab: Lab) -> Iterator[Lab]:
    """The lab once nothing is left to be said about it."""
    until(lambda: broken_findings(lab, "--strict")[0] == 0, every=1)
    yield lab


def test_a_healthy_lab_gives_no_finding_in_five_runs(steady_lab: Lab):
    """`script/soak healthy` asks 20 times on each kind of lab."""
    for _ in range(5):
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
    assert any(broken.seen in f"{one['seen']} {one['why']}" for one in roots), roots
    assert any(broken.todo in one["todo"] for one in roots), roots
    assert status == broken.status


def test_a_cut_between_the_edges_is_named_as_their_mesh(steady_lab: Lab):
    steady_lab.fault("partition", "vps1", other="vps2")
    status, roots = broken_findings(steady_lab, host="client")
    assert status == 1
    assert failed_hops(roots) == {"mesh vps1 to vps2", "mesh vps2 to vps1"}
