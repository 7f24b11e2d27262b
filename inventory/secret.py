"""Secrets by reference: where a value comes from, and its text only when asked.

A `Secret` may be passed, printed, logged or raised: it shows its reference. Only
`reveal` gives the text, and `redact` takes every text that was revealed out again.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from inventory.errors import InventoryError

COMMAND_TIMEOUT = 30.0  # seconds that sops, pass, op or age may take

_revealed: set[str] = set()


@dataclass(frozen=True)
class Secret:
    """`env:NAME`, `file:PATH` or `cmd:COMMAND` (run by the shell on the control node)."""

    reference: str

    def reveal(self) -> str:
        """The secret's text, without its final newline. Raises InventoryError."""
        scheme, _, rest = self.reference.partition(":")
        text = {"env": _from_env, "file": _from_file, "cmd": _from_command}[scheme](rest)
        if not text:
            raise InventoryError(f"{self.reference}: the secret is empty")
        _revealed.add(text)
        return text


def conceal(text: str) -> None:
    """Let `redact` take out `text` too: a part of a secret that is one by itself."""
    _revealed.add(text)


def redact(text: str) -> str:
    """`text` with every secret that this process has revealed taken out."""
    for secret in sorted(_revealed, key=len, reverse=True):
        for line in (secret, *secret.splitlines()):
            if len(line.strip()) >= 4:
                text = text.replace(line, "[secret]")
    return text


def _from_env(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError as error:
        raise InventoryError(
            f"env:{name}: the environment variable is not set on this host"
        ) from error


def _from_file(name: str) -> str:
    try:
        return Path(name).expanduser().read_text(encoding="utf-8").rstrip("\n")
    except RuntimeError as error:
        raise InventoryError(f"file:{name}: nobody here has that home") from error
    except UnicodeDecodeError as error:
        raise InventoryError(f"file:{name}: is not UTF-8 text") from error
    except OSError as error:
        raise InventoryError(f"file:{name}: {error.strerror}") from error


def _from_command(command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S602  the operator's own command, from the inventory
            command, shell=True, capture_output=True, text=True, timeout=COMMAND_TIMEOUT
        )
    except subprocess.TimeoutExpired as error:
        raise InventoryError(f"cmd:{command}: gave no answer in {COMMAND_TIMEOUT:.0f} s") from error
    if done.returncode:
        raise InventoryError(f"cmd:{command}: exit status {done.returncode}")
    return done.stdout.rstrip("\n")
