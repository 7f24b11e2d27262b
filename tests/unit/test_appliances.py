"""Hosts that nobody logs in to: what they may be, what is rendered for them, how they are told."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from inventory.load import load_catalogue
from journal.entries import Episode
from journal.page.picture import draw
from journal.page.present import Present
from runbooks.verify import CHECKS, judge
from tasks.checks.diagnosis import diagnose, faults
from tasks.checks.finding import Finding, Status
from tasks.probe import Answer
from tasks.way import Way
from tests.runbook import Runbook
from tests.site import Site
from tests.unit.surveys import NO_CONNECTION, REFUSED, Edge
from tests.unit.test_configs import rendered
from tests.unit.test_inventory import refusal

PVE = {"hostname": "pve", "port": 8006, "health": {"path": "/"}, "hosts": ["proxmox"]}


@pytest.fixture
def home(site: Site) -> Site:
    """A site with a hypervisor that nobody logs in to, and two services on it."""
    site.change("hosts", "proxmox", {"hostname": "192.168.1.10", "data": {"ssh": False}})
    site.change("services", "services.pve", PVE | {"upstream": {"scheme": "https"}})
    site.change("services", "services.hass", PVE | {"hostname": "hass", "port": 8123})
    return site


def asked_by(site: Site, edge: str, service: str) -> str:
    block = rendered(site, edge)["caddy"].text.split(f"(service_{service}) {{")[1].split("\n}")[0]
    return next(line for line in block.splitlines() if "reverse_proxy" in line).split()[1]


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("192.168.1.10", "192.168.1.10:8006"),
        ("fd7a:115c:a1e0::10", "[fd7a:115c:a1e0::10]:8006"),
        ("pve.tail1234.ts.net", "pve.tail1234.ts.net:8006"),
        ("proxmox.lan", "proxmox.lan:8006"),
    ],
)
def test_both_edges_ask_a_host_without_ssh_at_its_address(home: Site, address: str, asked: str):
    home.change("hosts", "proxmox.hostname", address)
    catalogue = load_catalogue(home.config)
    assert {asked_by(home, edge, "pve") for edge in ("vps1", "vps2")} == {asked}
    assert "proxmox" not in catalogue.hosts
    assert "proxmox.home.example" not in catalogue.records
    way = Way(catalogue=catalogue, service=catalogue.services["pve"], host="proxmox", path="/")
    assert way.url == f"https://{asked}/"


def test_a_group_may_say_for_several_hosts_that_nobody_logs_in(home: Site):
    home.change("groups", "lan.data", {"ssh": False})
    home.change("hosts", "proxmox", {"hostname": "192.168.1.10", "groups": ["lan"]})
    assert set(load_catalogue(home.config).appliances) == {"proxmox"}
    home.change("hosts", "unraid.groups", ["media", "lan"])
    home.change("hosts", "unraid.data", {"ssh": {"own_address": "192.168.1.5"}})
    assert "unraid" in load_catalogue(home.config).hosts, "its own entry says how to log in"


NOBODY = "proxmox has no SSH (ssh: false in hosts.yaml), so nobody logs in to it"


@pytest.mark.parametrize(
    ("file", "key", "value", "words"),
    [
        ("defaults", "data.control", "proxmox", f"data.control: {NOBODY}"),
        ("defaults", "data.schedule.hosts", ["proxmox"], f"data.schedule.hosts.0: {NOBODY}"),
        ("services", "syncs.resolver.hosts", ["vps1", "proxmox"], f"resolver.hosts.1: {NOBODY}"),
        ("services", "services.dns.hosts", ["vps1", "proxmox"], f"dns.hosts.1: {NOBODY}"),
        ("hosts", "unraid.data", {"ssh": {"jump": "proxmox"}}, f"unraid.data.ssh.jump: {NOBODY}"),
        ("hosts", "proxmox.port", 22, "proxmox.port: has no meaning with ssh: false: nobody logs"),
        ("hosts", "proxmox.data.manager", "docker", "proxmox.data.manager: has no meaning with"),
        ("hosts", "proxmox.hostname", "100.76.168.116", "is the address of unraid too"),
        ("hosts", "proxmox.hostname", "127.0.0.1", "leads to every host itself, so not to this"),
        ("hosts", "proxmox.hostname", "localhost", "leads to every host itself, so not to this"),
        ("hosts", "proxmox.hostname", "fe80::1", "leads to every host itself, so not to this"),
        ("hosts", "proxmox.hostname", "192.168.1.999", "'192.168.1.999' is no address, and no"),
        ("hosts", "proxmox.hostname", "pve.home.example", "is the name of pve: Caddy would ask"),
        ("hosts", "proxmox.hostname", None, "hosts.yaml: proxmox.hostname: "),
        ("hosts", "proxmox.data.ssh", True, "data.ssh: should be a mapping of keys, not True"),
    ],
)
def test_a_host_without_ssh_is_refused_where_somebody_has_to_log_in(
    home: Site, file: str, key: str, value: object, words: str
):
    home.change(file, key, value)
    if key == "proxmox.hostname" and value is None:
        home.change("hosts", "proxmox", {"data": {"ssh": False}})
    assert words in refusal(home)


def found(edge: Edge) -> list[Finding]:
    return list(diagnose(judge(edge.survey(), CHECKS)))


def test_its_services_are_asked_by_the_edges_and_it_is_told_as_a_host(home: Site):
    edge = Edge(load_catalogue(home.config))
    findings = found(edge)
    assert all(finding.status is Status.OK for finding in findings)
    asked = {f.vantage for f in findings if f.subject == "pve@proxmox"}
    assert asked == {"vps1", "vps2"}
    (host,) = (f for f in findings if f.host == "proxmox" and f.check == "host")
    assert (host.subject, host.seen) == ("proxmox", "answers (no SSH)")


def test_a_host_without_ssh_of_which_nothing_answers_is_one_fault(home: Site):
    edge = Edge(load_catalogue(home.config))
    for vantage in ("vps1", "vps2"):
        for name in ("pve", "hass"):
            edge.replies[vantage, f"direct {name}@proxmox"] = REFUSED
            edge.routes[name, vantage] = Answer(status=502)
    for name in ("pve", "hass"):
        edge.direct[name, "proxmox"] = NO_CONNECTION
    (fault,) = faults(found(edge))
    assert fault.first.hop == "host proxmox"
    assert fault.first.seen == "none of its 2 services answers"
    assert "192.168.1.10" in fault.first.todo


def test_one_silent_service_is_the_services_fault_and_nothing_is_said_of_its_host(home: Site):
    edge = Edge(load_catalogue(home.config))
    for vantage in ("vps1", "vps2"):
        edge.replies[vantage, "direct pve@proxmox"] = REFUSED
        edge.routes["pve", vantage] = Answer(status=502)
    edge.direct["pve", "proxmox"] = NO_CONNECTION
    (fault,) = faults(found(edge))
    assert fault.first.hop == "service pve@proxmox"
    assert "look at pve on proxmox itself" in fault.first.todo


def test_nobody_but_an_edge_asks_it(home: Site):
    catalogue = load_catalogue(home.config)
    pve, radarr = catalogue.services["pve"], catalogue.services["radarr"]
    assert catalogue.asks("laptop", radarr, "unraid")
    assert not catalogue.asks("laptop", pve, "proxmox")
    assert catalogue.asks("vps1", pve, "proxmox")


def test_the_page_draws_it_without_what_only_a_login_tells(home: Site):
    catalogue = load_catalogue(home.config)
    now = datetime.now(UTC)
    episodes = [
        Episode(
            **{name: getattr(f, name) for name in Episode.__dataclass_fields__ if hasattr(f, name)},
            since=now, until=now,
        )
        for f in found(Edge(catalogue))
    ]  # fmt: skip
    present = Present(catalogue=catalogue, episodes=episodes, at=now)
    (frame,) = (f for f in draw(present).frames if f.name == "proxmox")
    assert frame.address == "192.168.1.10, no SSH"
    assert [chip.label for chip in frame.chips] == ["Host", "pve", "hass"]
    row = dict(zip(present.host_checks, present.hosts["proxmox (no SSH)"], strict=True))
    assert row["host"] is not None and row["config"] is None and row["mesh"] is None


def test_a_deploy_and_a_status_skip_it_and_say_so(
    deploy: Runbook, home: Site, in_process: Callable[[str], Runbook]
):
    words = "proxmox   no SSH: nothing is put there; the edges ask its services"
    for done in (deploy("--apply"), in_process("status")()):
        assert done.status == 0, done.err
        assert words in done.out


def test_a_host_filter_says_why_it_cannot_be_chosen(deploy: Runbook, home: Site):
    done = deploy("--host", "proxmox")
    assert done.status == 2
    assert "--host proxmox: nobody logs in to it (ssh: false)" in done.err


@pytest.mark.parametrize("flags", [("--service", "radarr"), ("--all",)])
def test_no_drill_breaks_what_nobody_can_start_again(
    home: Site, in_process: Callable[[str], Runbook], flags: tuple[str, ...]
):
    home.change("services", "services.radarr.hosts", None)
    home.change("services", "services.radarr.primary", "proxmox")
    home.change("services", "services.radarr.fallback", "unraid")
    for name in ("organizr", "uptime-kuma", "antigravity-manager"):
        home.change("services", f"services.{name}", None)
    home.change("services", "syncs.antigravity", None)
    done = in_process("failover")(*flags)
    assert done.status == 2
    said = done.out + done.err
    assert "proxmox has no SSH (ssh: false): nobody can stop it there and start it again" in said
