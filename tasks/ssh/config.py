"""What the OpenSSH client's settings say of the way to a host, where a site wants them.

OpenSSH itself is asked (`ssh -G`): it knows Include, Match and `none`.
"""

import shlex
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from inventory.ssh import Hop, Stop
from tasks.ssh.refused import LoginRefused

STRICT = ("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes")
PATIENCE = 15.0  # seconds that a `Match exec` may take


@dataclass(frozen=True, kw_only=True)
class Way:
    """`address` to connect to, its `alias` in known_hosts, and a command that does it."""

    address: str
    alias: str | None = None
    command: str | None = None


def way_to(stop: Stop) -> Way:
    """The way to `stop`. Raises LoginRefused."""
    if stop.config is None:
        return Way(address=stop.address)
    said = _ask(stop, str(Path(stop.config).expanduser()))
    address = said.get("hostname", stop.address)
    return Way(
        address=address, alias=said.get("hostkeyalias"), command=_command(stop, address, said)
    )


def start(command: str) -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    """`command`, which leads to a host, and the near end of it.

    Not paramiko's ProxyCommand: that one reads for ever from a command that has ended.
    """
    near, far = socket.socketpair()
    with far:
        words = ["sh", "-c", command]
        end = far.fileno()
        return near, subprocess.Popen(words, stdin=end, stdout=end, stderr=subprocess.DEVNULL)


def _ask(stop: Stop, config: str) -> dict[str, str]:
    """What counts for `stop`; user and port are the inventory's."""
    options = ["-F", config, "-p", str(stop.port), "-l", stop.user]
    try:
        done = subprocess.run(
            ["ssh", "-T", "-G", *options, "--", stop.address],
            capture_output=True,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise LoginRefused(f"data.ssh.config needs the ssh command here ({error})") from error
    except subprocess.TimeoutExpired as error:
        raise LoginRefused(f"{stop.config}: ssh -G gave no answer in {PATIENCE:.0f} s") from error
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip().splitlines()[:1]
        raise LoginRefused(f"data.ssh.config {stop.config}: {''.join(why)}")
    lines = done.stdout.decode(errors="surrogateescape").splitlines()
    return {key: value for key, _, value in (line.partition(" ") for line in lines)}


def _command(stop: Stop, address: str, said: dict[str, str]) -> str | None:
    """The command whose input and output lead to `address`, if there is one."""
    command, jump = said.get("proxycommand", "none"), said.get("proxyjump", "none")
    if command != "none":
        tokens = {"%%": "%", "%h": address, "%n": stop.address, "%p": str(stop.port)}
        return "exec " + _expand(command, tokens | {"%r": stop.user})
    if jump == "none":
        return None
    *before, last = jump.split(",")
    settings = ["-F", str(Path(stop.config or "").expanduser()), *STRICT]
    through = ["-W", f"[{address}]:{stop.port}", *(["-J", ",".join(before)] if before else [])]
    return shlex.join(["exec", "ssh", *settings, *through, *_last(last)])


def _last(text: str) -> list[str]:
    """`user@host:port` as words of an ssh command."""
    try:
        hop = Hop.parse(text.removeprefix("ssh://"))
    except ValueError as error:
        raise LoginRefused(f"ProxyJump: {error}") from error
    user = ["-l", hop.user] if hop.user else []
    port = ["-p", str(hop.port)] if hop.port else []
    return [*user, *port, "--", hop.address]


def _expand(command: str, tokens: dict[str, str]) -> str:
    pieces = command.replace("%%", "\0").split("\0")
    for token, value in tokens.items():
        if token != "%%":
            pieces = [piece.replace(token, value) for piece in pieces]
    return "%".join(pieces)
