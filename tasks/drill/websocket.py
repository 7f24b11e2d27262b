"""Websockets (RFC 6455) as a drill needs them: held open, asked for a sign of life, opened anew.

A page does more with its own. What it lives through, though, is what any of them does, and a
sign of life (a ping, which every server has to answer) goes through all that it passes.
"""

import asyncio
import base64
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from inventory.front import DRILL_AGENT
from tasks.drill.exchange import BadAnswer, Connection, Request
from tasks.drill.lives import Life
from tasks.drill.vantage import Vantage

EACH = 2  # clients of each vantage
PING_EVERY = 0.5  # seconds
LOOK_EVERY = 0.05  # seconds
AGAIN = 0.25  # seconds until a client that was refused tries again
PATIENCE = 15.0  # seconds until it gives a try up
CLOSE, PING, PONG = 0x8, 0x9, 0xA
LONGEST_CONTROL = 125  # bytes of a ping; a length above it is told in further bytes
CHUNK = 65536


@dataclass(kw_only=True)
class WebSocket:
    """The client's end. `signer` is what X-Served-By said; `heard` counts the
    signs of life of those that were `asked` for."""

    connection: Connection
    signer: str
    asked: int = 0
    heard: int = 0

    @classmethod
    async def open(cls, connection: Connection, vantage: Vantage, path: str) -> "WebSocket":
        """Raises OSError, and BadAnswer where none is to be had at `path`."""
        headers = {
            "Host": vantage.hostname,
            "User-Agent": DRILL_AGENT,
            **vantage.headers,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
        }
        reply = await connection.exchange(Request(method="GET", path=path, headers=headers))
        if reply.status != 101:
            raise BadAnswer(f"answered {reply.status}, not a websocket")
        return cls(connection=connection, signer=reply.headers.get("x-served-by", ""))

    @property
    def is_waiting(self) -> bool:
        """For a sign of life that it has asked for."""
        return self.heard < self.asked

    def ping(self) -> None:
        self.asked += 1
        self._say(PING)

    async def listen(self) -> None:
        """Until the other end closes it, or it breaks."""
        try:
            while (said := await self._frame())[0] != CLOSE:
                kind, content = said
                self.heard += kind == PONG
                if kind == PING:
                    self._say(PONG, content)
        except (OSError, asyncio.IncompleteReadError):
            return

    def _say(self, kind: int, content: bytes = b"") -> None:
        """A client has to mask what it sends; a mask of zeros changes nothing."""
        self.connection.writer.write(bytes([0x80 | kind, 0x80 | len(content)]) + bytes(4) + content)

    async def _frame(self) -> tuple[int, bytes]:
        """The kind of the next frame, and what a ping holds."""
        reader = self.connection.reader
        first, length = await reader.readexactly(2)
        if length > LONGEST_CONTROL:
            length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8))
        content = await reader.readexactly(min(length, LONGEST_CONTROL))
        left = length - len(content)
        while left:
            left -= len(await reader.readexactly(min(left, CHUNK)))
        return first & 0xF, content


@dataclass(kw_only=True)
class Sockets:
    """Opens EACH at `path` from every vantage and keeps them, until the load ends.

    `signers` maps the X-Served-By of an answer to a host, `refused` a vantage to the reason
    why its last try failed.
    """

    path: str
    vantages: Sequence[Vantage]
    signers: Mapping[str, str]
    lives: list[Life] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    open: list[WebSocket] = field(default_factory=list)

    async def run(self, now: Callable[[], float], ending: threading.Event) -> None:
        """`now` is the ledger's clock."""
        each = [vantage for vantage in self.vantages for _ in range(EACH)]
        await asyncio.gather(*(self._client(n, v, now, ending) for n, v in enumerate(each)))

    async def _client(
        self, number: int, vantage: Vantage, now: Callable[[], float], ending: threading.Event
    ) -> None:
        if vantage.resolvers:
            await vantage.refresh()
        while not ending.is_set():
            try:
                async with asyncio.timeout(PATIENCE):
                    socket = await self._open(vantage)
            except (OSError, BadAnswer, LookupError) as error:
                self.refused[vantage.name] = str(error) or "no answer in time"
                await asyncio.sleep(AGAIN)
                continue
            opened = now()
            closed, silence = await self._hold(socket, now, ending)
            signer = self.signers.get(socket.signer, "")
            self.lives.append(
                Life(
                    client=number,
                    vantage=vantage.name,
                    served_by=signer,
                    opened=opened,
                    closed=closed,
                    silence=silence,
                )
            )

    async def _open(self, vantage: Vantage) -> WebSocket:
        connection = await vantage.connect()
        try:
            return await WebSocket.open(connection, vantage, self.path)
        except BaseException:
            connection.drop()
            raise

    async def _hold(
        self, socket: WebSocket, now: Callable[[], float], ending: threading.Event
    ) -> tuple[float | None, float]:
        """When it was closed (None: the load has ended), and its longest silence."""
        ears = asyncio.create_task(socket.listen())
        self.open.append(socket)
        asked, due, silence = now(), now(), 0.0
        while not (ears.done() or ending.is_set()):
            if socket.is_waiting:
                silence = max(silence, now() - asked)
            elif now() >= due:
                socket.ping()
                asked, due = now(), now() + PING_EVERY
            await asyncio.sleep(LOOK_EVERY)
        if socket.is_waiting:
            silence = max(silence, now() - asked)
        closed = now() if ears.done() else None
        self.open.remove(socket)
        ears.cancel()
        socket.connection.drop()
        return closed, silence
