"""Logging in: over the way to a host, each machine on it known by its host key."""

import atexit
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import cast

import paramiko
from paramiko.auth_strategy import AuthStrategy

from inventory.ssh import Stop
from tasks.ssh import config, refused
from tasks.ssh.keys import Keys
from tasks.ssh.known_hosts import AUTHORITY, OF_THE_MACHINE, OF_THE_USER, KnownHosts, Line
from tasks.ssh.refused import LoginRefused

HERE = ("127.0.0.1", 0)  # what a jump host is told of where we come from
RSA = ("rsa-sha2-512", "rsa-sha2-256")  # how a key of kind ssh-rsa signs


class Client(paramiko.SSHClient):
    """A connection, and the machine or command that it goes through, which it closes, too."""

    through: "Client | None" = None
    proxy: "subprocess.Popen[bytes] | None" = None

    def close(self) -> None:
        super().close()
        if self.through is not None:
            self.through.close()
        if self.proxy is not None:
            self.proxy.kill()
            self.proxy.wait()


def log_in(way: Sequence[Stop], password: str | None = None) -> Client:
    """A connection to the last stop of `way`. Raises LoginRefused, in words."""
    client: Client | None = None
    for stop in way:
        through, client = client, Client()
        client.through = through
        try:
            _connect(client, stop, password if stop is way[-1] else None)
        except Exception as error:  # paramiko's, the socket's, a broken proxy's
            with suppress(Exception):
                client.close()
            at = "" if stop is way[-1] else f"the way leads through {stop.address}, which "
            raise LoginRefused(f"{at}{refused.words(stop, error)}") from error
    assert client is not None, "a way has a stop"
    return client


def _connect(client: Client, stop: Stop, password: str | None) -> None:
    way = config.Way(address=stop.address)
    sock: paramiko.Channel | socket.socket | None = None
    patience = stop.login.conn_timeout
    if client.through is not None:
        sock = _channel_through(client.through, stop)
    else:
        way = config.way_to(stop)
        if way.command:
            sock, client.proxy = config.start(way.command)
            patience += stop.login.auth_timeout  # the command logs in first
    if sock is not None:  # closed late, it waits for a thread that the interpreter has stopped
        atexit.register(client.close)
    recorded = Recorded(replace(stop, address=way.address), way.alias)
    client.set_missing_host_key_policy(recorded)
    client.connect(
        way.address,
        port=stop.port,
        username=stop.user,
        sock=sock,
        timeout=patience,
        banner_timeout=max(patience, stop.login.banner_timeout),
        auth_timeout=stop.login.auth_timeout,
        transport_factory=recorded.transport,
        auth_strategy=cast(AuthStrategy, Keys(stop, password)),  # it calls `authenticate` alone
    )


def _channel_through(client: Client, stop: Stop) -> paramiko.Channel:
    transport = client.get_transport()
    assert transport is not None, "a connected client has one"
    return transport.open_channel(
        "direct-tcpip", (stop.address, stop.port), HERE, timeout=stop.login.conn_timeout
    )


class Recorded(paramiko.MissingHostKeyPolicy):
    """Lets a host in by a recorded key alone. paramiko is given none to judge by itself."""

    def __init__(self, stop: Stop, alias: str | None = None) -> None:
        self.stop = stop
        self.names = (alias,) if alias else _names(stop)
        login = stop.login
        self.paths = (*(OF_THE_USER + OF_THE_MACHINE if login.system_host_keys else ()),)
        if login.alt_host_keys and login.alt_key_file:
            self.paths = (login.alt_key_file, *self.paths)
        self.known = KnownHosts.read(self.paths)

    def transport(self, *args: object, **options: object) -> paramiko.Transport:
        """One that asks for the kinds of key first by which the host is known."""
        made = paramiko.Transport(*args, **options)  # type: ignore[arg-type]
        security = made.get_security_options()
        kinds = self.known.types(self.names)
        wanted = [a for kind in kinds for a in (RSA if kind == "ssh-rsa" else (kind,))]
        first = [kind for kind in wanted if kind in security.key_types]
        others = [kind for kind in security.key_types if kind not in first]
        security.key_types = [*first, *others]
        return made

    def missing_host_key(self, _: paramiko.SSHClient, __: str, key: paramiko.PKey) -> None:
        verdict = self.known.judge(self.names, key.asbytes())
        if verdict.kind == "revoked":
            raise LoginRefused(
                f"shows an SSH host key that {verdict.lines[0]} marks as @revoked: whoever shows "
                "it may be somebody else. Give the host a new key on its own console, and record "
                "that (README, 'Host keys')"
            )
        if verdict.kind == "changed":
            raise LoginRefused(self._changed(verdict.lines))
        if verdict.kind == "new":
            raise LoginRefused(self._new(verdict.lines))

    def _changed(self, lines: Sequence[Line]) -> str:
        file = lines[0].file
        forget = refused.forget(self.stop, "" if file == OF_THE_USER[0] else file)
        return (
            f"shows another SSH host key than the recorded one at {self.stop.address} "
            f"({', '.join(map(str, lines))}). If it was reinstalled: {forget}, then record it "
            "again (README, 'Host keys'). If not: someone may stand in between"
        )

    def _new(self, lines: Sequence[Line]) -> str:
        notes = [*self.known.unread]
        for line in lines:
            if line.marker == AUTHORITY:
                notes.append(f"{line} names an authority, and host certificates are not read here")
            elif line.key is None:
                notes.append(f"{line} is cut off or broken")
            elif not line.marker:
                notes.append(f"{line} is a key of another kind, {line.type}")
        return (
            f"its SSH host key is not recorded yet: {refused.by_hand(self.stop)}, and compare the "
            f"fingerprint (README, 'Host keys'){''.join(f'; {note}' for note in notes)}"
        )


def _names(stop: Stop) -> tuple[str, ...]:
    """What known_hosts may call it: on another port, first with that port."""
    name = refused.recorded_name(stop)
    return (name,) if name == stop.address else (name, stop.address)
