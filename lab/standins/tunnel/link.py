"""One of the connector's connections to the edge: registers, takes requests, drains."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from aiohttp import ClientWebSocketResponse, WSMsgType

from lab.standins.tunnel.streams import Streams
from lab.standins.tunnel.wire import (
    Challenge,
    Frame,
    Message,
    Refused,
    Register,
    Registered,
    Request,
    Unregister,
    Unregistered,
    decode,
    encode,
    proof,
)

# The edge answers a registration at once or is not there.
REGISTRATION_SECONDS = 10.0


class LinkError(Exception):
    """The edge refused the registration, or broke it off."""


class TunnelLink:
    """A registered connection; `answer` is called once for each request that arrives on it."""

    def __init__(
        self,
        socket: ClientWebSocketResponse,
        answer: Callable[[TunnelLink, Request], Awaitable[None]],
    ) -> None:
        self._socket = socket
        self._answer = answer
        self._in_flight: set[asyncio.Task[None]] = set()
        self._quiet = False
        self._drained = asyncio.Event()
        self.streams = Streams(self.send)

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    async def send(self, message: Message) -> None:
        """Silently drops what a connection that died can no longer carry."""
        with contextlib.suppress(ConnectionResetError):
            await self._socket.send_str(encode(message))

    async def register(self, tunnel: str, secret: str, connector: str) -> None:
        """Prove the tunnel's secret; raises LinkError or TimeoutError."""
        async with asyncio.timeout(REGISTRATION_SECONDS):
            challenge = await self._receive()
            if not isinstance(challenge, Challenge):
                raise LinkError("the edge sent no challenge")
            answer = proof(secret, challenge.nonce)
            await self.send(Register(tunnel=tunnel, connector=connector, proof=answer))
            verdict = await self._receive()
        if isinstance(verdict, Refused):
            raise LinkError(f"the edge refused: {verdict.reason}")
        if not isinstance(verdict, Registered):
            raise LinkError("the edge did not register the connection")

    async def serve(self) -> None:
        """Answer requests until the connection ends; what is in flight then is given up."""
        reading = asyncio.create_task(self._read())
        drained = asyncio.create_task(self._drained.wait())
        try:
            await asyncio.wait((reading, drained), return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
        finally:
            self.streams.close()
            for task in (reading, drained, *self._in_flight):
                task.cancel()

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                self._take(decode(message.data))

    async def unregister(self) -> None:
        """Ask for no more requests; the connection ends when all have been answered."""
        await self.send(Unregister())

    async def _receive(self) -> Message:
        message = await self._socket.receive()
        if message.type is not WSMsgType.TEXT:
            raise LinkError("the edge closed the connection")
        return decode(message.data)

    def _take(self, message: Message) -> None:
        match message:
            case Request():
                self._start(message)
            case Frame():
                self.streams.deliver(message)
            case Unregistered():
                self._quiet = True
                self._end_when_drained()

    def _start(self, request: Request) -> None:
        if request.upgrade:
            self.streams.open(request.id)
        task = asyncio.create_task(self._finish(request))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _finish(self, request: Request) -> None:
        await self._answer(self, request)
        self.streams.forget(request.id)
        if own := asyncio.current_task():
            self._in_flight.discard(own)
        self._end_when_drained()

    def _end_when_drained(self) -> None:
        if self._quiet and not self._in_flight:
            self._drained.set()
