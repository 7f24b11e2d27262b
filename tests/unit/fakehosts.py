"""Hosts without a network: a folder each, in which the product's own shell scripts run.

`connect` stands in for `nornir_netmiko.connections.netmiko.ConnectHandler`, the one seam:
everything above it (runbook, Nornir, threads, inventory) and the script on the host are
real. Tools that a test host has not are small stubs in the host's `bin`.
"""

import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import paramiko

from tests.site import Site

TOOLS = ("caddy", "cloudflared", "lsyncd", "unbound-checkconf", "systemctl", "nft")
CLOUDFLARED = 'echo "Validating rules from F"\necho OK\n'


class FakeHost:
    """One host: `root` is its file system, `calls` what its stubs were called with."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "bin"
        self.bin.mkdir(parents=True)
        self.shell = "sh"
        self.sessions = 0
        self.refuses: Exception | None = None
        for tool in TOOLS:
            self.stub(tool, CLOUDFLARED if tool == "cloudflared" else "")
        self.stub("curl", "")
        self.stub("sleep", 'case $1 in 0.*) exec /bin/sleep 0.02 ;; esac\nexec /bin/sleep "$1"\n')

    def stub(self, tool: str, body: str) -> None:
        """Make `tool` a script of this body; every call is noted in `calls`."""
        path = self.bin / tool
        log = self.root / "calls"
        path.write_text(f'#!/bin/sh\necho "{tool} $*" >> {log}\n{body}', encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def remove_tool(self, tool: str) -> None:
        (self.bin / tool).unlink()

    @property
    def calls(self) -> list[str]:
        log = self.root / "calls"
        return log.read_text(encoding="utf-8").splitlines() if log.exists() else []

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def run(self, script: bytes) -> "subprocess.CompletedProcess[bytes]":
        env = {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.root)}
        command = [*self.shell.split(), "-c", 'eval "$(cat)"']
        return subprocess.run(command, input=script, capture_output=True, env=env, timeout=60)


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
    """The hosts of a Site, by name, and the stand-in for ConnectHandler."""

    def __init__(self, site: Site) -> None:
        self.by_address: dict[str, FakeHost] = {}
        self.by_name: dict[str, FakeHost] = {}
        self.opened = 0
        for name, entry in site.read("hosts").items():
            host = FakeHost(site.folder / "hosts" / name)
            self.by_address[entry["hostname"]] = self.by_name[name] = host
            self._keep_inside(site, name, host)

    def __getitem__(self, name: str) -> FakeHost:
        return self.by_name[name]

    def connect(self, **parameters: Any) -> _Connection:
        self.opened += 1
        host = self.by_address[parameters["host"]]
        if host.refuses:
            raise host.refuses
        return _Connection(host)

    @staticmethod
    def _keep_inside(site: Site, name: str, host: FakeHost) -> None:
        """Every path of the inventory lies below the host's own folder; no systemd."""
        from inventory.catalogue import Paths

        defaults = {k: v for k, v in vars(Paths()).items() if isinstance(v, str)}
        paths = {key: str(host.path(path)) for key, path in defaults.items()}
        site.change("hosts", f"{name}.data", {"paths": paths, "manager": "unraid"})
