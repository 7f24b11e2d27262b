"""The heat map of the last days: how available each service and host was, block by block."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from inventory.catalogue import Catalogue
from journal.availability import (
    Availability,
    Stretch,
    availability,
    by_hop,
    by_service,
    of_hop,
    of_service,
    percent,
    split,
)
from journal.entries import Episode
from journal.page.picture import clipped

DAYS, BLOCKS = 7, 4  # columns of six hours
BLOCK = timedelta(days=1) / BLOCKS
# The picture's own units.
LABEL, LETTERS, CELL, ROW, TOP, DAY_GAP = 100, 15, 10, 19, 20, 3
LEVELS = ((1.0, "h0"), (0.99, "h1"), (0.9, "h2"), (0.0, "h3"))
NOBODY = "hn"


@dataclass(frozen=True, kw_only=True)
class Block:
    """Six hours of one row."""

    x: int
    kind: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One service or host; `days` are the same in words, and `all` is all of it."""

    y: int
    name: str
    blocks: Sequence[Block]
    days: Sequence[str]
    all: str

    @property
    def label(self) -> str:
        return clipped(self.name, LETTERS)


@dataclass(frozen=True, kw_only=True)
class Heat:
    """The whole map. `days` are (x, weekday, date)."""

    rows: Sequence[Row]
    days: Sequence[tuple[int, str, str]]

    @property
    def width(self) -> int:
        return _x(DAYS * BLOCKS)

    @property
    def height(self) -> int:
        return TOP + len(self.rows) * ROW


def heat(catalogue: Catalogue, episodes: Sequence[Episode], now: datetime) -> Heat:
    """Whole days, UTC, of which `now` lies in the last."""
    begin = beginning(now)
    ways, hops = by_service(episodes), by_hop(episodes)
    rows = [
        (s.title, of_service(ways.get(s.name, ()), s.name, begin, now))
        for s in catalogue.services.values()
    ]
    rows += [
        (name, of_hop(hops.get(f"host {name}", ()), f"host {name}", begin, now))
        for name in (*catalogue.hosts, *catalogue.appliances)
    ]
    return Heat(
        rows=[_row(n, name, stretches, begin, now) for n, (name, stretches) in enumerate(rows)],
        days=[
            (_x(n * BLOCKS), f"{day:%a}", f"{day:%a %d %b}")
            for n in range(DAYS)
            for day in (begin + n * timedelta(days=1),)
        ],
    )


def beginning(now: datetime) -> datetime:
    """Where the map begins."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=DAYS - 1)


def _row(n: int, name: str, stretches: Sequence[Stretch], begin: datetime, now: datetime) -> Row:
    days = [begin + day * timedelta(days=1) for day in range(DAYS)]
    blocks = [begin + k * BLOCK for k in range(DAYS * BLOCKS)]
    told = [since for since in blocks if since < now]
    found = [*split(stretches, [*told, min(told[-1] + BLOCK, now)]), *[None] * len(blocks)]
    return Row(
        y=TOP + n * ROW,
        name=name,
        blocks=[_block(name, k, since, found[k]) for k, since in enumerate(blocks)],
        days=[words(each) for each in split(stretches, [*days, now])],
        all=words(availability(stretches, begin, now)),
    )


def _block(name: str, k: int, since: datetime, found: Availability | None) -> Block:
    """`found` is None while it is yet to come."""
    until = since + BLOCK
    told = words(found) if found else "yet to come"
    return Block(
        x=_x(k),
        kind=kind(found) if found else "",
        title=f"{name}, {since:%a %d %b %H}–{until:%H} UTC: {told}",
    )


def kind(found: Availability) -> str:
    share = found.share
    if share is None:
        return NOBODY
    return next(kind for least, kind in LEVELS if share >= least)


def words(found: Availability) -> str:
    """A percentage that is 100 only when nothing was lost."""
    return "–" if found.share is None else percent(found.share)


def _x(column: int) -> int:
    return LABEL + column * CELL + column // BLOCKS * DAY_GAP
