"""The lab's origins can be as impolite as real services are."""

import signal
import socket
import ssl
from collections.abc import Iterator

import httpx
import pytest

from lab.fault_kinds import KINDS
from lab.standins.origin_faults import MODES, OriginFault
from tests.loopback.origins import Running, origin


@pytest.fixture
def sabnzbd(tmp_path) -> Iterator[Running]:
    with origin(tmp_path, "sabnzbd") as running:
        yield running


def status(running: Running, **headers: str) -> int:
    return running.http.get("/", headers=headers).status_code


def test_whoever_asks_by_name_is_refused_and_addresses_are_let_in(sabnzbd):
    assert status(sabnzbd, Host="sabnzbd.edge.test") == 200
    sabnzbd.told(mode="refuse-name")
    assert status(sabnzbd, Host="sabnzbd.edge.test") == 403
    assert status(sabnzbd, Host="sabnzbd.edge.test:8080") == 403
    for own in ("100.76.168.116:8080", "localhost", "[::1]:8080"):
        assert status(sabnzbd, Host=own) == 200, own
    sabnzbd.told(mode="refuse-name", status=401)
    assert status(sabnzbd, Host="sabnzbd.edge.test") == 401


def test_what_a_proxy_passes_on_is_refused(sabnzbd):
    sabnzbd.told(mode="refuse-proxy")
    assert status(sabnzbd) == 200
    assert status(sabnzbd, **{"X-Forwarded-For": "192.0.2.1"}) == 400


def test_an_error_page_is_a_200_wherever_one_asks(sabnzbd):
    sabnzbd.told(mode="error-page")
    for path in ("/", "/api?mode=version", "/nowhere"):
        answer = sabnzbd.http.get(path)
        assert (answer.status_code, "database is locked" in answer.text) == (200, True)
    assert "version" not in sabnzbd.http.get("/api?mode=version").text


def test_a_slow_start_answers_nothing_at_first(tmp_path):
    with origin(tmp_path, "plex", mode="slow-start", seconds=600) as running:
        with pytest.raises(httpx.ReadTimeout):
            running.http.get("/identity", timeout=0.2)
        running.told(mode="slow-start", seconds=0)
        assert running.http.get("/identity", timeout=30).status_code == 200


def test_a_slow_start_is_over_after_its_seconds():
    fault = OriginFault(mode="slow-start", seconds=20)
    assert [fault.delay(health=True, age=age) for age in (0, 15, 20, 99)] == [20, 5, 0, 0]


def test_an_origin_that_ignores_sigterm_answers_until_the_fault_ends(sabnzbd):
    sabnzbd.told(mode="ignore-term")
    sabnzbd.process.send_signal(signal.SIGTERM)
    assert sabnzbd.process.stderr.readline() == "lab fault: ignore-term\n"
    assert status(sabnzbd) == 200
    sabnzbd.control.unlink()
    sabnzbd.process.send_signal(signal.SIGTERM)
    assert sabnzbd.process.wait() == 0


def test_https_has_a_certificate_that_nobody_vouches_for(tmp_path):
    with origin(tmp_path, "plex", mode="https") as running:
        assert running.http.get("/identity").status_code == 200
        with pytest.raises(httpx.ConnectError, match="self-signed"):
            httpx.get(f"{running.url}/identity", verify=ssl.create_default_context())
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(running.url.replace("https", "http"))


@pytest.mark.parametrize(
    ("mode", "listens"), [("loopback", "127.0.0.1"), ("all-addresses", "0.0.0.0")]
)
def test_an_origin_listens_where_its_fault_says(tmp_path, mode, listens):
    with origin(tmp_path, "plex", mode=mode) as running:
        port = running.http.base_url.port
        if mode == "loopback":
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.2", port))
        else:
            socket.create_connection(("127.0.0.2", port)).close()
        assert running.http.get("/identity").status_code == 200


def test_every_kind_that_an_origin_makes_is_one_that_it_knows():
    assert {name for name, kind in KINDS.items() if kind.maker in ("answer", "start")} <= MODES
