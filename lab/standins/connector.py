"""The lab's stand-in for cloudflared: the deployed config's tunnel, to the lab's own edge."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import uuid
from http import HTTPStatus
from pathlib import Path

import aiohttp
from yarl import URL

from lab.standins.process import Address, StartRefusedError, address, listen, run, sigterm
from lab.standins.tunnel.config import TunnelConfig, read_config
from lab.standins.tunnel.ingress import Rule, find_rule
from lab.standins.tunnel.link import LinkError, TunnelLink
from lab.standins.tunnel.origins import PROTOCOL_HEADER, Origins
from lab.standins.tunnel.readiness import Readiness
from lab.standins.tunnel.wire import HEARTBEAT, Reply, Request

NAME = "twinedge's lab stand-in for cloudflared; it validates nothing"
LINKS = 4  # cloudflared's own number of connections
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 8.0  # seconds
CONNECT_SECONDS = 5.0
_log = logging.getLogger("lab.connector")


class Connector:
    """One replica of the tunnel."""

    def __init__(self, config: TunnelConfig, edge: Address, origins: Origins) -> None:
        self._config = config
        self._edge = edge
        self._origins = origins
        self._links: dict[int, TunnelLink] = {}
        self._stopping = asyncio.Event()
        self.readiness = Readiness(connector=str(uuid.uuid4()))

    async def run(self, stop: asyncio.Event) -> None:
        """Hold the links until `stop`, then drain for the grace period at the longest."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            tasks = [asyncio.create_task(self._hold(session, n)) for n in range(LINKS)]
            await stop.wait()
            self.readiness.draining = True
            self._stopping.set()
            await self._drain(tasks)

    async def _drain(self, tasks: list[asyncio.Task[None]]) -> None:
        _log.info("draining: unregisters, finishes what is in flight")
        for number, task in enumerate(tasks):
            if link := self._links.get(number):
                await link.unregister()
            else:
                task.cancel()
        await asyncio.wait(tasks, timeout=self._config.grace)
        cut = sum(link.in_flight for link in self._links.values())
        _log.info("drained; %d requests were cut", cut)

    async def _hold(self, session: aiohttp.ClientSession, number: int) -> None:
        backoff = FIRST_BACKOFF
        while not self._stopping.is_set():
            try:
                await self._link(session, number)
                backoff = FIRST_BACKOFF
            except (aiohttp.ClientError, OSError, LinkError, ValueError) as error:
                _log.error("connection %d to %s: %s", number, self._edge, _reason(error))
            if not self._stopping.is_set():
                await self._pause(backoff)
            backoff = min(2 * backoff, LONGEST_BACKOFF)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _link(self, session: aiohttp.ClientSession, number: int) -> None:
        url = f"http://{self._edge}/"
        async with session.ws_connect(url, heartbeat=HEARTBEAT, max_msg_size=0) as wire:
            link = TunnelLink(wire, self._answer)
            await link.register(self._config.tunnel, self._config.secret, self.readiness.connector)
            self._up(link, number)
            try:
                await link.serve()
            finally:
                self._down(number)

    def _up(self, link: TunnelLink, number: int) -> None:
        self._links[number] = link
        self.readiness.connections = len(self._links)
        _log.info("registered connection %d at %s", number, self._edge)
        _notify("READY=1")

    def _down(self, number: int) -> None:
        del self._links[number]
        self.readiness.connections = len(self._links)
        _log.info("connection %d to %s has ended", number, self._edge)

    async def _answer(self, link: TunnelLink, request: Request) -> None:
        self.readiness.requests += 1
        rule = find_rule(self._config.rules, request.host, URL(request.target, encoded=True).path)
        try:
            await self._route(link, rule, request)
        except (aiohttp.ClientError, OSError) as error:
            self.readiness.errors += 1
            _log.error("unable to reach the origin %s: %s", rule.service, _reason(error))
            await link.send(_plain(request, HTTPStatus.BAD_GATEWAY))

    async def _route(self, link: TunnelLink, rule: Rule, request: Request) -> None:
        if not _admitted(rule, request):
            await link.send(_plain(request, HTTPStatus.FORBIDDEN))
        elif rule.fixed_status:
            await self._reply(link, _plain(request, rule.fixed_status))
        elif request.upgrade:
            await self._relay(link, rule, request)
        else:
            await self._reply(link, await self._origins.ask(rule, request))

    async def _reply(self, link: TunnelLink, reply: Reply) -> None:
        self.readiness.by_code[reply.status] += 1
        await link.send(reply)

    async def _relay(self, link: TunnelLink, rule: Rule, request: Request) -> None:
        try:
            origin = await self._origins.open_socket(rule, request)
        except aiohttp.WSServerHandshakeError as error:
            return await self._reply(link, _plain(request, error.status))
        chosen = ((PROTOCOL_HEADER, origin.protocol),) if origin.protocol else ()
        await self._reply(link, Reply(id=request.id, status=101, headers=chosen, body=b""))
        return await link.streams.relay(request.id, origin)


def _admitted(rule: Rule, request: Request) -> bool:
    if rule.origin.audiences is None:
        return True
    tokens = [v for n, v in request.headers if n.lower() == "cf-access-jwt-assertion"]
    return any(token.removeprefix("standin:") in rule.origin.audiences for token in tokens)


def _plain(request: Request, status: int) -> Reply:
    headers = (("Content-Type", "text/plain"),)
    return Reply(id=request.id, status=status, headers=headers, body=b"lab tunnel: %d\n" % status)


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _notify(state: str) -> None:
    """Tell systemd, where it listens (sd_notify); an @ stands for the abstract namespace."""
    if path := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.sendto(state.encode(), "\0" + path[1:] if path[0] == "@" else path)


async def serve(path: Path) -> None:
    """Run one replica of the tunnel in `path` until SIGTERM and the drain after it."""
    stop = sigterm()
    _log.info(NAME)
    config = read_config(path)
    async with Origins(config.rules) as origins:
        connector = Connector(config, _edge(), origins)
        await listen(connector.readiness.application(), config.metrics)
        await connector.run(stop)


def _edge() -> Address:
    try:
        return address(os.environ.get("TUNNEL_EDGE", ""))
    except ValueError as error:
        raise StartRefusedError(f"environment: TUNNEL_EDGE: {error}") from error


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cloudflared (lab stand-in)", description=NAME)
    parser.add_argument("--version", action="version", version=NAME)
    parser.add_argument("--no-autoupdate", action="store_true")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("command", nargs="*", metavar="tunnel run")
    arguments = parser.parse_intermixed_args()
    if arguments.command not in ([], ["tunnel", "run"]):
        parser.error(f"{NAME}, and runs nothing but `tunnel run`")
    return arguments


def main() -> int:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as cloudflared: it ends the process at once
    return run(serve(_arguments().config))


if __name__ == "__main__":
    raise SystemExit(main())
