"""The lab's stand-in for Cloudflare's edge: TLS, Access, and any connected replica."""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import secrets
import ssl
from pathlib import Path

from aiohttp import web
from multidict import CIMultiDict

from lab.standins.access import (
    ID_HEADER,
    SECRET_HEADER,
    TOKEN_HEADER,
    Policy,
    PolicyError,
    read_policy,
)
from lab.standins.metadata import ASKED, CERTS, TOLD, Signer
from lab.standins.process import Address, StartRefusedError, address, listen, run, sigterm
from lab.standins.tunnel.replicas import Connection, ReplicaLostError, Replicas
from lab.standins.tunnel.wire import Reply, Request, end_to_end

NAME = "twinedge's lab stand-in for Cloudflare's edge"
# Cloudflare's own limits: 100 s until an origin answers, 100 MB per request body.
ANSWER_SECONDS = 100.0
LONGEST_BODY = 100 * 10**6
# A visitor may not say these for the edge.
NOT_THE_VISITORS = frozenset(
    name.lower() for name in (ID_HEADER, SECRET_HEADER, TOKEN_HEADER, "Cf-Connecting-Ip", "Cf-Ray")
)
_log = logging.getLogger("lab.edge")


class Edge:
    """Answers for every public hostname by asking the tunnel."""

    def __init__(self, policy: Path, replicas: Replicas) -> None:
        self._policy = policy
        self._replicas = replicas
        self._signer = Signer()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=LONGEST_BODY)
        app.on_response_prepare.append(_sign)
        app.router.add_get("/cdn-cgi/lab/replicas", self._list)
        app.router.add_route("*", "/{path:.*}", self._visit)
        return app

    async def _list(self, _: web.Request) -> web.Response:
        replicas = [
            {"connectorId": connector, "connections": count}
            for connector, count in sorted(self._replicas.by_connector().items())
        ]
        return web.json_response({"replicas": replicas})

    async def _visit(self, visit: web.Request) -> web.StreamResponse:
        try:
            policy = read_policy(self._policy)
        except PolicyError as error:
            _log.error("%s", error)
            return web.Response(status=500, text=f"lab edge: {error}\n")
        host = _hostname(visit)
        if (host, visit.path) == (f"{policy.team}.cloudflareaccess.com", CERTS):
            return web.json_response(self._signer.certs())
        if ASKED in visit.headers and policy.protects(host):
            audience = policy.audiences.get(host, "")
            told = self._signer.metadata(host, team=policy.team, audience=audience)
            return web.Response(status=302, headers={TOLD: told})
        if denial := policy.denial(host, visit.headers):
            return denial
        connection = self._replicas.any()
        if connection is None:
            return web.Response(status=530, text="Error 1033: no replica is connected\n")
        return await _forward(visit, policy, connection)


async def _forward(
    visit: web.Request, policy: Policy, connection: Connection
) -> web.StreamResponse:
    request = await _request(visit, policy)
    replica = {"X-Lab-Replica": connection.connector}
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reply = await connection.ask(request)
        if reply.status == 101:
            return await _socket(visit, connection, reply, replica)
        return _response(reply, replica)
    except ReplicaLostError as error:
        return web.Response(status=502, text=f"lab edge: {error}\n", headers=replica)
    except TimeoutError:
        return web.Response(status=504, text="lab edge: no answer in time\n", headers=replica)
    finally:
        connection.streams.forget(request.id)


async def _request(visit: web.Request, policy: Policy) -> Request:
    headers = end_to_end(visit.headers.items(), NOT_THE_VISITORS)
    token = policy.token(_hostname(visit))
    return Request(
        id=secrets.token_hex(8),
        method=visit.method,
        target=visit.raw_path,
        host=visit.host,
        client=visit.remote or "",
        headers=((*headers, (TOKEN_HEADER, token)) if token is not None else headers),
        upgrade=web.WebSocketResponse().can_prepare(visit).ok,
        body=await visit.read(),
    )


async def _socket(
    visit: web.Request, connection: Connection, reply: Reply, replica: dict[str, str]
) -> web.WebSocketResponse:
    chosen = [value for _, value in reply.headers]
    socket = web.WebSocketResponse(protocols=chosen, max_msg_size=0, autoping=False)
    socket.headers.update(replica)
    await socket.prepare(visit)
    await connection.streams.relay(reply.id, socket)
    return socket


def _response(reply: Reply, replica: dict[str, str]) -> web.Response:
    headers = CIMultiDict([*reply.headers, *replica.items()])
    return web.Response(status=reply.status, headers=headers, body=reply.body)


async def _sign(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Cf-Ray"] = f"{secrets.token_hex(8)}-LAB"
    response.headers["Server"] = "twinedge-lab-edge"


def _hostname(visit: web.Request) -> str:
    return re.sub(r":\d+$", "", visit.host).lower().rstrip(".")


async def serve(arguments: argparse.Namespace) -> None:
    """Answer visitors and replicas until SIGTERM, then end at once."""
    stop = sigterm()
    tunnels: Address = arguments.tunnels
    replicas = Replicas(arguments.policy)
    try:
        read_policy(arguments.policy)
    except PolicyError as error:
        raise StartRefusedError(str(error)) from error
    await listen(replicas.application(), tunnels)
    edge = Edge(arguments.policy, replicas)
    await listen(edge.application(), arguments.listen, tls=_tls(arguments.cert, arguments.key))
    _log.info("%s: visitors on %s, tunnels on %s", NAME, arguments.listen, tunnels)
    await stop.wait()


def _tls(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        raise StartRefusedError(f"{certificate}, {key}: {error}") from error
    return context


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.standins.edge", description=NAME)
    parser.add_argument("--listen", required=True, type=address, metavar="ADDR:PORT")
    parser.add_argument("--tunnels", required=True, type=address, metavar="ADDR:PORT")
    for name in ("--cert", "--key", "--policy"):
        parser.add_argument(name, required=True, type=Path)
    return parser.parse_args()


def main() -> int:
    return run(serve(_arguments()))


if __name__ == "__main__":
    raise SystemExit(main())
