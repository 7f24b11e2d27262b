"""The one module that talks to a connection: scripts in, output and exit status out.

A script goes to the host's shell on standard input, never on a command line, where
every user of the host could read it.
"""

import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import paramiko
from nornir.core.task import Task

from inventory.errors import TwinedgeError
from tasks.heard import heard
from tasks.host import host_side
from tasks.quote import shell as word
from tasks.ssh import refused
from tasks.ssh.login import log_in
from tasks.ssh.options import Reach, reach_of

CHUNK = 65536
KEEPALIVE = 3  # seconds between two signs of life that we send
DEATH = 10  # seconds that one of them may go without an acknowledgement
OPEN_TIMEOUT = 10.0  # seconds for a new channel on a connection that is thought to be up

BEGINS = "twinedge-begins\n"  # as tasks/host/who.sh prints
ELSEWHERE = "twinedge-elsewhere\n"

LOOK = "twinedge-look"  # nothing that a host would run, did the key not say what to run

# A shell that reads its script from a pipe reads byte by byte; this takes it whole.
READ_THEN_RUN = """sh -c 'eval "$(cat)"'"""


class HostError(TwinedgeError):
    """Something about one host, in words for the operator."""


class WrongHost(HostError):
    """Another host answers than the inventory means; nothing was done there."""


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
    """Run `script` with the host's sh, as root, once the host has told who it is.

    `timeout` is the longest silence, in seconds. Raises Unreachable when there is no
    connection or it dies, WrongHost when another host answers; a script that fails is an
    Output.
    """
    reach = reach_of(task.host)
    command = f"{'sudo -n ' if sudo else ''}{READ_THEN_RUN}"
    return _told(reach, _spoken(task, command, asking_who(reach.own_address, script), timeout))


def look(task: Task, *, timeout: float) -> Output:
    """What the host shows a stand-in, whatever it is asked. Raises as `run`."""
    return _told(reach_of(task.host), _spoken(task, LOOK, "", timeout))


def _spoken(task: Task, command: str, given: str, timeout: float) -> Output:
    """One command of the host's login shell, and all that it prints."""
    channel = _channel(task, reach_of(task.host))
    channel.settimeout(timeout)
    sent = time.time()
    try:
        channel.exec_command(command)
        channel.sendall(given.encode())
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
    received = time.time()
    return Output(stdout=out, stderr=err, status=status, sent=sent, received=received)


def asking_who(own_address: str, script: str) -> str:
    """`script`, behind the question which host this is."""
    return f"own_address={word(own_address)}\n{host_side('who.sh')}\n{script}"


def _told(reach: Reach, output: Output) -> Output:
    """What the script itself printed: the login shell's files may print before it.

    Raises HostError when it never began, WrongHost when another host has answered; sudo's
    refusal stays as it is.
    """
    _, begun, rest = output.stdout.partition(BEGINS)
    if begun:
        _refuse_others(reach, rest)
        return replace(output, stdout=rest, stderr=output.stderr.partition(BEGINS)[2])
    if "sudo:" in output.stderr:
        return output
    said = " ".join(f"{output.stdout} {output.stderr}".split())[:200]
    if reach.only_looks:
        raise HostError(
            f"shows a stand-in nothing (it says: {said or 'nothing'}): deploy from the control "
            "node, and see docs/schedule.md"
        )
    raise HostError(
        f"the login as {reach.stop.user} there ends with exit status {output.status} before it "
        f"runs what it is told{f' (it says: {said})' if said else ''}: look for an `exit` in the "
        f"files of its shell (~/.bashrc), or for another shell or ForceCommand. Try: "
        f"{refused.by_hand(reach.stop, 'echo ok')}"
    )


def _refuse_others(reach: Reach, out: str) -> None:
    """Raise WrongHost when the host's own address is not the one that is meant."""
    if not out.startswith(ELSEWHERE):
        return
    found = re.findall(r"(?<![\d.])\d+(?:\.\d+){3}(?![\d.])", out)
    addresses = [address for address in dict.fromkeys(found) if not address.startswith("127.")]
    names = [reach.names[address] for address in addresses if address in reach.names]
    who = f"is {names[0]}" if names else "is another host"
    raise WrongHost(
        f"what answers at {reach.stop.address} {who}: its addresses are "
        f"{', '.join(addresses) or 'unknown'}, and {reach.own_address} is not among them; nothing "
        "was done there. See hostname and data.ssh in the inventory (behind a NAT: "
        "data.ssh.own_address)"
    )


def _channel(task: Task, reach: Reach) -> paramiko.Channel:
    try:
        connection: Any = task.host.get_connection("netmiko", task.nornir.config)
        if getattr(connection, "remote_conn_pre", None) is None:  # auto_connect is false
            connection.remote_conn_pre = log_in(reach.way, connection.password)
        transport = connection.remote_conn_pre.get_transport()
        _tune(transport)
        channel: paramiko.Channel = transport.open_session(timeout=OPEN_TIMEOUT)
    except Exception as error:  # whatever it is: one host's trouble ends nobody else's run
        _forget(task)
        raise Unreachable(refused.words(reach.stop, error)) from error
    return channel


def _tune(transport: paramiko.Transport) -> None:
    """Let a host that is gone end the wait for it, however long a script may be silent.

    And send at once: Nagle's algorithm held each script back for 40 ms (measured).
    """
    transport.set_keepalive(KEEPALIVE)
    sock = transport.sock
    if isinstance(sock, socket.socket) and sock.family != socket.AF_UNIX:  # not behind a jump host
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEATH * 1000)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _forget(task: Task) -> None:
    """Drop a connection that failed, so that the next run opens a new one."""
    connection: Any = task.host.connections.pop("netmiko", None)
    client = getattr(connection and connection.connection, "remote_conn_pre", None)
    if client is not None:
        client.close()


def _drain(receive: Callable[[int], bytes]) -> str:
    """Everything up to the end of one stream of a channel."""
    return heard(b"".join(iter(lambda: receive(CHUNK), b"")))


def _lost(error: Exception, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"gave no answer within {timeout:.0f} s"
    return f"the connection was lost ({error or type(error).__name__})"
