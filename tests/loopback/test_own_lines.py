"""Own lines of a Caddyfile, judged by what the real Caddy makes of them, and served by it."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inventory.load import load_catalogue
from inventory.source import Source
from tasks.checks.finding import Finding, Status
from tasks.doctor import own_lines
from tasks.doctor.host import judge
from tasks.live import parse_state
from tasks.plan import make_plan
from tests.loopback.edges import Net, alone, needs_root, network
from tests.site import ROOT, Site
from tests.unit.test_configs import rendered

WIKI = {
    "hostname": "wiki", "port": 9000, "health": {"path": "/up"}, "primary": "vps2",
    "fallback": "vps1", "access": "open",
}  # fmt: skip
OTHERS = {
    "vault": {"hostname": "vault", "port": 9001, "health": {"path": "/up"}, "hosts": ["unraid"],
              "access": "protected"},
    "guarded": {"hostname": "guarded", "port": 9002, "health": {"path": "/up"},
                "hosts": ["unraid"], "access": "open", "front": {"allow": ["192.168.1.0/24"]}},
    "notes": {"hostname": "notes", "port": 9003, "health": {"path": "/up"}, "hosts": ["unraid"],
              "access": "open"},
}  # fmt: skip


# Braces in a text pay for those that leave the service's block, where one counts them alone.
OPEN, SHUT = "header X-A <<X\n{\n{\n{\nX\n", "header X-A <<X\n}\n}\n}\nX\n"
ANOTHER_LISTENER = f"{OPEN}}}\n}}\nbind 0.0.0.0\nroute {{\nroute {{\n{SHUT}respond hi"
ANOTHER_ROUTE = f"{OPEN}}}\nroute {{\nvars own_lines wiki@front.caddy\n{SHUT}respond hi"


def told(site: Site, lines: str, **front: object) -> list[Finding]:
    """What doctor and a deploy say of a service with these lines, on vps1."""
    services = {"wiki": {**WIKI, "front": {**front, "caddy": lines}}, **OTHERS}
    site.change("services", "services", services)
    site.change("services", "syncs", {})
    catalogue = load_catalogue(site.config)
    script = own_lines.look_script([*rendered(site, "vps1").values()])
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
    state = parse_state(f"now {datetime.now(UTC):%s}\n{done.stdout}", [])
    source = Source(root=ROOT, commit="a" * 40, dirty=False, pushed=True)
    plan = make_plan("vps1", source, (), state)
    found = judge(plan, catalogue.hosts["vps1"], catalogue)
    return [finding for finding in found if finding.check == "own lines"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (ANOTHER_LISTENER, "own lines change what stands around them"),
        (ANOTHER_ROUTE, "own lines change what stands around them"),
        ("bind 0.0.0.0", "only handler directives can be used"),
        ("tls internal", "only handler directives can be used"),
        ("no_such_thing", "unrecognized directive: no_such_thing"),
        ("basic_auth {\n  a $2a$14$x\n}", "front.basic_auth keeps the hash out"),
        ("templates", "templates is not for own lines"),
        ("metrics /m", "metrics is not for own lines"),
        ("acme_server", "acme_server is not for own lines"),
        ("map {host} {own} {\n  default 1.2.3.4\n}", "map is not for own lines"),
        ("vars client_ip 1.2.3.4", "a variable of own lines is called own_"),
        ("vars own_lines vault@front.caddy", "a variable of own lines is called own_"),
        ("vars {\n  own_lines wiki@front.caddy\n  root /etc\n}", "/etc is no folder below /srv"),
        ("root * /etc\nfile_server", "/etc is no folder below /srv"),
        ("file_server {\n  root /srv/../etc\n}", "is no folder that could be judged"),
        ("root * /srv/{path.0}\nfile_server", "is no folder that could be judged"),
        ("@x file {\n  root /etc\n  try_files /passwd\n}\nrespond @x 200", "/etc is no folder"),
        ("@x `file({'root': '/etc', 'try_files': ['passwd']})`\nrespond @x 200", "any file"),
        ("request_header X-Forwarded-For 1.2.3.4", "the edge alone knows"),
        ("request_header Remote-User root", "names the visitor"),
        ("reverse_proxy unix//run/twinedge-caddy/admin.sock", "no address and port of a host"),
        ("reverse_proxy {header.X-To}:80", "no address and port of a host"),
        ("reverse_proxy vault.home.example:443", "no address and port of a host"),
        ("reverse_proxy 8.8.8.8:80", "no address and port of a host"),
        ("reverse_proxy 100.67.88.109:443", "would ask each other in circles"),
        ("reverse_proxy localhost:8081", "would ask each other in circles"),
        ("reverse_proxy 100.76.168.116:9001", "vault is protected, and wiki is open"),
        ("reverse_proxy 100.76.168.116:9002", "guarded has a allow in front"),
        ("reverse_proxy {\n  dynamic a vault.home.example 9001\n}", "whom it asks has to stand"),
        ("reverse_proxy 127.0.0.1:9000 {\n  header_up Remote-User root\n}", "names the visitor"),
        ("php_fastcgi 127.0.0.1:9000", "transport fastcgi, split_path is not for own lines"),
    ],
)  # fmt: skip
def test_what_would_leave_the_service_or_lead_past_a_guard_is_refused(
    site: Site, lines: str, words: str
):
    auth = {"service": "notes", "provider": "authelia"}
    (one, *_) = failed = told(site, lines, forward_auth=auth)
    assert all(finding.status is Status.FAILED for finding in failed)
    assert any(words in finding.seen for finding in failed), [f.seen for f in failed]
    assert "wiki.front.caddy" in one.seen or one.seen.startswith("caddy:")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("header X-A b\nencode zstd\nrequest_body {\n  max_size 5MB\n}", []),
        ("@x path /a\nheader @x Cache-Control no-store\nvars own_x 1", []),
        ("respond hi",
         ["they answer every request: wiki itself is never asked, nor are its routes"]),
        ("@x path /a\nhandle @x {\n  root * /srv/a\n  file_server\n}",
         ["for what they answer wiki is not asked: no failover, and none of its routes"]),
        ("reverse_proxy /n/* 100.76.168.116:9003 {\n  header_up X-Real-IP {client_ip}\n}",
         ["for what they answer wiki is not asked: no failover, and none of its routes",
          "whom they ask has none of our health checks, and nobody is asked in his place"]),
        ("rewrite /a /b", ["they change paths after allow and sign-in have looked at them"]),
        ("header X-Frame-Options DENY", ["they say X-Frame-Options, in place of security_headers"]),
    ],
)  # fmt: skip
def test_what_own_lines_switch_off_is_said(site: Site, lines: str, said: list[str]):
    found = told(site, lines, security_headers=True)
    wanted = [(Status.WARN, f"wiki.front.caddy: {words}") for words in said]
    ours = [(f.status, f.seen) for f in found if f.status is not Status.OK]
    assert ours == sorted(wanted, key=lambda pair: pair[1])


def test_lines_for_every_service_are_judged_once_for_what_they_are(site: Site):
    site.change("defaults", "data.caddy", "vars own_site yes\ntemplates\n")
    (one,) = told(site, "header X-A b")
    assert one.seen == "data.caddy: templates is not for own lines; " + (
        "what a page says would be carried out on the edge"
    )


def test_an_edge_without_a_caddy_that_could_judge_them_gets_no_own_lines(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(own_lines, "look_script", lambda files: "")
    (one,) = told(site, "header X-A b")
    assert one.status is Status.FAILED and "judged by the edge's own Caddy" in one.seen


@pytest.fixture
def net(site: Site, tmp_path: Path) -> Iterator[Net]:
    lines = 'header X-Wiki "a b"\n@old path /old/*\nredir @old /new{uri}\n'
    front = {"allow": ["100.64.0.0/10"], "caddy": lines, "routes": {"/n": {"service": "notes"}}}
    notes = OTHERS["notes"]
    alone(site, {"wiki": {**WIKI, "front": front}, "notes": notes})
    site.change("defaults", "data.caddy", "header X-Site ours")
    places = {"wiki": "100.102.55.88 9000", "notes": "100.76.168.116 9003"}
    with network(site, tmp_path, places) as made:
        yield made


@needs_root
def test_own_lines_come_after_guards_and_before_routes_and_the_service_is_served(net: Net):
    wiki = net.ask("vps1", "https://wiki.home.example/a")
    assert wiki.headers["answers"] == "wiki" and wiki.headers["x-wiki"] == "a b"
    assert wiki.headers["x-site"] == "ours"
    below = net.ask("vps1", "https://wiki.home.example/n/x")
    assert below.headers["answers"] == "notes" and below.headers["x-wiki"] == "a b"
    led = net.ask("vps1", "https://wiki.home.example/old/x")
    assert (led.status, led.headers["location"]) == (302, "/new/old/x")
    stranger = net.through_tunnel("wiki.home.example", "/old/x")
    assert stranger.status == 403 and "x-wiki" not in stranger.headers
    notes = net.ask("vps1", "https://notes.home.example/")
    assert notes.headers["x-site"] == "ours" and "x-wiki" not in notes.headers
