"""The one module that talks to a connection: scripts in, output and exit status out.

A script goes to the host's shell on standard input, never on a command line, where
every user of the host could read it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paramiko
from netmiko.exceptions import NetmikoAuthenticationException, NetmikoTimeoutException
from nornir.core.task import Task

from inventory.secret import redact

CHUNK = 65536

# A shell that reads its script from a pipe reads byte by byte; this takes it whole.
READ_THEN_RUN = """sh -c 'eval "$(cat)"'"""


class HostError(Exception):
    """Something about one host, in words for the operator."""


class Unreachable(HostError):
    """There is no connection to the host, or it died."""


class CommandFailed(HostError):
    """The host ran a script, which failed."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """What a script printed and how it ended."""

    stdout: str
    stderr: str
    status: int


def run(task: Task, script: str, *, timeout: float, sudo: bool = False) -> Output:
    """Run `script` with the host's sh, as root.

    `timeout` is the longest silence, in seconds. Raises Unreachable when there is no
    connection or it dies; a script that fails is an Output.
    """
    channel = _channel(task, timeout)
    try:
        channel.exec_command(f"{'sudo -n ' if sudo else ''}{READ_THEN_RUN}")
        channel.sendall(script.encode())
        channel.shutdown_write()
        out, err = _drain(channel.recv), _drain(channel.recv_stderr)
        status = channel.recv_exit_status()
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise Unreachable(_lost(task, error, timeout)) from error
    finally:
        channel.close()
    if status < 0:
        raise Unreachable(_lost(task, EOFError("no exit status"), timeout))
    return Output(stdout=out, stderr=err, status=status)


def must(output: Output, doing: str) -> str:
    """The standard output of a script that had to succeed. Raises CommandFailed."""
    if output.status:
        said = redact((output.stderr or output.stdout).strip()) or f"exit status {output.status}"
        raise CommandFailed(f"{doing}: {said}")
    return output.stdout


def _channel(task: Task, timeout: float) -> paramiko.Channel:
    try:
        connection: Any = task.host.get_connection("netmiko", task.nornir.config)
        transport = connection.remote_conn_pre.get_transport()
        channel: paramiko.Channel = transport.open_session(timeout=timeout)
    except Exception as error:
        raise _refusal(task, error) from error
    channel.settimeout(timeout)
    return channel


def _drain(receive: Callable[[int], bytes]) -> str:
    """Everything up to the end of one stream of a channel."""
    return b"".join(iter(lambda: receive(CHUNK), b"")).decode(errors="replace")


def _lost(task: Task, error: Exception, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"{task.host.name} gave no answer within {timeout:.0f} s"
    return f"the connection to {task.host.name} was lost ({error or type(error).__name__})"


def _refusal(task: Task, error: Exception) -> Exception:
    """Why there is no connection, with the way out; `error` itself when it is not that."""
    host = f"{task.host.name} ({task.host.hostname})"
    text = str(error)
    if isinstance(error, paramiko.BadHostKeyException):
        return Unreachable(
            f"{host} shows another SSH host key than the recorded one. If the host was "
            f"reinstalled: ssh-keygen -R {task.host.hostname}, then record it again (README, "
            "'Host keys'). If not: someone may stand in between"
        )
    if "not found in known_hosts" in text:
        return Unreachable(
            f"the SSH host key of {host} is not recorded yet: ssh {task.host.username}@"
            f"{task.host.hostname} true, and compare the fingerprint (README, 'Host keys')"
        )
    if isinstance(error, NetmikoAuthenticationException | paramiko.AuthenticationException):
        return Unreachable(
            f"{host} refuses the key for user {task.host.username}: see key_file and "
            "username in inventory/defaults.yaml"
        )
    if isinstance(error, NetmikoTimeoutException | OSError | EOFError | paramiko.SSHException):
        reason = next(iter(text.strip().splitlines()), type(error).__name__)
        return Unreachable(f"{host} cannot be reached over SSH: {reason}")
    return error
