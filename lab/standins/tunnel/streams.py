"""A websocket carried through the tunnel: frames in, frames out, until one end closes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import ClientWebSocketResponse, WSMsgType, web

from lab.standins.tunnel.wire import Frame

Socket = ClientWebSocketResponse | web.WebSocketResponse
Send = Callable[[Frame], Awaitable[None]]
# Pings too: cloudflared copies bytes, so it is the other end that gives a sign of life.
CARRIED = {
    WSMsgType.TEXT: "text",
    WSMsgType.BINARY: "binary",
    WSMsgType.PING: "ping",
    WSMsgType.PONG: "pong",
}


class Streams:
    """The open websockets of one tunnel connection, by request id."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._incoming: dict[str, asyncio.Queue[Frame]] = {}

    def open(self, identity: str) -> None:
        """Keep the frames of that id from now on: the first may follow its reply at once."""
        self._incoming[identity] = asyncio.Queue()

    def forget(self, identity: str) -> None:
        self._incoming.pop(identity, None)

    def deliver(self, frame: Frame) -> None:
        if queue := self._incoming.get(frame.id):
            queue.put_nowait(frame)

    def close(self) -> None:
        for identity, queue in self._incoming.items():
            queue.put_nowait(Frame(id=identity, kind="close", body=b""))

    async def relay(self, identity: str, socket: Socket) -> None:
        """Carry frames both ways until either end closes; then close the other."""
        incoming = self._incoming[identity]
        pumps = [
            asyncio.create_task(self._outward(identity, socket)),
            asyncio.create_task(_inward(incoming, socket)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self.forget(identity)
            await socket.close()

    async def _outward(self, identity: str, socket: Socket) -> None:
        async for message in socket:
            if kind := CARRIED.get(message.type):
                data = message.data
                body = data.encode() if isinstance(data, str) else bytes(data)
                await self._send(Frame(id=identity, kind=kind, body=body))
        await self._send(Frame(id=identity, kind="close", body=b""))


async def _inward(incoming: asyncio.Queue[Frame], socket: Socket) -> None:
    while (frame := await incoming.get()).kind != "close":
        match frame.kind:
            case "text":
                await socket.send_str(frame.body.decode())
            case "ping":
                await socket.ping(frame.body)
            case "pong":
                await socket.pong(frame.body)
            case _:
                await socket.send_bytes(frame.body)
