"""The resolver on the lab: over TLS and on other ports, stub zones, records of one's own."""

from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab import sites
from tests.lab.conftest import DEPLOY, runbook, shell

FOLDER = "/root/sites/resolver"
OUTSIDE = "203.0.113.100"
# A real unbound on the internet side: over TLS for all names, in plain on a port for `lan`.
SERVER = f"""
server:
    directory: "/tmp"
    username: ""
    pidfile: "/tmp/forwarder.pid"
    interface: {OUTSIDE}@853
    interface: {OUTSIDE}@5335
    tls-port: 853
    tls-service-pem: /etc/lab/edge.crt
    tls-service-key: /etc/lab/edge.key
    access-control: 0.0.0.0/0 allow
    local-zone: "elsewhere.example." static
    local-data: "www.elsewhere.example. IN A 198.51.100.7"
    local-zone: "lan." static
    local-data: "printer.lan. IN A 192.168.1.9"
"""
RESOLVER = {
    "forward": [f"{OUTSIDE}@853#edge.test"],
    "stub_zones": {"lan": [f"{OUTSIDE}@5335"]},
    "records": {
        "nas": "192.168.1.5",
        "files": {"cname": "nas"},
        "media": {"cname": "plex.edge.test"},
        "note.edge.test": {"a": ["192.168.1.6"], "txt": ['v=1; "all" of it\'s']},
        "six": "fd00::6",
    },
}


@pytest.fixture(scope="module")
def resolving(deployed_lab: Lab) -> Iterator[Lab]:
    deployed_lab.heal()
    shell(deployed_lab, "cloudflare", f"cat > /tmp/forwarder.conf <<'END'\n{SERVER}END")
    shell(deployed_lab, "cloudflare", "unbound -c /tmp/forwarder.conf")
    files = sites.site_files(deployed_lab)
    files["defaults.yaml"]["data"]["resolver"] = RESOLVER
    sites.write(deployed_lab, "vps2", FOLDER, files)
    deploy = deployed_lab.run("vps2", [*DEPLOY, "--config", f"{FOLDER}/config.yaml"])
    assert deploy.returncode == 0, deploy.stdout + deploy.stderr
    yield deployed_lab
    deployed_lab.run("vps2", DEPLOY, check=True)
    shell(deployed_lab, "cloudflare", "kill $(cat /tmp/forwarder.pid)")


@pytest.mark.parametrize(
    ("name", "kind", "answer"),
    [
        ("www.elsewhere.example", "A", "198.51.100.7"),
        ("printer.lan", "A", "192.168.1.9"),
        ("nas.edge.test", "A", "192.168.1.5"),
        ("files.edge.test", "A", "192.168.1.5"),
        ("note.edge.test", "TXT", '"v=1; \\"all\\" of it\'s"'),
        ("six.edge.test", "AAAA", "fd00::6"),
    ],
)
def test_each_resolver_answers_what_the_site_says(
    resolving: Lab, name: str, kind: str, answer: str
):
    for edge in ("vps1", "vps2"):
        there = resolving.machines[edge].tailnet
        assert shell(resolving, "client", f"dig +short {name} {kind} @{there}").strip() == answer


def test_an_alias_of_a_service_is_answered_with_its_addresses(resolving: Lab):
    there = resolving.machines["vps1"].tailnet
    found = shell(resolving, "client", f"dig +short media.edge.test @{there}").split()
    assert sorted(found) == sorted(str(resolving.machines[e].tailnet) for e in ("vps1", "vps2"))


def test_verify_asks_for_the_records_and_its_forwarder_as_the_resolvers_do(resolving: Lab):
    done = runbook(
        resolving, "verify", "--only", "dns", "--config", f"{FOLDER}/config.yaml", "--strict"
    )
    assert done.returncode == 0, done.stdout
