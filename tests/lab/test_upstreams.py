"""Which placement each Caddy asks: what it holds for healthy, and what it learns on the way."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.api import Lab
from tests.lab import sites
from tests.lab.conftest import (
    DEPLOY,
    EDGES,
    FALLBACK,
    PRIMARY,
    Answer,
    get,
    served_by,
    shell,
    through_caddy,
)
from tests.patience import until

OTHER = "/root/sites/other/config.yaml"
TLS = ("uptime-kuma@vps1", "uptime-kuma@vps2", "radarr@unraid")
LOGIN = {
    "path": "/answer?status=401&body=%28%22%7B%24HOME%7D%60%5Cx",
    "status": 401,
    "body": '("{$HOME}`\\x',
}


def test_a_primary_whose_health_page_says_something_else_loses_its_traffic(steady: Lab):
    steady.fault("error-page", "organizr@vps2")  # a 200 that says `database is locked`
    until(lambda: {served_by(steady, edge) for edge in EDGES} == {FALLBACK})


def asked(lab: Lab, path: str, times: int, *options: str) -> list[str]:
    """Who answered, and with what, through the Caddy of vps1, from the client's one connection."""
    name = f"organizr.edge.test:443:{lab.machines['vps1'].tailnet}"
    told = "%{http_code} %header{x-served-by}\\n"
    urls = [f"https://organizr.edge.test{path}"] * times
    sinks = [word for _ in urls for word in ("-o", "/dev/null")]
    done = lab.run(
        "client", ["curl", "-sk", "--resolve", name, "-w", told, *options, *sinks, *urls]
    )
    return done.stdout.splitlines()


def test_one_path_that_answers_503_moves_nobody_else(steady: Lab):
    """A failure counts for 15 s, so once a second for 60 s is never more than 16 of them."""
    refused = asked(steady, "/answer?status=503", 16)
    assert set(refused) == {f"503 {FALLBACK}"}, "both placements were asked"
    reads, writes = asked(steady, "/", 3), asked(steady, "/echo", 3, "-d", "x")
    assert set(reads + writes) == {f"200 {PRIMARY}"}


def test_an_ill_app_is_left_alone_after_thirty_requests_and_no_read_is_lost(steady: Lab):
    """Thirty requests are a second of 30/s. Its health page says that all is well."""
    steady.fault("5xx-app", "organizr@vps2")
    reads, writes = asked(steady, "/", 5), asked(steady, "/echo", 25, "-d", "x")
    assert set(reads) == {f"200 {FALLBACK}"}
    assert set(writes) <= {f"200 {FALLBACK}", f"503 {PRIMARY}"}
    after = asked(steady, "/", 3) + asked(steady, "/echo", 3, "-d", "x")
    assert set(after) == {f"200 {FALLBACK}"}


def test_a_write_that_could_not_be_sent_is_taken_whole_by_the_fallback(steady: Lab):
    steady.fault("kill", "organizr@vps2")
    large = "x" * 100_000
    done = through_caddy(steady, "vps1", "organizr.edge.test", "/echo", "-d", large)
    assert (done.status, done.headers["x-served-by"]) == (200, FALLBACK)
    assert json.loads(done.body)["body"] == large


SOCKET = """
import asyncio, ssl, sys, aiohttp
from aiohttp.abc import AbstractResolver

class There(AbstractResolver):
    async def resolve(self, host, port=0, family=0):
        return [{"hostname": host, "host": sys.argv[1], "port": port, "family": family,
                 "proto": 0, "flags": 0}]
    async def close(self):
        pass

async def main():
    connector = aiohttp.TCPConnector(resolver=There(), family=2, ssl=False)
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.ws_connect(f"https://{sys.argv[2]}.edge.test/socket.io/") as socket:
            for line in iter(sys.stdin.readline, ""):
                await socket.send_str(line.strip())
                print(await socket.receive_str(), flush=True)
            print((await socket.receive()).type.name)

asyncio.run(main())
"""


def test_a_websocket_of_a_service_with_a_failover_outlives_a_reload(steady: Lab):
    """Organizr names no long polls, so its websockets go the way of all reads."""
    client = connected(steady, "organizr")
    assert echo(client, "before") == "before"
    shell(steady, "vps1", "systemctl reload caddy")
    assert echo(client, "after") == "after"
    client.kill()
    client.communicate()


def connected(lab: Lab, name: str) -> "subprocess.Popen[str]":
    """A client with an open websocket through the Caddy of vps1."""
    there = str(lab.machines["vps1"].tailnet)
    return lab.popen("client", ["python", "-c", SOCKET, there, name], stdin=subprocess.PIPE)


def echo(client: "subprocess.Popen[str]", text: str) -> str:
    assert client.stdin and client.stdout
    client.stdin.write(f"{text}\n")
    client.stdin.flush()
    return client.stdout.readline().strip()


@pytest.fixture(scope="module")
def other_site(deployed_lab: Lab) -> Iterator[Lab]:
    """The lab with a service whose health page is a 401 with a text full of marks and whose
    websockets live 10 s, with organizr, which has port 80, on vps2 alone, and with services that
    speak TLS, self-signed.
    """
    changes = {
        "antigravity-manager": {"health": LOGIN, "stream_timeout": 10},
        "organizr": {"fallback": None},
        "uptime-kuma": {"upstream": {"scheme": "https", "trust": "insecure"}},
        "radarr": {"upstream": {"scheme": "https", "trust": "insecure", "host": "radarr.lan"}},
    }
    sites.with_services(deployed_lab, "vps2", Path(OTHER).parent.as_posix(), changes)
    deployed_lab.heal()
    deployed_lab.fault("stop", "organizr@vps1")
    for placement in TLS:
        deployed_lab.fault("https", placement)
    done = deployed_lab.run("vps2", [*DEPLOY, "--config", OTHER])
    assert done.returncode == 0, done.stdout + done.stderr
    told = " ".join(done.stdout.split())
    assert "organizr has port 80 on vps2: http:// and any name leads to it" in told
    yield deployed_lab
    for placement in TLS:
        deployed_lab.end_fault("https", placement)
    done = deployed_lab.run("vps2", DEPLOY)
    assert done.returncode == 0, done.stdout + done.stderr
    deployed_lab.heal()  # organizr on vps1, once Caddy no longer has its port


def test_a_service_whose_health_page_asks_for_a_login_is_served(other_site: Lab):
    hostname = "antigravity.edge.test"
    seen = [through_caddy(other_site, edge, hostname) for _ in range(5) for edge in EDGES]
    assert {answer.status for answer in seen} == {200}


def test_a_service_that_speaks_tls_is_asked_so_by_every_caddy_and_every_check(other_site: Lab):
    for hostname in ("uptime.edge.test", "radarr.edge.test"):
        seen = [through_caddy(other_site, edge, hostname) for edge in EDGES]
        assert [answer.status for answer in seen] == [200, 200]
    services = ("--service", "uptime-kuma", "--service", "radarr")
    checks = ("--only", "service,caddy", "--config", OTHER)
    done = other_site.run("vps2", ["python", "runbooks/verify.py", *services, *checks])
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_service_that_speaks_tls_fails_over_like_any_other(other_site: Lab):
    other_site.fault("stop", "uptime-kuma@vps1")
    try:
        for edge in EDGES:
            answer = through_caddy(other_site, edge, "uptime.edge.test")
            assert (answer.status, answer.headers["x-origin"]) == (200, "uptime-kuma@vps2")
    finally:
        other_site.end_fault("stop", "uptime-kuma@vps1")


def test_a_websocket_is_closed_when_its_time_is_over(other_site: Lab):
    client = connected(other_site, "antigravity")
    assert echo(client, "hello") == "hello"
    out, _ = client.communicate()  # the client only waits from now on
    assert out.strip() in ("CLOSE", "CLOSED", "CLOSING", "ERROR")


def test_http_leads_to_https_where_no_service_has_port_80(other_site: Lab):
    def typed(edge: str) -> Answer:
        there = f"plex.edge.test:80:{other_site.machines[edge].tailnet}"
        return get(other_site, "client", "http://plex.edge.test/a?b=c", "--resolve", there)

    led = typed("vps1")
    assert (led.status, led.headers["location"]) == (308, "https://plex.edge.test/a?b=c")
    assert "organizr@vps2" in typed("vps2").headers["x-origin"]
