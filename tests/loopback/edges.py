"""Real Caddys as our edges, with the configs that are rendered for them, in a network of its own.

Their addresses are the site's, on the loopback device of a new network namespace: nothing of the
machine is asked, and two edges find each other as in the field.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from inventory.load import load_catalogue
from tasks.configs.caddy import ADMIN_SOCKET
from tests.loopback.edge import has_certificates
from tests.patience import until
from tests.site import Site
from tests.unit.test_configs import rendered

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own needs root")
OPTIONS = f"""\
{{
	admin unix/{ADMIN_SOCKET}
	servers {{
		protocols h1 h2c
	}}
}}
"""
ORIGIN = """\
http://:{port} {{
	bind {address}
	header Answers {name}
	respond "{name} {{http.request.hostport}} {{http.request.uri}} {{http.request.proto}}"
}}
"""


@dataclass(frozen=True)
class Heard:
    """What one question was answered; status 0 where nothing was."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, kw_only=True)
class Net:
    """The network; `origins` by the words that they answer with."""

    folder: Path
    keeper: int
    addresses: Mapping[str, str]
    caddys: dict[str, "subprocess.Popen[str]"]

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        inside = ["nsenter", f"--net=/proc/{self.keeper}/ns/net", *command]
        return subprocess.run(inside, capture_output=True, text=True)

    def ask(self, edge: str, url: str, *flags: str) -> Heard:
        """curl, to the Caddy of `edge` whatever name is in `url`."""
        there = f"::{self.addresses[edge]}:{443 if url.startswith('https') else 80}"
        return self.curl(url, "--connect-to", there, *flags)

    def through_tunnel(self, name: str, path: str = "/") -> Heard:
        """What cloudflared is answered on the edges' loopback."""
        return self.curl(f"http://{name}{path}", "--connect-to", "::127.0.0.1:8081")

    def curl(self, url: str, *flags: str) -> Heard:
        done = self.run("curl", "-sk", "-i", "-m", "10", *flags, url)
        head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
        lines = head.splitlines()
        if done.returncode or not lines:
            return Heard(0, {}, done.stderr)
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        return Heard(int(lines[0].split()[1]), headers, body)

    def start(self, name: str, text: str) -> None:
        """A Caddy with that Caddyfile, once it serves."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        file, socket = home / "Caddyfile", home / "admin.sock"
        file.write_text(text.replace(ADMIN_SOCKET, str(socket)))
        own = {"HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
        # An absolute path: with another PATH `nsenter` would look for it anew.
        caddy = shutil.which("caddy") or "caddy"
        command = [caddy, "run", "--adapter", "caddyfile", "--config", str(file)]
        with (home / "log").open("w") as log:
            self.caddys[name] = subprocess.Popen(
                ["nsenter", f"--net=/proc/{self.keeper}/ns/net", *command],
                env={**os.environ, **own},
                stdout=log,
                stderr=log,
                text=True,
            )
        told = home / "log"
        until(
            lambda: (
                (_serves(told.read_text()) and has_certificates(told.read_text(), text))
                or self.caddys[name].poll() is not None
            )
        )
        assert self.caddys[name].poll() is None, told.read_text()

    def lose(self, address: str) -> None:
        """Nobody has that address any more."""
        self.run("ip", "address", "del", address, "dev", "lo")

    def end(self) -> None:
        for caddy in self.caddys.values():
            caddy.kill()
            caddy.wait()


def alone(site: Site, services: Mapping[str, object]) -> None:
    """The site with these services and no others: each name costs a certificate."""
    site.change("services", "services", dict(services))
    site.change("services", "syncs", {})


@contextmanager
def network(
    site: Site, folder: Path, origins: Mapping[str, str], *, edges: tuple[str, ...] = ("vps1",)
) -> Iterator[Net]:
    """The site's edges, each with its Caddy, and `origins`: name -> `address port`."""
    known = {name: str(host.address) for name, host in load_catalogue(site.config).hosts.items()}
    places = {name: place.split() for name, place in origins.items()}
    wanted = {known[name] for name in edges} | {address for address, _ in places.values()}
    with ExitStack() as stack:
        keeper = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "ip link set lo up && echo up && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        stack.callback(keeper.communicate)
        stack.callback(keeper.kill)
        assert keeper.stdout and keeper.stdout.readline() == "up\n"
        net = Net(folder=folder, keeper=keeper.pid, addresses=known, caddys={})
        stack.callback(net.end)
        for address in wanted:
            net.run("ip", "address", "add", address, "dev", "lo", *_quickly(address))
        told = [ORIGIN.format(name=n, address=a, port=port) for n, (a, port) in places.items()]
        net.start("origins", "".join([OPTIONS, *told]))
        for name in edges:
            # On one machine the tunnel's loopback port can be one edge's alone.
            text = rendered(site, name)["caddy"].text or ""
            if name != edges[0]:
                text = re.sub(r"bind 127\.0\.0\.1 ", "bind ", text)
            net.start(name, text)
        yield net


def _serves(log: str) -> bool:
    """Has a Caddy with this log begun, and got each certificate that it manages?

    It gets none for a name that a wildcard's covers.
    """
    lines = [json.loads(line) for line in log.splitlines() if line.endswith("}")]
    named = [name for line in lines for name in line.get("domains", ())]
    managed = [name for name in named if f"*.{name.partition('.')[2]}" not in named]
    got = [line.get("identifier") for line in lines if "obtained successfully" in line["msg"]]
    begun = any(line["msg"] == "serving initial configuration" for line in lines)
    return begun and set(managed) <= set(got)


def _quickly(address: str) -> list[str]:
    """IPv6 would look for others with the same address first."""
    return ["nodad"] if ":" in address else []
