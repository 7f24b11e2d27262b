"""Verify names what the user has to mend: one fault, its cause, and the way out."""

from collections.abc import Mapping
from typing import Any

import pytest

from inventory.load import load_catalogue
from runbooks.verify import CHECKS, judge
from tasks.checks import refusal
from tasks.checks.diagnosis import diagnose, faults
from tasks.checks.finding import Finding
from tasks.observe import Reply
from tasks.probe import Answer
from tests.site import Site
from tests.unit.surveys import Edge, ok, stop_service

REFUSED = Answer(status=403, body="Access denied - Hostname verification failed")


@pytest.fixture
def edge(site: Site) -> Edge:
    for group in ("edge", "media"):
        site.change("groups", f"{group}.data.manager", "systemd")
    return Edge(load_catalogue(site.config))


def the_fault(edge: Edge) -> Finding:
    """The only hop that is named."""
    found = faults(diagnose(judge(edge.survey(), CHECKS)))
    assert len({fault.first.hop for fault in found}) == 1, [str(f.first) for f in found]
    return found[0].first


def stop(edge: Edge, *, listening: str, holders: str = "") -> None:
    """organizr on vps2 answers nobody; what the host tells of its sockets."""
    stop_service(edge, "organizr", "vps2")
    edge.replies["vps2", "listening"] = ok(listening)
    edge.replies["vps2", "holders"] = ok(holders)


def unit_is(edge: Edge, host: str, unit: str, state: str) -> None:
    told = edge.replies[host, "units"].text
    edge.replies[host, "units"] = ok(
        told.replace(f"Id={unit}.service\nActiveState=active",
                     f"Id={unit}.service\nActiveState={state}")
    )  # fmt: skip


def test_a_service_on_loopback_alone_is_told_with_the_address_that_it_needs(edge: Edge):
    stop(edge, listening="listens tcp 0100007F:0050")
    fault = the_fault(edge)
    assert fault.hop == "service organizr@vps2"
    assert fault.why == "it listens on loopback only (127.0.0.1:80)"
    assert "let organizr listen on 100.102.55.88" in fault.todo


def test_a_wrong_port_is_told_though_the_unit_is_well(edge: Edge):
    unit = edge.catalogue.services["organizr"].unit
    stop(edge, listening="listens tcp 00000000:1F90", holders=f"8080 {unit}.service php")
    fault = the_fault(edge)
    assert fault.why == "it is well and listens on 8080, nothing on 80"
    assert fault.todo.startswith("services.yaml: organizr: port: 8080")


def test_who_holds_the_port_of_a_service_that_cannot_start_is_named(edge: Edge):
    unit = edge.catalogue.services["organizr"].unit
    stop(edge, listening="listens tcp 00000000:0050", holders="80 nginx.service nginx")
    unit_is(edge, "vps2", unit, "failed")
    fault = the_fault(edge)
    assert fault.why == "port 80 is held by nginx (nginx.service)"
    assert f"then systemctl restart {unit}" in fault.todo


def test_who_holds_caddys_port_is_named(edge: Edge):
    unit_is(edge, "vps1", "caddy", "failed")
    edge.replies["vps1", "caddy config"] = Reply(status=7, text="")
    edge.replies["vps1", "holders"] = ok("443 apache2.service apache2\n8081 - docker-proxy")
    for name, on in edge.routes:
        if on == "vps1":
            edge.routes[name, on] = Answer(status=None, error="certificate refused: other")
    fault = the_fault(edge)
    assert (fault.hop, fault.why) == (
        "caddy vps1", "port 443 is held by apache2 (apache2.service)",
    )  # fmt: skip


def test_a_firewall_on_443_is_one_fault_and_not_caddys(edge: Edge):
    for name, on in edge.routes:
        if on == "vps1":
            edge.routes[name, on] = Answer(status=None, error="no connection within 5 s")
    fault = the_fault(edge)
    assert fault.hop == "firewall vps1"
    assert "ufw allow in on tailscale0 to any port 443" in fault.todo


def test_names_that_no_public_dns_knows_are_one_fault_with_the_command(edge: Edge):
    unknown = Answer(status=None, error="1.1.1.1 knows no address (NXDOMAIN)")
    for name in ("plex", "radarr"):
        edge.strangers[name] = edge.guests[name] = unknown
    found = faults(diagnose(judge(edge.survey(), CHECKS)))
    (fault,) = found
    assert fault.first.hop == "public dns" and fault.follow == 4
    tunnel = edge.catalogue.site.tunnel.id
    assert f"cloudflared tunnel route dns {tunnel} plex.home.example" in fault.first.todo


def test_a_service_that_refuses_its_name_is_named_with_rule_and_setting(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
):
    def ask(
        way: Any, *, timeout: float, hostname: str | None, headers: Mapping[str, str]
    ) -> Answer:
        return REFUSED if hostname else Answer(status=200, body="version")

    monkeypatch.setattr("tasks.way.Way.ask", ask)
    service = edge.catalogue.services["sabnzbd"]
    for name in ("vps1", "vps2"):
        edge.routes["sabnzbd", name] = REFUSED
        edge.replies[name, "loopback sabnzbd"] = ok("403 0.01 no\nAccess denied")
        edge.refusals["sabnzbd", name] = refusal.find(edge.catalogue, service, "unraid", REFUSED)
    edge.guests["sabnzbd"] = Answer(status=403, body="Access denied")
    found = faults(diagnose(judge(edge.survey(), CHECKS)))
    assert {fault.first.hop for fault in found} == {"service sabnzbd@unraid"}
    fault = found[0].first
    assert "by SABnzbd's host_whitelist" in fault.why
    assert "add sabnzbd.home.example to host_whitelist" in fault.todo


def test_a_proxys_headers_that_are_refused_are_told_apart_from_the_name(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
):
    bad = Answer(status=400, body="400: Bad Request")

    def ask(
        way: Any, *, timeout: float, hostname: str | None, headers: Mapping[str, str]
    ) -> Answer:
        return bad if headers else Answer(status=200)

    monkeypatch.setattr("tasks.way.Way.ask", ask)
    found = refusal.find(edge.catalogue, edge.catalogue.services["plex"], "unraid", bad)
    assert found and found.rule == "its trust in proxies" and "100.67.88.109" in found.setting


def test_another_answer_than_through_caddy_is_no_refusal(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tasks.way.Way.ask", lambda way, **_: Answer(status=200))
    plex = edge.catalogue.services["plex"]
    assert refusal.find(edge.catalogue, plex, "unraid", Answer(status=404)) is None
    assert refusal.find(edge.catalogue, plex, "unraid", Answer(status=502)) is None


def test_a_placement_that_is_well_by_its_name_too_refuses_nothing(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
):
    """Another one says something wrong, with the same status."""
    well = Answer(status=200, body="MediaContainer")
    monkeypatch.setattr("tasks.way.Way.ask", lambda way, **_: well)
    plex = edge.catalogue.services["plex"]
    assert refusal.find(edge.catalogue, plex, "unraid", Answer(status=200, body="wrong")) is None
