"""The one module that talks to a connection: scripts in, output and exit status out.

A script goes to the host's shell on standard input, never on a command line, where
every user of the host could read it.
"""

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import paramiko
from nornir.core.task import Task

CHUNK = 65536
KEEPALIVE = 3  # seconds between two signs of life that we send
DEATH = 10  # seconds that one of them may go without an acknowledgement
OPEN_TIMEOUT = 10.0  # seconds for a new channel on a connection that is thought to be up

# A shell that reads its script from a pipe reads byte by byte; this takes it whole.
READ_THEN_RUN = """sh -c 'eval "$(cat)"'"""


class HostError(Exception):
    """Something about one host, in words for the operator."""


class Unreachable(HostError):
    """There is no connection to the host, or it died."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """What a script printed and how it ended.

    `sent` and `received` are the controller's clock (seconds since 1970) around it.
    """

    stdout: str
    stderr: str
    status: int
    sent: float = 0.0
    received: float = 0.0


def run(task: Task, script: str, *, timeout: float, sudo: bool = False) -> Output:
    """Run `script` with the host's sh, as root.

    `timeout` is the longest silence, in seconds. Raises Unreachable when there is no
    connection or it dies; a script that fails is an Output.
    """
    channel = _channel(task)
    channel.settimeout(timeout)
    sent = time.time()
    try:
        channel.exec_command(f"{'sudo -n ' if sudo else ''}{READ_THEN_RUN}")
        channel.sendall(script.encode())
        channel.shutdown_write()
        out, err = _drain(channel.recv), _drain(channel.recv_stderr)
        status = channel.recv_exit_status()
    except (OSError, EOFError, paramiko.SSHException) as error:
        _forget(task)
        raise Unreachable(_lost(error, timeout)) from error
    finally:
        channel.close()
    if status < 0:
        _forget(task)
        raise Unreachable(_lost(EOFError("no exit status"), timeout))
    return Output(stdout=out, stderr=err, status=status, sent=sent, received=time.time())


def _channel(task: Task) -> paramiko.Channel:
    try:
        connection: Any = task.host.get_connection("netmiko", task.nornir.config)
        if getattr(connection, "remote_conn_pre", None) is None:  # auto_connect is false
            connection.establish_connection()
        transport = connection.remote_conn_pre.get_transport()
        _tune(transport)
        channel: paramiko.Channel = transport.open_session(timeout=OPEN_TIMEOUT)
    except Exception as error:
        _forget(task)
        raise _refusal(task, error) from error
    return channel


def _tune(transport: paramiko.Transport) -> None:
    """Let a host that is gone end the wait for it, however long a script may be silent.

    And send at once: Nagle's algorithm held each script back for 40 ms (measured).
    """
    transport.set_keepalive(KEEPALIVE)
    if isinstance(transport.sock, socket.socket):  # not so behind a jump host
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEATH * 1000)
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _forget(task: Task) -> None:
    """Drop a connection that failed, so that the next run opens a new one."""
    connection: Any = task.host.connections.pop("netmiko", None)
    client = getattr(connection and connection.connection, "remote_conn_pre", None)
    if client is not None:
        client.close()


def _drain(receive: Callable[[int], bytes]) -> str:
    """Everything up to the end of one stream of a channel."""
    return b"".join(iter(lambda: receive(CHUNK), b"")).decode(errors="replace")


def _lost(error: Exception, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"gave no answer within {timeout:.0f} s"
    return f"the connection was lost ({error or type(error).__name__})"


def _refusal(task: Task, error: Exception) -> Exception:
    """Why there is no connection, with the way out; `error` itself when it is not that."""
    address = task.host.hostname
    causes = list(_causes(error))
    if any(isinstance(cause, paramiko.BadHostKeyException) for cause in causes):
        return Unreachable(
            f"shows another SSH host key than the recorded one at {address}. If it was "
            f"reinstalled: ssh-keygen -R {address}, then record it again (README, 'Host "
            "keys'). If not: someone may stand in between"
        )
    if any("not found in known_hosts" in str(cause) for cause in causes):
        return Unreachable(
            f"its SSH host key is not recorded yet: ssh {task.host.username}@{address} true, "
            "and compare the fingerprint (README, 'Host keys')"
        )
    if any(isinstance(cause, paramiko.AuthenticationException) for cause in causes):
        return Unreachable(
            f"refuses the key for user {task.host.username}: see key_file and username in "
            "inventory/defaults.yaml"
        )
    if isinstance(error, OSError | EOFError | paramiko.SSHException):
        cause = causes[-1]
        reason = next(iter(str(cause).strip().splitlines()), type(cause).__name__)
        return Unreachable(f"cannot be reached over SSH at {address}: {reason}")
    return error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and what it was raised from or in the handling of."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
