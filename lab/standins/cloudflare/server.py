"""Serves the stand-in: `python -m lab.standins.cloudflare.server --listen ADDR:PORT`."""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from lab.standins.cloudflare.account import Account, Token
from lab.standins.cloudflare.answer import Answer, Ask
from lab.standins.cloudflare.api import NAME, Cloud
from lab.standins.process import address

PREFIX = "/client/v4"


class Answering(Protocol):
    """What answers requests: this stand-in, or Tailscale's."""

    def answer(self, ask: Ask) -> Answer: ...


@contextmanager
def serving(
    cloud: Answering, host: str = "127.0.0.1", port: int = 0, prefix: str = PREFIX
) -> Iterator[str]:
    """Serves `cloud` in a thread; gives the base URL of its API."""
    with ThreadingHTTPServer((host, port), _handler(cloud, prefix)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{server.server_port}{prefix}"
        finally:
            server.shutdown()
            thread.join()


def _handler(cloud: Answering, prefix: str) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "twinedge-lab-cloudflare"

        def _work(self) -> None:
            url = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            ask = Ask(
                method=self.command,
                path=url.path.removeprefix(prefix),
                query=dict(parse_qsl(url.query)),
                token=self.headers.get("Authorization", "").removeprefix("Bearer "),
                body=_body(sent, self.headers.get("Content-Type", "")),
            )
            with lock:
                answer = cloud.answer(ask)
            if answer.cut:
                self.close_connection = True
                return
            text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
            self.send_response(answer.status)
            kind = "text/html" if isinstance(answer.body, str) else "application/json"
            for name, value in {"Content-Type": kind, **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _work

        def log_message(self, *_: object) -> None: ...

    return Handler


def _body(sent: bytes, kind: str) -> Any:
    if kind.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(sent.decode()))
    return json.loads(sent) if sent else None


def main() -> None:
    """One empty account, and one token that may do everything, until it is ended."""
    parser = argparse.ArgumentParser(description=NAME)
    parser.add_argument("--listen", required=True, type=address, metavar="ADDR:PORT")
    parser.add_argument("--zone", required=True, metavar="DOMAIN")
    parser.add_argument("--tunnel", required=True, metavar="ID")
    parser.add_argument("--token", required=True, metavar="TEXT", help="the lab's, no secret")
    asked = parser.parse_args()
    account = Account(zone=asked.zone, tokens={asked.token: Token()})
    account.add_tunnel(asked.tunnel)
    with serving(Cloud(account), asked.listen.host, asked.listen.port) as base:
        print(f"{NAME}: {base}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
