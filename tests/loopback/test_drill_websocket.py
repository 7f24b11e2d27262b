"""The websockets that a drill holds open, against real servers on loopback."""

import asyncio
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from tasks.drill.exchange import Connection, Reply, Request
from tasks.drill.vantage import Vantage
from tasks.drill.websocket import EACH, Sockets
from tasks.probe import blind_tls
from tests.loopback.origins import Running, origin
from tests.patience import until


@dataclass(kw_only=True)
class Loopback(Vantage):
    """A vantage that reaches a server on loopback, without TLS."""

    port: int

    async def _open(self, address: str) -> Connection:
        reader, writer = await asyncio.open_connection(address, self.port)
        return Connection(reader=reader, writer=writer)


@dataclass(kw_only=True)
class Held:
    """`sockets` under way in a thread, by a clock that the test sets."""

    sockets: Sockets
    time: float = 0.0
    ending: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def begin(self) -> None:
        running = lambda: asyncio.run(self.sockets.run(lambda: self.time, self.ending))  # noqa: E731
        self.thread = threading.Thread(target=running)
        self.thread.start()

    def end(self) -> None:
        self.ending.set()
        if self.thread:
            self.thread.join()


def held(
    port: int, path: str = "/socket.io/", headers: Mapping[str, str] = MappingProxyType({})
) -> Held:
    vantage = Loopback(
        name="vps1",
        hostname="h.test",
        tls=blind_tls(),
        addresses=("127.0.0.1",),
        headers=headers,
        port=port,
    )
    made = Held(sockets=Sockets(path=path, vantages=[vantage], signers={}))
    made.begin()
    return made


def port_of(running: Running) -> int:
    return urlsplit(running.url).port or 0


@pytest.fixture
def organizr(tmp_path: Path) -> Iterator[Running]:
    with origin(tmp_path, "organizr") as running:
        yield running


def test_each_is_open_until_the_drill_ends(organizr: Running):
    holding = held(port_of(organizr))
    until(lambda: len(holding.sockets.open) == EACH)
    holding.time = 7.0
    holding.end()
    lives = holding.sockets.lives
    assert [(life.client, life.closed) for life in lives] == [(0, None), (1, None)]
    assert not holding.sockets.refused


def test_one_whose_server_dies_is_closed_and_the_next_try_is_refused(organizr: Running):
    holding = held(port_of(organizr))
    until(lambda: len(holding.sockets.open) == EACH)
    holding.time = 7.0
    organizr.process.kill()
    until(lambda: len(holding.sockets.lives) == EACH)
    holding.end()
    assert {life.closed for life in holding.sockets.lives} == {7.0}
    until(lambda: "vps1" in holding.sockets.refused)


def test_a_frozen_server_is_silence(organizr: Running):
    organizr.process.send_signal(signal.SIGSTOP)
    organizr.process.send_signal(signal.SIGCONT)
    holding = held(port_of(organizr))
    until(lambda: len(holding.sockets.open) == EACH)
    organizr.process.send_signal(signal.SIGSTOP)
    holding.time = 20.0  # a ping is due, and nobody answers
    until(lambda: all(socket.is_waiting for socket in holding.sockets.open))
    holding.time = 35.0
    holding.end()
    organizr.process.send_signal(signal.SIGCONT)
    assert {life.silence for life in holding.sockets.lives} == {15.0}
    assert {life.closed for life in holding.sockets.lives} == {None}


def test_a_path_without_websockets_is_told(organizr: Running):
    holding = held(port_of(organizr), "/echo")
    until(lambda: "vps1" in holding.sockets.refused)
    holding.end()
    assert holding.sockets.refused == {"vps1": "answered 405, not a websocket"}
    assert holding.sockets.lives == []


def test_it_says_who_it_is_as_requests_do(organizr: Running, monkeypatch: pytest.MonkeyPatch):
    """Access lets nobody in without its token."""
    asked: list[dict[str, str]] = []
    exchange = Connection.exchange

    async def heard(connection: Connection, request: Request) -> Reply:
        asked.append(dict(request.headers))
        return await exchange(connection, request)

    monkeypatch.setattr(Connection, "exchange", heard)
    holding = held(port_of(organizr), headers={"CF-Access-Client-Id": "a"})
    until(lambda: len(holding.sockets.open) == EACH)
    holding.end()
    assert {told["CF-Access-Client-Id"] for told in asked} == {"a"}


def test_a_server_that_looks_after_its_clients_is_answered():
    """It closes those that do not answer its ping, and sends what is longer than a ping."""
    beats, port = [], 0
    ready, done = threading.Event(), threading.Event()

    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        await socket.send_str("x" * 100_000)
        await socket.ping(b"are you there?")
        async for message in socket:
            if message.data == b"are you there?":
                beats.append(message.type)
                await socket.send_bytes(b"y" * 200)
            else:
                await socket.pong(message.data)
        return socket

    async def main() -> None:
        nonlocal port
        app = web.Application()
        app.router.add_get("/socket.io/", talk)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        ready.set()
        while not done.is_set():
            await asyncio.sleep(0.02)
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    ready.wait()
    holding = held(port)
    until(lambda: len(beats) == EACH)
    until(lambda: all(socket.heard for socket in holding.sockets.open))
    holding.end()
    done.set()
    thread.join()
    assert {life.closed for life in holding.sockets.lives} == {None}
