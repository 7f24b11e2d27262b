"""The lab's origins answer as the catalogue's services do, and fail as they are told."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import pytest

from lab.standins.origin_faults import OriginFault, read_fault
from lab.standins.services import imitation
from tests.loopback.origins import ROOT, Running, origin
from tests.patience import until


class Asked:
    """One request on a connection of its own, whose answer nobody waits for."""

    def __init__(self, running: Running, path: str, method: str) -> None:
        where = running.http.base_url
        self.connection = socket.create_connection((where.host, where.port))
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
        self.connection.sendall(head.encode())

    def has_begun(self) -> bool:
        self.connection.setblocking(False)
        try:
            return bool(self.connection.recv(1))
        except BlockingIOError:
            return False


@contextmanager
def asked(running: Running, path: str, method: str = "GET") -> Iterator[Asked]:
    made = Asked(running, path, method)
    with made.connection:
        yield made


@pytest.fixture(scope="module")
def kuma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with origin(tmp_path_factory.mktemp("kuma"), "uptime-kuma") as running:
        yield running


@pytest.fixture(scope="module")
def _organizr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with origin(tmp_path_factory.mktemp("organizr"), "organizr") as running:
        yield running


@pytest.fixture
def organizr(_organizr: Running) -> Running:
    _organizr.control.unlink(missing_ok=True)
    _organizr.posts.unlink(missing_ok=True)
    return _organizr


@pytest.mark.parametrize(
    ("name", "path", "query", "content_type", "part"),
    [
        ("organizr", "/api/v2/ping", {}, "application/json", "pong"),
        ("uptime-kuma", "/api/entry-page", {}, "application/json", '"type"'),
        ("antigravity-manager", "/healthz", {}, "application/json", "ok"),
        ("antigravity-manager", "/health", {}, "application/json", "ok"),
        ("plex", "/identity", {}, "text/xml", "<MediaContainer"),
        ("radarr", "/ping", {}, "application/json", '{"status": "OK"}'),
        ("sonarr", "/ping", {}, "application/json", '{"status": "OK"}'),
        ("tautulli", "/status", {}, "application/json", "success"),
        ("sabnzbd", "/api", {"mode": "version"}, "application/json", '"version"'),
        ("something-else", "/healthz", {}, "text/plain", "ok"),
    ],
)
def test_each_service_has_its_own_health_page(name, path, query, content_type, part):
    pages = [page for page in imitation(name).health if page.answers(path, query)]
    assert [page.content_type for page in pages] == [content_type]
    assert part in pages[0].body


def test_sabnzbds_api_is_a_health_page_only_when_asked_for_the_version():
    (page,) = imitation("sabnzbd").health
    assert not page.answers("/api", {"mode": "queue"})


def test_the_index_page_and_a_header_name_the_service_and_the_host(organizr):
    answer = organizr.http.get("/")
    assert "<title>Organizr on vps2</title>" in answer.text
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["X-Origin"] == "organizr@vps2"


def test_the_header_is_on_a_404_too(organizr):
    answer = organizr.http.get("/nowhere")
    assert (answer.status_code, answer.headers["X-Origin"]) == (404, "organizr@vps2")


def test_uptime_kuma_answers_an_unknown_path_with_its_index_page(kuma):
    answer = kuma.http.get("/api/no-such-page")
    assert answer.status_code == 200
    assert "<title>Uptime Kuma on vps2</title>" in answer.text


def test_every_executed_post_is_one_line_of_the_post_log(organizr):
    for identity in ("one", "two"):
        answer = organizr.http.post("/echo", content="hello", headers={"X-Request-Id": identity})
        assert answer.json() == {
            "service": "organizr",
            "host": "vps2",
            "id": identity,
            "body": "hello",
        }
    lines = [json.loads(line) for line in organizr.posts.read_text().splitlines()]
    assert [(line["id"], line["host"]) for line in lines] == [("one", "vps2"), ("two", "vps2")]


def test_a_post_whose_client_went_away_is_executed_once(organizr):
    organizr.told(mode="slow", seconds=0.4)
    with asked(organizr, "/echo", "POST"):
        pass
    until(organizr.posts.exists)
    organizr.told(mode="healthy")
    assert organizr.http.post("/echo", content="y").status_code == 200
    assert len(organizr.posts.read_text().splitlines()) == 2


def test_a_post_that_fails_with_5xx_is_not_executed(organizr):
    organizr.told(mode="5xx")
    assert organizr.http.post("/echo").status_code == 503
    assert not organizr.posts.exists()


def test_headers_tells_what_arrived_with_repeated_ones_joined(organizr):
    answer = organizr.http.get(
        "/headers",
        headers=[("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "192.0.2.2")],
    )
    assert answer.json()["X-Forwarded-For"] == "192.0.2.1, 192.0.2.2"


def test_large_has_exactly_the_size_that_was_asked_for(organizr):
    answer = organizr.http.get("/large", params={"bytes": 200_000})
    assert len(answer.content) == int(answer.headers["Content-Length"]) == 200_000


def test_a_number_that_is_none_is_a_400(organizr):
    assert organizr.http.get("/slow?seconds=soon").status_code == 400


def test_slow_waits_for_the_seconds_that_were_asked_for(organizr):
    assert organizr.http.get("/slow?seconds=0.2").text == "slow\n"
    with asked(organizr, "/slow?seconds=3600") as answer:
        assert organizr.http.get("/slow?seconds=0").status_code == 200
        assert not answer.has_begun()


def test_a_long_poll_of_socket_io_ends_after_its_seconds(kuma):
    assert kuma.http.get("/socket.io/?transport=polling&seconds=0.2").status_code == 200
    with asked(kuma, "/socket.io/?transport=polling&seconds=3600") as answer:
        assert kuma.http.get("/socket.io/?transport=polling&seconds=0").status_code == 200
        assert not answer.has_begun()


def test_a_websocket_echoes_text_and_bytes_and_names_its_origin(kuma):
    async def talk():
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{kuma.url}/socket.io/") as wire,
        ):
            await wire.send_str("hello")
            text = await wire.receive_str()
            await wire.send_bytes(b"\0\1")
            return text, await wire.receive_bytes(), wire._response.headers["X-Origin"]

    assert asyncio.run(talk()) == ("hello", b"\0\1", "uptime-kuma@vps2")


@pytest.mark.parametrize(
    ("fault", "health", "page"),
    [
        ({"mode": "5xx"}, 503, 503),
        ({"mode": "5xx-app"}, 200, 503),
        ({"mode": "wrong-body"}, 200, 200),
        ({"mode": "no such mode"}, 200, 200),
    ],
)
def test_a_fault_counts_from_the_next_request_on(organizr, fault, health, page):
    assert organizr.http.get("/").status_code == 200
    organizr.told(**fault)
    assert organizr.http.get("/api/v2/ping").status_code == health
    assert organizr.http.get("/").status_code == page
    organizr.control.unlink()
    assert organizr.http.get("/").status_code == 200


def test_a_wrong_body_is_a_200_without_the_expected_word(organizr):
    organizr.told(mode="wrong-body")
    assert "pong" not in organizr.http.get("/api/v2/ping").text


def test_slow_app_delays_all_but_the_health_page(organizr):
    organizr.told(mode="slow-app", seconds=3600)
    with asked(organizr, "/") as page:
        assert organizr.http.get("/api/v2/ping").status_code == 200
        assert not page.has_begun()


@pytest.mark.parametrize("text", ["{", "[]", '{"mode": "slow", "seconds": "x"}', '{"mode": []}'])
def test_an_unreadable_fault_is_logged_and_leaves_the_origin_healthy(tmp_path, caplog, text):
    (tmp_path / "fault.json").write_text(text)
    assert read_fault(tmp_path / "fault.json") == OriginFault()
    assert "staying healthy" in caplog.text


def test_sigterm_ends_it_at_once_with_0_whatever_is_in_flight(tmp_path):
    with origin(tmp_path, "radarr") as running, asked(running, "/slow?seconds=3600"):
        assert running.http.get("/ping").status_code == 200
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait() == 0


def test_a_taken_port_is_one_clear_line_and_exit_1(tmp_path, organizr):
    taken = organizr.url.removeprefix("http://")
    command = ["--service", "plex", "--host", "unraid", "--listen", taken]
    ended = subprocess.run(
        [sys.executable, "-m", "lab.origin", *command, "--log-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"cannot listen on {taken}")
    assert len(ended.stderr.splitlines()) == 1
