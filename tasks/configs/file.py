"""ConfigFile: one managed file of one host, and what the host does with it."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Protocol

from tasks.tools import Tool

MADE_BY = "Made by twinedge from git commit"
HEADER_LINES = 3  # the header stands on one of the first lines, or nowhere
ABSENT = "absent"  # the digest of a file that is not there
SERVICES, TIMERS = 1, 2  # orders of activation: no service needs another's new config


class Render(Protocol):
    """Renders a template of templates/ with the given values; `made_by` is always there."""

    def __call__(self, template: str, /, **values: Any) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Activation:
    """How a changed config takes effect. Both commands are POSIX sh, run as root.

    `check` runs after `command` until it succeeds, for at most `patience` seconds. Lower
    `order` goes first, those of one order go beside each other (SERVICES, TIMERS); files
    that share an activation activate once.
    """

    name: str
    order: int
    command: str
    check: str
    patience: int = 15


@dataclass(frozen=True, kw_only=True)
class ConfigFile:
    """One managed file; where `text` is None, a path at which no file may be.

    `validate` is POSIX sh with the staged copy as $1, and needs `tool`; `uses` are further
    programs that it has no sense or less sense without. `bare` is the text without the lines that
    an operator wrote himself, where there are some. `folders` must exist for the config
    to make sense; the deploy makes missing ones.
    """

    name: str
    path: str
    text: str | None = field(repr=False)
    bare: str | None = field(default=None, repr=False)
    owner: str = "root:root"
    mode: int = 0o644
    secret: bool = False
    tool: Tool | None = None
    uses: tuple[Tool, ...] = ()
    validate: str = ""
    activation: Activation | None = None
    folders: tuple[str, ...] = ()

    @property
    def tools(self) -> tuple[Tool, ...]:
        return (self.tool, *self.uses) if self.tool else self.uses

    @property
    def digest(self) -> str:
        return ABSENT if self.text is None else digest(self.text)


def digest(text: str) -> str:
    """SHA-256 of `text` without its header line: a commit alone changes no file.

    The host computes the same in tasks/host/release.sh.
    """
    lines = text.split("\n")
    kept = [
        line for number, line in enumerate(lines) if number >= HEADER_LINES or MADE_BY not in line
    ]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()
