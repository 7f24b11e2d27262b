"""The Caddy of vps1, as rendered, on loopback; and stand-ins for the services that it asks."""

import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server

import httpx

from tests.patience import until
from tests.site import Site
from tests.unit.test_configs import rendered

HOSTS = {
    "vps1": ("100.67.88.109", "127.0.0.11"),
    "vps2": ("100.102.55.88", "127.0.0.12"),
    "unraid": ("100.76.168.116", "127.0.0.13"),
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request, as a stand-in saw it. Names of headers are in small letters."""

    host: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Answer = tuple[int, Mapping[str, str], bytes]


@dataclass
class StandIn:
    """A service on some hosts, at one port. It says who it is; `answer` says something else."""

    name: str
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], Answer | None] = lambda asked: None
    servers: dict[str, ThreadingHTTPServer] = field(default_factory=dict)

    def start(self, *hosts: str) -> "StandIn":
        for host in hosts:
            server = ThreadingHTTPServer((HOSTS[host][1], self.port), self._handler(host))
            server.daemon_threads = True
            server.handle_error = lambda request, address: None  # whoever asked has hung up
            self.port = server.server_address[1]
            self.servers[host] = server
            threading.Thread(target=server.serve_forever, daemon=True).start()
        return self

    def stop(self, *hosts: str) -> None:
        for host in hosts:
            server = self.servers.pop(host)
            server.shutdown()
            server.server_close()

    def _handler(self, host: str) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(
                    host=host, method=self.command, path=self.path, headers=headers, body=body
                )
                stand_in.asked.append(asked)
                said = f"{stand_in.name}, a stand-in on {host}".encode()
                status, more, text = stand_in.answer(asked) or (200, {}, said)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(text)), **more}.items():
                    self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)
                self.close_connection = True

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_one

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler


def free_port() -> int:
    with create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A running Caddy. `visitor` asks as cloudflared does, `guest` as somebody on the tailnet."""

    tunnel_port: int
    tls_port: int

    def visitor(self, name: str, path: str, method: str = "GET", **more: object) -> httpx.Response:
        url = f"http://127.0.0.1:{self.tunnel_port}{path}"
        return self._ask(method, url, name, more)

    def guest(self, name: str, path: str, method: str = "GET", **more: object) -> httpx.Response:
        url = f"https://{HOSTS['vps1'][1]}:{self.tls_port}{path}"
        more["extensions"] = {"sni_hostname": f"{name}.home.example"}
        return self._ask(method, url, name, more)

    def _ask(self, method: str, url: str, name: str, more: dict[str, object]) -> httpx.Response:
        headers = {"Host": f"{name}.home.example", **dict(more.pop("headers", {}))}
        with httpx.Client(trust_env=False, verify=False, timeout=None) as http:
            return http.request(method, url, headers=headers, **more)


def on_loopback(text: str, tls_port: int, places: Mapping[str, str]) -> str:
    """The Caddyfile of vps1 with loopback addresses, free ports, and folders of the test."""
    for address, here in HOSTS.values():
        text = text.replace(address, here)
    for place, here in places.items():
        text = text.replace(place, here)
    return re.sub(r"(?m)^https://([^ ]*) \{$", rf"https://\1:{tls_port} {{", text)


def has_certificates(log: str, caddyfile: str) -> bool:
    """Has Caddy made a certificate of its own CA for every name of the file? It begins to serve
    before that, and refuses those who come for one that it does not have yet. That of a wildcard
    serves for those below it.
    """
    sites = re.findall(r"(?m)^https://.*\{$", caddyfile)
    wanted = {name for line in sites for name in re.findall(r"https://([^\s,:{]+)", line)}
    made = set(re.findall(r'obtained successfully.*"identifier": ?"([^"]+)"', log))
    return all(name in made or f"*.{name.partition('.')[2]}" in wanted & made for name in wanted)


@contextmanager
def edge(site: Site, folder: Path, places: Mapping[str, str] | None = None) -> Iterator[Edge]:
    """vps1's Caddy serves `site`; `places` says where folders of its Caddyfile are here."""
    site.change("defaults", "data.page", None)
    site.change("hosts", "vps1.data.redirect", False)
    port, tls_port = free_port(), free_port()
    site.change("defaults", "data.tunnel.caddy_port", port)
    here = {"/run/twinedge-caddy": str(folder), **(places or {})}
    file = folder / "Caddyfile"
    files = rendered(site, "vps1")
    here["/etc/caddy/twinedge-passwords"] = str(folder)
    for config in files.values():
        if config.name.startswith("caddy-password-"):
            (folder / Path(config.path).name).write_text(config.text or "")
    caddyfile = on_loopback(files["caddy"].text or "", tls_port, here)
    file.write_text(caddyfile)
    process = subprocess.Popen(
        ["caddy", "run", "--adapter", "caddyfile", "--config", str(file)],
        env={**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder / "data")},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said: list[str] = []
    drain = threading.Thread(target=said.extend, args=(process.stderr,), daemon=True)
    try:
        for line in process.stderr:
            said.append(line)
            if "serving initial configuration" in line:
                break
        else:
            raise AssertionError("".join(said[-3:]))
        drain.start()
        until(lambda: has_certificates("".join(said), caddyfile))
        yield Edge(tunnel_port=port, tls_port=tls_port)
    finally:
        process.kill()
        process.wait()
        if drain.is_alive():
            drain.join()
        process.stderr.close()
