"""Hosts without a network: a root file system each, in which the product's scripts run.

`connect` stands in for `nornir_netmiko.connections.netmiko.ConnectHandler`, the one seam:
everything above it (runbook, Nornir, threads, inventory) and the script on the host are
real, and so are its paths. Tools that a test host has not are small stubs in /usr/local/sbin.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import paramiko
import pytest

from tests.site import Site
from tests.unit.hostroot import HostRoot

SHELLS = ("dash", "bash", "busybox")  # what `sh` is on somebody's host
TOOLS = ("caddy", "cloudflared", "lsyncd", "unbound-checkconf", "systemctl", "nft")
# Runs what is to run in a box, without one.
SYSTEMD_RUN = """\
while :; do
    case $1 in
    --*) shift ;;
    -p) shift 2 ;;
    -E) export "$2"; shift 2 ;;
    *) exec "$@" ;;
    esac
done
"""
CLOUDFLARED = 'echo "Validating rules from F"\necho OK\n'
SLEEP = 'case $1 in 0.*) exec /bin/sleep 0.02 ;; esac\nexec /bin/sleep "$1"\n'


class FakeHost:
    """One host: `path` is a file of it, `calls` what its stubs were called with."""

    def __init__(self, folder: Path) -> None:
        self.root = HostRoot(folder)
        self.path = self.root.path
        self.state, self.mcp = self.path("/var/lib/twinedge"), self.path("/etc/mcp/mcp.json")
        self.bin = self.path("/usr/local/sbin")
        self.bin.mkdir()
        self.sessions = 0
        self.login = ""  # what the files of the login shell do
        self.shows: str | None = None  # the program that is run, whatever the session asks for
        self.refuses: Exception | None = None
        for tool in TOOLS:
            self.stub(tool, CLOUDFLARED if tool == "cloudflared" else "")
        self.stub("curl", "")
        self.stub("systemd-run", SYSTEMD_RUN)
        self.stub("sleep", SLEEP)

    def use_shell(self, shell: str) -> None:
        """From here on `sh` is this one of SHELLS."""
        program = shutil.which(shell)
        if program is None:
            pytest.skip(f"{shell} is not installed: script/bootstrap brings it")
        (self.bin / "sh").symlink_to(program)

    def stub(self, tool: str, body: str) -> None:
        """Make `tool` a script of this body; every call is noted in `calls`."""
        path = self.bin / tool
        path.write_text(f'#!/bin/sh\necho "{tool} $*" >> /calls\n{body}', encoding="utf-8")
        path.chmod(0o755)

    def is_at(self, address: str) -> None:
        """The address that the host finds on itself."""
        path = self.bin / "ip"
        path.write_text(f"#!/bin/sh\necho '2: tailscale0    inet {address}/32 scope global'\n")
        path.chmod(0o755)

    def remove_tool(self, tool: str) -> None:
        (self.bin / tool).unlink()

    @property
    def calls(self) -> list[str]:
        log = self.path("/calls")
        return log.read_text(encoding="utf-8").splitlines() if log.exists() else []

    def run(self, script: bytes) -> "subprocess.CompletedProcess[bytes]":
        if self.shows:
            return self.root.run(["sh", self.shows], script)
        return self.root.run(["sh", "-c", self.login + 'eval "$(cat)"'], script)


class _Channel:
    """As much of paramiko.Channel as tasks/shell.py uses."""

    def __init__(self, host: FakeHost) -> None:
        self.host = host
        self.sent = b""

    def settimeout(self, _: float) -> None: ...

    def close(self) -> None: ...

    def exec_command(self, command: str) -> None:
        self.command = command

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def shutdown_write(self) -> None:
        done = self.host.run(self.sent)
        self.out, self.err, self.status = done.stdout, done.stderr, done.returncode

    def recv(self, _: int) -> bytes:
        data, self.out = self.out, b""
        return data

    def recv_stderr(self, _: int) -> bytes:
        data, self.err = self.err, b""
        return data

    def recv_exit_status(self) -> int:
        return self.status


class _Connection:
    """As much of a netmiko connection: `.remote_conn_pre.get_transport().open_session()`."""

    def __init__(self, host: FakeHost) -> None:
        self.host = host
        self.remote_conn_pre = self

    def get_transport(self) -> "_Connection":
        return self

    sock = None

    def set_keepalive(self, _: int) -> None: ...

    def open_session(self, timeout: float) -> _Channel:
        self.host.sessions += 1
        if self.host.refuses:
            raise paramiko.SSHException("session") from self.host.refuses
        return _Channel(self.host)

    def disconnect(self) -> None: ...

    def close(self) -> None: ...


class FakeHosts:
    """The hosts of a Site, by name, and the stand-in for ConnectHandler; none has systemd."""

    def __init__(self, site: Site) -> None:
        self.by_address: dict[str, FakeHost] = {}
        self.by_name: dict[str, FakeHost] = {}
        self.opened = 0
        groups = site.read("groups")
        for name, entry in site.read("hosts").items():
            host = FakeHost(site.folder / "hosts" / name)
            self.by_address[entry["hostname"]] = self.by_name[name] = host
            site.change("hosts", f"{name}.data.manager", "unraid")
            for key, path in groups[entry["groups"][0]]["data"].get("paths", {}).items():
                setattr(host, key, host.path(path))
                if path.startswith("/mnt/user/") and not host.path("/mnt/user").exists():
                    host.root.memory("/mnt/user")  # the array is started
            host.is_at(entry["hostname"])

    def __getitem__(self, name: str) -> FakeHost:
        return self.by_name[name]

    def connect(self, **parameters: Any) -> _Connection:
        self.opened += 1
        host = self.by_address[parameters["host"]]
        if host.refuses:
            raise host.refuses
        return _Connection(host)

    def close(self) -> None:
        for host in self.by_name.values():
            host.root.close()
