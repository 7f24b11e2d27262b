"""The diagnosis: one fault in, one hop out, and the rest told as its consequence."""

from dataclasses import replace

import pytest

from inventory.load import load_catalogue
from runbooks.verify import CHECKS, judge
from tasks.checks.diagnosis import Fault, diagnose, faults, verdict
from tasks.checks.finding import Finding, Status
from tasks.probe import Answer
from tests.site import Site
from tests.unit.surveys import NO_CONNECTION, REFUSED, Edge, lose_host, ok, stop_service

BAD_GATEWAY = Answer(status=502)


@pytest.fixture
def edge(site: Site) -> Edge:
    return Edge(load_catalogue(site.config))


def diagnosed(edge: Edge) -> tuple[Finding, ...]:
    return diagnose(judge(edge.survey(), CHECKS))


def named(edge: Edge) -> tuple[Fault, ...]:
    return faults(diagnosed(edge))


def hops(edge: Edge) -> list[str]:
    return [fault.first.hop for fault in named(edge)]


def test_a_healthy_edge_has_nothing_to_name(edge: Edge):
    findings = diagnosed(edge)
    assert {f.status for f in findings} == {Status.OK}
    assert {f.check for f in findings} == set(CHECKS) - {"cloudflare"}, "there is no token"
    assert verdict(findings, strict=True) is Status.OK


def test_a_stopped_fallback_is_that_placement_and_nothing_else(edge: Edge):
    stop_service(edge, "organizr", "vps1")
    assert hops(edge) == ["service organizr@vps1"]


def test_a_stopped_only_placement_explains_both_caddys_and_the_outside(edge: Edge):
    stop_service(edge, "radarr", "unraid")
    for name in ("vps1", "vps2"):
        edge.routes["radarr", name] = BAD_GATEWAY
        edge.replies[name, "loopback radarr"] = ok("502 0.01 no")
    edge.guests["radarr"] = BAD_GATEWAY
    (fault,) = named(edge)
    assert fault.first.hop == "service radarr@unraid"
    assert fault.vantages == ("vps2", "vps1")
    assert fault.follow == 5


def test_a_wrong_body_through_caddy_follows_from_the_placement_that_gave_it(edge: Edge):
    wrong = Answer(status=200, body="<html>")
    edge.direct["organizr", "vps2"] = wrong
    for name in ("vps1", "vps2"):
        edge.replies[name, "direct organizr@vps2"] = ok("200 0.01 no\n<html>")
        edge.replies[name, "loopback organizr"] = ok("200 0.01 no\n<html>")
        edge.routes["organizr", name] = replace(wrong, served_by="100.102.55.88:80")
    edge.guests["organizr"] = wrong
    assert hops(edge) == ["service organizr@vps2"]


def test_a_wrong_body_follows_from_its_placement_though_the_next_request_went_elsewhere(edge: Edge):
    """Caddy's health check fell between the two requests of one look."""
    edge.direct["organizr", "vps2"] = Answer(status=200, body="<html>")
    for name in ("vps1", "vps2"):
        edge.replies[name, "direct organizr@vps2"] = ok("200 0.01 no\n<html>")
        edge.replies[name, "loopback organizr"] = ok("200 0.02 no\n<html>")
        edge.routes["organizr", name] = replace(edge.good("organizr"), served_by="100.67.88.109:80")
    assert hops(edge) == ["service organizr@vps2"]


def test_a_caddy_that_does_not_use_its_fallback_is_named_though_the_primary_is_down(edge: Edge):
    stop_service(edge, "organizr", "vps2")
    edge.routes["organizr", "vps1"] = BAD_GATEWAY
    edge.routes["organizr", "vps2"] = replace(edge.good("organizr"), served_by="100.67.88.109:80")
    assert sorted(hops(edge)) == ["caddy vps1", "service organizr@vps2"]


def test_one_port_that_one_edge_cannot_reach_is_told_with_what_both_others_see(edge: Edge):
    edge.replies["vps1", "direct organizr@vps2"] = REFUSED
    edge.routes["organizr", "vps1"] = replace(edge.good("organizr"), served_by="100.67.88.109:80")
    (fault,) = named(edge)
    assert fault.first.hop == "mesh vps1 to vps2"
    assert fault.first.why == "direct ok from vps2, vps1 cannot reach vps2:80"


def test_a_stopped_caddy_explains_every_route_through_it(edge: Edge):
    units = edge.replies["vps1", "units"].text
    edge.replies["vps1", "units"] = ok(units.replace("active", "inactive", 1))
    edge.replies["vps1", "caddy config"] = REFUSED
    for service in edge.catalogue.web_services:
        edge.routes[service.name, "vps1"] = NO_CONNECTION
        edge.replies["vps1", f"loopback {service.name}"] = REFUSED
        edge.guests[service.name] = BAD_GATEWAY
    (fault,) = named(edge)
    assert (fault.first.hop, fault.first.seen) == ("caddy vps1", "unit caddy is inactive")


def test_a_caddy_that_answers_502_for_healthy_placements_is_the_broken_hop(edge: Edge):
    edge.routes["organizr", "vps1"] = BAD_GATEWAY
    (fault,) = named(edge)
    assert fault.first.hop == "caddy vps1"
    assert fault.first.why == "direct ok on vps2 and vps1, vps1's Caddy answers 502"


def test_a_dead_host_is_one_finding_and_unreachable_is_not_failed(edge: Edge):
    lose_host(edge, "vps1")
    assert hops(edge) == ["host vps1"]
    assert verdict(diagnosed(edge)) is Status.UNREACHABLE


def test_a_host_that_serves_but_refuses_ssh_hides_no_other_fault(edge: Edge):
    edge.lost["unraid"] = "unraid refuses the key"
    stop_service(edge, "radarr", "unraid")
    assert sorted(hops(edge)) == ["service radarr@unraid", "ssh unraid"]
    assert verdict(diagnosed(edge)) is Status.FAILED


def test_a_warning_explains_a_warning_and_never_a_failure(edge: Edge):
    upstream = 'caddy_reverse_proxy_upstreams_healthy{upstream="100.102.55.88:80"} 0'
    edge.replies["vps1", "caddy metrics"] = ok(upstream)
    edge.routes["organizr", "vps1"] = replace(edge.good("organizr"), served_by="100.67.88.109:80")
    (fault,) = named(edge)
    assert fault.first.subject == "vps1's view of organizr@vps2"
    edge.routes["organizr", "vps1"] = BAD_GATEWAY
    assert [fault.status for fault in named(edge)] == [Status.FAILED, Status.WARN]


def test_warnings_fail_only_when_strict(edge: Edge):
    edge.replies["vps1", "reach vps2"] = ok("pong from vps2 (1.2.3.4) via DERP(fra) in 30ms")
    assert verdict(diagnosed(edge)) is Status.OK
    assert verdict(diagnosed(edge), strict=True) is Status.FAILED


def test_one_vantage_that_gets_a_wrong_answer_has_a_way_and_the_service_is_at_fault(edge: Edge):
    edge.replies["vps1", "direct plex@unraid"] = ok("503 0.01 no\nstarting")
    assert hops(edge) == ["service plex@unraid"]


def test_worst_comes_first(edge: Edge):
    edge.replies["vps1", "reach unraid"] = ok("pong from unraid (1.2.3.4) via DERP(fra) in 30ms")
    edge.strangers["plex"] = Answer(status=200, body="MediaContainer")
    lose_host(edge, "vps2")
    assert [fault.status for fault in named(edge)] == sorted(
        (fault.status for fault in named(edge)), reverse=True
    )
