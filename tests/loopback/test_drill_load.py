"""The open-loop probe against a server on loopback that can stall, break and lie."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from tasks.drill.exchange import Connection
from tasks.drill.ledger import Row, read_ledger, write_ledger
from tasks.drill.load import Load, Question
from tasks.drill.vantage import Vantage
from tasks.probe import blind_tls
from tests.patience import until

GOOD = b"HTTP/1.1 200 OK\r\nX-Served-By: 10.0.0.1:80\r\nContent-Length: 4\r\n\r\npong"


@dataclass
class Server:
    """Answers `reply`, once it was asked `stall` times; keeps what it was asked."""

    reply: bytes = GOOD
    stall: int = 0
    asked: list[bytes] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.asked.append(head)
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
                await reader.readexactly(int(length or 0))
                while len(self.asked) < self.stall:
                    await asyncio.sleep(0.01)
                writer.write(self.reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@dataclass(kw_only=True)
class Loopback(Vantage):
    """A vantage that reaches the server above, without TLS."""

    port: int

    async def _open(self, address: str) -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        return Connection(reader=reader, writer=writer)


@pytest.fixture
def server() -> Iterator[Server]:
    server, ready, done = Server(), threading.Event(), threading.Event()

    async def main() -> None:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        server.port = listening.sockets[0].getsockname()[1]
        ready.set()
        while not done.is_set():
            await asyncio.sleep(0.02)
        listening.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    ready.wait()
    yield server
    done.set()
    thread.join()


def ask(server: Server, count: int, rate: float = 50, **question: object) -> list[Row]:
    """The ledger of at least `count` requests."""
    vantage = Loopback(
        name="here", hostname="h.test", tls=blind_tls(), addresses=("127.0.0.1",), port=server.port
    )
    usual: dict[str, object] = {"path": "/ping", "rate": rate, "status": 200, "body": "pong"}
    load = Load(
        question=Question(signers={"10.0.0.1:80": "vps1"}, **(usual | question)),  # type: ignore[arg-type]
        vantages=[vantage],
    )
    load.start()
    until(lambda: len(load.rows) >= count)
    return load.stop()


def assert_each_was_due_at_its_time(rows: list[Row], rate: float = 50) -> None:
    """However late this machine sent it."""
    gaps = [later.due - earlier.due for earlier, later in pairwise(rows)]
    assert gaps == pytest.approx([1 / rate] * len(gaps))


def test_the_rate_is_held_and_the_signer_is_named(server: Server):
    rows = ask(server, 50)
    assert_each_was_due_at_its_time(rows)
    assert {row.served_by for row in rows} == {"vps1"}
    assert not any(row.lost for row in rows)


def test_a_stall_slows_no_request_and_shows_in_each_that_fell_due_in_it(server: Server):
    server.stall = 25  # a closed loop would never ask so often
    rows = ask(server, 50)
    assert_each_was_due_at_its_time(rows)
    released = rows[server.stall - 1].due  # or later
    assert all(row.due + row.latency >= released for row in rows[: server.stall])


def test_connections_are_kept_for_the_next_request(server: Server):
    rows = ask(server, 25)
    assert len(server.asked) == len(rows)


def test_each_third_request_is_a_post_with_an_id_of_its_own(server: Server):
    rows = ask(server, 30, echo="/echo", run="r1")
    posts = [head for head in server.asked if head.startswith(b"POST /echo")]
    assert len(posts) == sum(row.method == "POST" for row in rows) == len(rows) // 3
    ids = {head.lower().partition(b"x-request-id: ")[2].partition(b"\r")[0] for head in posts}
    assert len(ids) == len(posts)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "status"),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "status"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlogin", "body"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "reset"),
        (b"SSH-2.0-hello\r\n\r\n", "reset"),
    ],
)
def test_a_wrong_answer_is_a_loss_with_a_reason(server: Server, reply: bytes, error: str):
    server.reply = reply
    assert {row.error for row in ask(server, 10)} == {error}


def test_a_chunked_answer_is_read_to_its_end(server: Server):
    server.reply = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\npo\r\n2\r\nng\r\n0\r\n\r\n"
    )
    assert not any(row.lost for row in ask(server, 10))


def test_nobody_there_is_refused(server: Server):
    closed = Server(port=1)
    assert {row.error for row in ask(closed, 10)} == {"refused"}


def test_a_ledger_survives_being_written_and_read(server: Server, tmp_path: Path):
    rows = ask(server, 10)
    write_ledger(tmp_path / "ledger.jsonl", rows)
    assert read_ledger(tmp_path / "ledger.jsonl") == rows
