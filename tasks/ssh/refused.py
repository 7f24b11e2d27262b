"""LoginRefused, and what went wrong on the way to a host in an operator's words."""

import shlex
from collections.abc import Iterator

import paramiko

from inventory.ssh import Stop


class LoginRefused(Exception):
    """A host was not logged in to; the text says what to do."""


def by_hand(stop: Stop, command: str = "true") -> str:
    """The command that an operator types to log in to `stop`."""
    port = "" if stop.port == 22 else f"-p {stop.port} "
    return f"ssh {port}{stop.user}@{stop.address} {command}"


def recorded_name(stop: Stop) -> str:
    """The name of `stop` in known_hosts: the address alone on port 22."""
    return stop.address if stop.port == 22 else f"[{stop.address}]:{stop.port}"


def forget(stop: Stop, file: str = "") -> str:
    """The command that takes the recorded keys of `stop` out of `file`."""
    where = f" -f {shlex.quote(file)}" if file else ""
    return f"ssh-keygen{where} -R {shlex.quote(recorded_name(stop))}"


def words(stop: Stop, error: BaseException) -> str:
    """Why `stop` could not be logged in to."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, LoginRefused):
            return str(cause)
    port = "" if stop.port == 22 else f" port {stop.port}"
    why = _reason(causes[-1])
    if why == "No existing session":  # paramiko's word for a handshake that took too long
        why = f"no SSH session came about within conn_timeout, {stop.login.conn_timeout:g} s"
    return f"cannot be reached over SSH at {stop.address}{port}: {why}"


def _reason(error: BaseException) -> str:
    """The first line of `error`, or what kind it is."""
    if isinstance(error, paramiko.ssh_exception.NoValidConnectionsError):
        error = next(iter(error.errors.values()), error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and what it was raised from or in the handling of."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
