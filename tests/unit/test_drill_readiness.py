"""Would each service fail over? Judged from what a healthy edge answers, with one thing bent."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tasks.checks import caddy_config
from tests.runbook import Runbook
from tests.unit.surveys import Edge, ok, stop_service

ORGANIZR = {"vps1": "100.67.88.109:80", "vps2": "100.102.55.88:80"}


@pytest.fixture
def check(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, in_process: Callable[[str], Runbook]
) -> Runbook:
    """Runs runbooks/failover.py --check in this process; `edge` answers in place of hosts."""
    monkeypatch.setattr("runbooks.survey.inquiry.Inquiry.take", lambda _: edge.survey())
    failover = in_process("failover")
    return lambda *flags: failover("--check", *flags)


def hold_down(edge: Edge, host: str) -> None:
    """vps1's Caddy holds organizr on `host` for down, and serves it from the other one."""
    gauge = f'{caddy_config.GAUGE}{ORGANIZR[host]}"}} 0'
    edge.replies["vps1", caddy_config.METRICS] = ok(gauge)
    route = edge.routes["organizr", "vps1"]
    if host == "vps2":
        edge.routes["organizr", "vps1"] = replace(route, served_by=ORGANIZR["vps1"])


@pytest.mark.parametrize("host", ["vps1", "vps2"])
def test_a_caddy_that_saw_one_slow_health_answer_is_told_and_keeps_nothing_from_failing_over(
    check: Runbook, edge: Edge, host: str
):
    hold_down(edge, host)
    done = check("--service", "organizr")
    assert "organizr: would fail over from vps2 to vps1" in done.out
    assert "Caddy goes back after two good health checks" in " ".join(done.out.split())
    assert done.status == 0


def test_a_fallback_that_does_not_answer_keeps_its_service_from_failing_over(
    check: Runbook, edge: Edge
):
    stop_service(edge, "organizr", "vps1")
    done = check()
    assert "organizr: would fail over NOT as promised" in done.out
    assert "uptime-kuma: would fail over from vps1 to vps2" in done.out
    assert done.status == 1
