"""A service under several names, by the real unbound, Caddy and cloudflared's rules."""

from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab import sites
from tests.lab.conftest import DEPLOY, EDGES, runbook, shell, through_caddy

NAMES = {
    "aliases": ["tv", "films.edge.test2", "*.apps"],
    "redirect_from": ["movies"],
    "access": "tailnet",
}
ASK = """
import sys
import dns.message, dns.query
for name in sys.argv[2:]:
    answer = dns.query.udp(dns.message.make_query(name, "A"), sys.argv[1], timeout=10)
    print(sorted(r.address for rrset in answer.answer for r in rrset))
"""


@pytest.fixture
def named(lab: Lab) -> Iterator[Lab]:
    files = sites.site_files(lab)
    files["defaults.yaml"]["data"]["domains"] = ["edge.test2"]
    files["services.yaml"]["services"]["plex"] |= NAMES
    files["services.yaml"]["services"]["radarr"]["hostname"] = "radarr.apps.edge.test"
    files["mcp.yaml"]["servers"]["docs"] = {"url": "https://docs.example/mcp"}  # for each host
    sites.write(lab, "vps2", "/root/sites/named", files)
    deployed = lab.run("vps2", (*DEPLOY, "--config", "/root/sites/named/config.yaml"))
    assert deployed.returncode == 0, deployed.stderr
    yield lab
    assert lab.run("vps2", DEPLOY).returncode == 0


def test_every_name_is_answered_and_served_and_a_rollback_forgets_them(named: Lab):
    both = str(sorted(named.machines[edge].tailnet for edge in EDGES))
    asked = ("tv.edge.test", "films.edge.test2", "x.apps.edge.test", "movies.edge.test",
             "radarr.apps.edge.test")  # fmt: skip
    for edge in EDGES:
        address = named.machines[edge].tailnet
        done = named.run("client", ["python", "-c", ASK, f"{address}", *asked])
        assert done.stdout.splitlines() == [both] * len(asked), done.stderr
        for name in asked[:3]:
            answer = through_caddy(named, edge, name, "/identity")
            assert (answer.status, answer.headers["x-served-by"]) == (200, "100.76.168.116:32400")
        assert through_caddy(named, edge, "radarr.apps.edge.test").status == 200
    checked = runbook(
        named, "verify", "--config", "/root/sites/named/config.yaml",
        "--only", "caddy,service,tunnel", "--quiet",
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
    back = runbook(
        named, "rollback", "--config", "/root/sites/named/config.yaml",
        "--to", "previous", "--apply",
    )  # fmt: skip
    assert back.returncode == 0, back.stdout + back.stderr
    assert "is confirmed" in back.stdout
    shell(named, "vps1", "! grep -q films.edge.test2 /etc/caddy/Caddyfile")
