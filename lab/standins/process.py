"""How the lab's small servers listen, log and end."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from ssl import SSLContext

from aiohttp import web


class StartRefusedError(Exception):
    """The server cannot start; the text is the one line that says why."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """A TCP address to listen on or to connect to."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def address(text: str) -> Address:
    """Read `ADDR:PORT`; raises ValueError, which argparse turns into its usage line."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not ADDR:PORT")
    return Address(host=host, port=int(port))


async def listen(
    app: web.Application, where: Address, *, tls: SSLContext | None = None
) -> web.AppRunner:
    """Serve `app` at `where` until the process ends; a client that leaves stops no handler."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, where.host, where.port, ssl_context=tls).start()
    except OSError as error:
        raise StartRefusedError(f"cannot listen on {where}: {error.strerror}") from error
    return runner


def sigterm() -> asyncio.Event:
    """An event of the running loop that SIGTERM (or Ctrl-C) sets."""
    event = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, event.set)
    return event


def run(main: Coroutine[None, None, None]) -> int:
    """Run a server's `main` to its end and return the exit status."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        asyncio.run(main)
    except StartRefusedError as error:
        logging.getLogger("lab").error("%s", error)
        return 1
    return 0
