"""An edge whose Caddy cannot answer: its replica of the tunnel asks the other edge's, or leaves."""

from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab.conftest import DEPLOY, EDGES, shell
from tests.patience import until
from tests.soak.replica import ADDRESS, ANSWERS, are_whole, left, replicas, visiting


@pytest.fixture
def whole(lab: Lab) -> Iterator[Lab]:
    """Both edges serve, before and after."""
    until(lambda: are_whole(lab))
    yield lab
    shell(lab, "vps1", f"ip address replace {ADDRESS}; systemctl kill -s CONT caddy; "
                       "systemctl start caddy cloudflared")  # fmt: skip
    until(lambda: are_whole(lab))


def leaves(lab: Lab, why: str) -> float:
    """When vps1's replica is out of the tunnel, by the clock; how many are lost until then is the
    machine's affair, and docs/drills.md has it measured.
    """
    until(lambda: left(lab))
    assert left(lab) == why
    until(lambda: len(replicas(lab)) == 1)
    return float(shell(lab, "client", "date +%s.%N"))


def test_a_caddy_that_is_stopped_or_started_anew_costs_no_visitor_anything(whole: Lab):
    with visiting(whole) as visits:
        shell(whole, "vps1", "systemctl stop caddy; sleep 2")
        assert shell(whole, "vps1", "systemctl is-active caddy || :").strip() == "inactive"
        shell(whole, "vps1", "systemctl start caddy; sleep 1; systemctl restart caddy")
    assert visits.sent > 100
    assert visits.lost == ()


def test_a_caddy_that_is_killed_comes_back_and_costs_a_visit_at_the_most(whole: Lab):
    with visiting(whole) as visits:
        shell(whole, "vps1", f"systemctl kill -s KILL caddy; until {ANSWERS}; do sleep 0.1; done")
    assert len(visits.lost) <= 1, visits.lost


def test_an_edge_whose_tailnet_address_comes_late_costs_no_visitor_anything(whole: Lab):
    """As at a boot in which tailscaled is slow."""
    shell(whole, "vps1", f"systemctl stop cloudflared caddy; ip address delete {ADDRESS}")
    with visiting(whole) as visits:
        shell(whole, "vps1", "systemctl --no-block start caddy cloudflared; sleep 4")
        shell(whole, "vps1", f"ip address replace {ADDRESS}; until {ANSWERS}; do sleep 0.1; done")
        until(lambda: are_whole(whole))
    assert visits.lost == ()


def test_a_caddy_that_hangs_takes_its_replica_out_of_the_tunnel_and_is_started_anew(whole: Lab):
    with visiting(whole) as visits:
        shell(whole, "vps1", "systemctl kill -s STOP caddy")
        gone = leaves(whole, "its Caddy did not answer")
        until(lambda: not left(whole) and are_whole(whole))
    assert [what for at, what in visits.lost if at > gone] == []


def test_an_edge_that_loses_its_tailnet_address_leaves_the_tunnel_until_it_is_back(whole: Lab):
    with visiting(whole) as visits:
        shell(whole, "vps1", f"ip address delete {ADDRESS}")
        gone = leaves(whole, "its tailnet address 100.67.88.109 is gone")
        shell(whole, "vps1", f"sleep 2; ip address replace {ADDRESS}")
        until(lambda: not left(whole) and are_whole(whole))
    assert [what for at, what in visits.lost if at > gone] == []


def test_caddys_that_are_silent_on_both_edges_take_neither_out_of_the_tunnel(whole: Lab):
    """As where both have more to do than they can."""
    before = replicas(whole)
    for edge in EDGES:
        shell(whole, edge, "systemctl kill -s STOP caddy")
    shell(whole, "vps1", "sleep 4")
    for edge in reversed(EDGES):
        shell(whole, edge, "systemctl kill -s CONT caddy")
    assert [left(whole, edge) for edge in EDGES] == ["", ""]
    assert replicas(whole) == before


def test_an_ill_service_moves_no_replica_nor_does_a_deploy_which_mends_a_dead_caddy(whole: Lab):
    before = replicas(whole)
    whole.fault("hang", "radarr@unraid")
    with visiting(whole):
        shell(whole, "vps1", "sleep 3")
    whole.heal()
    with visiting(whole) as visits:
        shell(whole, "vps1", "echo no-such-directive >> /etc/caddy/Caddyfile; "
                             "systemctl restart caddy; sleep 2")  # fmt: skip
        shell(whole, "vps2", "echo >> /etc/caddy/Caddyfile")
        deploy = whole.run("vps2", DEPLOY)
        assert deploy.returncode == 0, deploy.stdout + deploy.stderr
    assert visits.lost == ()
    assert shell(whole, "vps1", "systemctl is-active caddy").strip() == "active"
    assert replicas(whole) == before
