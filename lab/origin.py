"""One lab origin: a small server that behaves like the catalogue's service of its name."""

from __future__ import annotations

import argparse
import asyncio
import html
import json
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext

from aiohttp import WSMsgType, web
from aiohttp.typedefs import Handler

from lab.standins.origin_faults import OriginFault, read_fault
from lab.standins.process import Address, address, listen, run, sigterm
from lab.standins.services import HealthPage, Imitation, imitation

# Engine.IO's long poll outlives most proxies' read timeouts; this one ends after 12 s.
POLL_SECONDS = 12.0
CHUNK = 65536
_log = logging.getLogger("lab.origin")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One origin on one host, with the files that it is told by and that it tells in."""

    service: str
    host: str
    imitation: Imitation
    control_file: Path
    posts_file: Path
    started: float = field(default_factory=time.monotonic)

    @property
    def fault(self) -> OriginFault:
        return read_fault(self.control_file)

    def health_page(self, request: web.Request) -> HealthPage | None:
        pages = self.imitation.health
        return next((p for p in pages if p.answers(request.path, request.query)), None)

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._faulty], client_max_size=64 * 2**20)
        app.on_response_prepare.append(self._sign)
        app.add_routes(
            [
                web.get("/", self._index),
                web.post("/echo", self._echo),
                web.get("/headers", self._headers),
                web.get("/answer", self._answer),
                web.get("/slow", self._slow),
                web.get("/large", self._large),
                web.get("/socket.io/", self._socket),
            ]
        )
        if self.imitation.index_everywhere:
            app.router.add_get("/{path:.*}", self._index)
        return app

    async def _sign(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Origin"] = f"{self.service}@{self.host}"

    @web.middleware
    async def _faulty(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        await request.read()  # now: it can no longer be read when the client goes away later
        fault = self.fault
        page = self.health_page(request)
        age = time.monotonic() - self.started
        await asyncio.sleep(fault.delay(health=page is not None, age=age))
        if answer := _spoiled(request, fault, health=page is not None):
            return answer
        return _health(page, fault) if page else await handler(request)

    async def _index(self, _: web.Request) -> web.Response:
        name = html.escape(f"{self.imitation.title} on {self.host}")
        text = f"<!doctype html>\n<title>{name}</title>\n<h1>{name}</h1>\n"
        return web.Response(text=text, content_type="text/html")

    async def _echo(self, request: web.Request) -> web.Response:
        identity = request.headers.get("X-Request-Id")
        entry = {"time": time.time(), "id": identity, "host": self.host}
        with self.posts_file.open("a", encoding="utf-8") as posts:
            posts.write(json.dumps(entry) + "\n")
        body = await request.text()
        return web.json_response(
            {"service": self.service, "host": self.host, "id": identity, "body": body}
        )

    async def _headers(self, request: web.Request) -> web.Response:
        got = request.headers
        return web.json_response({name: ", ".join(got.getall(name)) for name in got})

    async def _answer(self, request: web.Request) -> web.Response:
        """The status and the body that are asked for."""
        status = int(_number(request, "status", 200))
        return web.Response(status=status, text=request.query.get("body", ""))

    async def _slow(self, request: web.Request) -> web.Response:
        await asyncio.sleep(_number(request, "seconds", 1.0))
        return web.Response(text="slow\n")

    async def _large(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        left = response.content_length = int(_number(request, "bytes", 2**20))
        await response.prepare(request)
        while left > 0:
            await response.write(b"0" * min(CHUNK, left))
            left -= CHUNK
        return response

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        if not socket.can_prepare(request):
            await asyncio.sleep(_number(request, "seconds", POLL_SECONDS))
            return web.Response(text="2")  # Engine.IO's ping
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        return socket


def _spoiled(request: web.Request, fault: OriginFault, *, health: bool) -> web.Response | None:
    """What a faulty origin answers in place of any page."""
    if fault.fails(health=health):
        return web.Response(status=503, text="lab fault: 503\n")
    proxied = "X-Forwarded-For" in request.headers
    if refused := fault.refusal(host=request.host, proxied=proxied):
        return web.Response(status=refused, text=f"lab fault: {fault.mode} ({request.host})\n")
    if fault.error_page:
        page = "<!doctype html>\n<title>Error</title>\n<p>database is locked</p>\n"
        return web.Response(text=page, content_type="text/html")
    return None


def _health(page: HealthPage, fault: OriginFault) -> web.Response:
    if fault.wrong_body:
        return web.Response(text="<!doctype html>\nwrong body\n", content_type="text/html")
    return web.Response(text=page.body, content_type=page.content_type)


def _number(request: web.Request, name: str, default: float) -> float:
    try:
        return max(0.0, float(request.query.get(name, default)))
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{name}: not a number\n") from error


async def serve(origin: Origin, where: Address) -> None:
    """Answer at `where` until SIGTERM, then end at once with whatever is in flight."""
    stop, fault = sigterm(), origin.fault
    where = fault.listening(where)
    await listen(origin.application(), where, tls=_tls(origin) if fault.https else None)
    _log.info("lab origin %s@%s listens on %s", origin.service, origin.host, where)
    await stop.wait()
    while origin.fault.ignores_term:
        _log.info("lab fault: ignore-term")
        stop.clear()
        await stop.wait()


def _tls(origin: Origin) -> SSLContext:
    from lab.standins import self_signed  # slow to import, and few origins need it

    return self_signed.context(origin.service)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.origin", description=__doc__)
    parser.add_argument("--service", required=True, metavar="NAME")
    parser.add_argument("--host", required=True, metavar="HOSTNAME")
    parser.add_argument("--listen", required=True, type=address, metavar="ADDR:PORT")
    parser.add_argument("--control-dir", type=Path, default=Path("/run/origin"))
    parser.add_argument("--log-dir", type=Path, default=Path("/var/lib/origin"))
    return parser.parse_args()


def main() -> int:
    arguments = _arguments()
    arguments.log_dir.mkdir(parents=True, exist_ok=True)
    origin = Origin(
        service=arguments.service,
        host=arguments.host,
        imitation=imitation(arguments.service),
        control_file=arguments.control_dir / f"{arguments.service}.json",
        posts_file=arguments.log_dir / f"{arguments.service}.posts.jsonl",
    )
    return run(serve(origin, arguments.listen))


if __name__ == "__main__":
    raise SystemExit(main())
