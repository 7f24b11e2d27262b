"""The edge's side of the tunnel: the connections that replicas registered, and asking them."""

from __future__ import annotations

import asyncio
import hmac
import logging
import random
import secrets
from collections import Counter
from pathlib import Path

from aiohttp import WSMsgType, web

from lab.standins.access import PolicyError, read_policy
from lab.standins.tunnel.streams import Streams
from lab.standins.tunnel.wire import (
    HEARTBEAT,
    Challenge,
    Frame,
    Message,
    Refused,
    Register,
    Registered,
    Reply,
    Request,
    Unregister,
    Unregistered,
    decode,
    encode,
    proof,
)

_log = logging.getLogger("lab.edge")


class ReplicaLostError(Exception):
    """The connection died before the answer came; the request may have been executed."""


class Connection:
    """One registered connection of one replica; many requests are in flight on it at a time."""

    def __init__(self, socket: web.WebSocketResponse, connector: str) -> None:
        self._socket = socket
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self.connector = connector
        self.streams = Streams(self.send)

    async def send(self, message: Message) -> None:
        """Raises ReplicaLostError."""
        try:
            await self._socket.send_str(encode(message))
        except ConnectionResetError as error:
            raise ReplicaLostError("the replica's connection is gone") from error

    async def ask(self, request: Request) -> Reply:
        """Raises ReplicaLostError; never asks twice."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = waiting
        if request.upgrade:
            self.streams.open(request.id)
        try:
            await self.send(request)
            reply: Reply = await waiting
        finally:
            del self._waiting[request.id]
        return reply

    def take(self, message: Message) -> None:
        match message:
            case Reply() if message.id in self._waiting:
                waiting = self._waiting[message.id]
                if not waiting.done():
                    waiting.set_result(message)
            case Frame():
                self.streams.deliver(message)

    def lose(self) -> None:
        self.streams.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ReplicaLostError("the replica died in flight"))


class Replicas:
    """All registered connections; new requests go to any of them."""

    def __init__(self, policy: Path) -> None:
        self._policy = policy
        self._connections: set[Connection] = set()

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/", self._register)
        return app

    def any(self) -> Connection | None:
        return random.choice(tuple(self._connections)) if self._connections else None

    def by_connector(self) -> dict[str, int]:
        """The number of connections per replica."""
        return dict(Counter(connection.connector for connection in self._connections))

    async def _register(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=0)
        await socket.prepare(request)
        connector = await self._challenge(socket)
        if connector is not None:
            await self._serve(socket, Connection(socket, connector))
        await socket.close()
        return socket

    async def _challenge(self, socket: web.WebSocketResponse) -> str | None:
        nonce = secrets.token_hex()
        await socket.send_str(encode(Challenge(nonce=nonce)))
        answer = await socket.receive()
        if answer.type is not WSMsgType.TEXT:
            return None
        message = decode(answer.data)
        refusal = self._refusal(message, nonce)
        if refusal is None and isinstance(message, Register):
            return message.connector
        _log.error("refused a connector: %s", refusal)
        await socket.send_str(encode(Refused(reason=refusal or "")))
        return None

    def _refusal(self, message: Message, nonce: str) -> str | None:
        try:
            policy = read_policy(self._policy)
        except PolicyError as error:
            return str(error)
        if not isinstance(message, Register) or message.tunnel != policy.tunnel:
            return "no such tunnel"
        right = hmac.compare_digest(message.proof, proof(policy.secret, nonce))
        return None if right else "wrong tunnel secret"

    async def _serve(self, socket: web.WebSocketResponse, connection: Connection) -> None:
        self._connections.add(connection)
        _log.info("replica %s: registered a connection", connection.connector)
        try:
            await connection.send(Registered())
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._take(connection, decode(message.data))
        except (ConnectionResetError, ReplicaLostError) as error:
            _log.info("replica %s: %s", connection.connector, error)
        finally:
            self._connections.discard(connection)
            connection.lose()
            _log.info("replica %s: a connection ended", connection.connector)

    async def _take(self, connection: Connection, message: Message) -> None:
        if isinstance(message, Unregister):
            self._connections.discard(connection)
            await connection.send(Unregistered())
        connection.take(message)
