"""A runbook that a test runs in its own process."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Done:
    """A runbook's end."""

    status: int
    out: str
    err: str


Runbook = Callable[..., Done]
