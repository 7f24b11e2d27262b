"""A real HTTP endpoint on loopback, as a chat service or a heartbeat would be."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Endpoint:
    """What it was sent, in order; while `status` is not 200 it takes nothing. A path
    /moved/STATUS leads elsewhere, to a place that takes it."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.pings: list[str] = []
        self.tries = 0
        self.status = 200
        self.hold = threading.Event()  # cleared, it never answers
        self.hold.set()
        self.port = 0

    @property
    def titles(self) -> list[str]:
        return [post["title"] for post in self.posts]

    def url(self, token: str = "SECRETTOKEN") -> str:
        """As apprise wants it."""
        return f"json://127.0.0.1:{self.port}/{token}"


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.tries += 1
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.hold.wait()
            if self.path.startswith("/moved/"):
                self._answer(int(self.path.rpartition("/")[2]))
                return
            if made.status == 200:
                made.posts.append(json.loads(body))
            self._answer()

        def do_GET(self) -> None:
            if made.status == 200:
                made.pings.append(self.path)
            self._answer()

        def _answer(self, moved: int | None = None) -> None:
            self.send_response(moved or made.status)
            if moved:
                self.send_header("Location", "/here")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
