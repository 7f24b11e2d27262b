"""Who is told what was seen, and where it can be looked at: the nouns of the watch."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from inventory.fields import HomePath, Name, Path, SecretText, Span, Strict, WeekHours

Looks = Annotated[int, Field(strict=True, ge=1, le=20)]


@dataclass(frozen=True, kw_only=True)
class Channel(Strict):
    """One address of apprise's, a secret by reference, and what is told there.

    `severity: failure` leaves warnings out; `services` leaves out what touches none of them.
    In `quiet` hours, which are the control node's own time, messages wait unless something
    has broken.
    """

    url: SecretText
    severity: Literal["warning", "failure"] = "warning"
    services: tuple[Name, ...] = ()
    quiet: tuple[WeekHours, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Alerts(Strict):
    """Where messages go, and when. `urls` are apprise's, each a secret by reference, and are
    told everything; `channels` are those that are not. The hours of `quiet` are everybody's.

    A problem is told once `looks` looks in a row have seen it, again after `still_after`,
    and then each time twice as much later. One that comes and goes `flaps` times within
    `flap_window` is told as that, and then not until it has kept still for as long. A
    deploy or a drill silences until `settle` after its end. When nobody looked for
    `unwatched_after`, that is told too.
    """

    urls: tuple[SecretText, ...] = ()
    channels: tuple[Channel, ...] = ()
    quiet: tuple[WeekHours, ...] = ()
    looks: Looks = 2
    still_after: Span = timedelta(hours=6)
    flaps: Looks = 4
    flap_window: Span = timedelta(hours=1)
    settle: Span = timedelta(minutes=2)
    unwatched_after: Span = timedelta(minutes=20)

    @property
    def everybody(self) -> tuple[Channel, ...]:
        """An address that stands twice is told as the entry in `channels` says."""
        plain = {url: Channel(url=url) for url in self.urls}
        return tuple((plain | {channel.url: channel for channel in self.channels}).values())


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
