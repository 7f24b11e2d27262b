"""Who is told what was seen, and where it can be looked at: the nouns of the watch."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from inventory.fields import HomePath, Name, Path, SecretText, Strict

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def span(text: Any) -> timedelta:
    """`90s`, `20m`, `2h`, `3d`. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,4})([smhd])", str(text))
    if match is None or not int(match[1]):
        raise ValueError(f"{text!r} is not a time such as 90s, 20m, 2h or 3d")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


Span = Annotated[timedelta, BeforeValidator(span)]
Looks = Annotated[int, Field(strict=True, ge=1, le=20)]


@dataclass(frozen=True, kw_only=True)
class Alerts(Strict):
    """Where messages go, and when. `urls` are apprise's, each a secret by reference.

    A problem is told once `looks` looks in a row have seen it, again after `still_after`,
    and then each time twice as much later. One that comes and goes `flaps` times within
    `flap_window` is told as that, and then not until it has kept still for as long. A
    deploy or a drill silences until `settle` after its end. When nobody looked for
    `unwatched_after`, that is told too.
    """

    urls: tuple[SecretText, ...] = ()
    looks: Looks = 2
    still_after: Span = timedelta(hours=6)
    flaps: Looks = 4
    flap_window: Span = timedelta(hours=1)
    settle: Span = timedelta(minutes=2)
    unwatched_after: Span = timedelta(minutes=20)


@dataclass(frozen=True, kw_only=True)
class Metrics(Strict):
    """The file that node_exporter's textfile collector reads, on the control node."""

    file: HomePath


@dataclass(frozen=True, kw_only=True)
class Heartbeat(Strict):
    """A web address that is called after each look, so that somebody notices silence."""

    url: SecretText


@dataclass(frozen=True, kw_only=True)
class Page(Strict):
    """Where the page is written on the control node; its Caddy serves it as HOSTNAME.DOMAIN."""

    directory: Path
    hostname: Name = "status"
