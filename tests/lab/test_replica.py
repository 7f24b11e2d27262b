"""An edge whose Caddy cannot answer: its replica of the tunnel asks the other edge's, or leaves."""

from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab.conftest import shell
from tests.patience import until
from tests.soak.replica import ADDRESS, are_whole, visiting

ANSWERS = "curl -so /dev/null http://127.0.0.1:8081/"


@pytest.fixture
def whole(lab: Lab) -> Iterator[Lab]:
    """Both edges serve, before and after."""
    until(lambda: are_whole(lab))
    yield lab
    shell(lab, "vps1", f"ip address replace {ADDRESS}; systemctl start caddy cloudflared")
    until(lambda: are_whole(lab))


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
