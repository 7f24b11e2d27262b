"""How much of a time something worked: a service as its users see it, and each hop.

A service may be entered by several ways: through each Caddy, from outside. It is down
when none of them works, and partly up when some do. A hop is down while a finding of its
own says so; one that another hop causes does not count against it. What nobody looked at
is unknown, and counts neither way.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby, pairwise

from journal.entries import Episode
from tasks.checks.finding import Status

WINDOWS: Mapping[str, timedelta] = {
    "24 h": timedelta(days=1),
    "7 d": timedelta(days=7),
    "30 d": timedelta(days=30),
    "90 d": timedelta(days=90),
}


class State(StrEnum):
    UP = "up"
    PARTLY = "partly"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A time in which one thing stayed in the same state."""

    state: State
    since: datetime
    until: datetime

    def within(self, begin: datetime, end: datetime) -> float:
        """Seconds of it that lie between two moments."""
        return max((min(self.until, end) - max(self.since, begin)).total_seconds(), 0.0)

    @property
    def seconds(self) -> float:
        return (self.until - self.since).total_seconds()


@dataclass(frozen=True, kw_only=True)
class Availability:
    """How a time was spent: seconds in each state."""

    seconds: Mapping[State, float]

    @property
    def share(self) -> float | None:
        """Of the time that was watched, the part in which it could be used, 0 to 1.

        None when nobody watched. Partly up can be used: clients try the other way.
        """
        used = self.seconds[State.UP] + self.seconds[State.PARTLY]
        watched = used + self.seconds[State.DOWN]
        return used / watched if watched else None

    @property
    def watched(self) -> float:
        """Of the whole time, the part in which somebody looked, 0 to 1."""
        whole = sum(self.seconds.values())
        return 1 - self.seconds[State.UNKNOWN] / whole if whole else 0.0


def by_service(episodes: Iterable[Episode]) -> dict[str, list[Episode]]:
    """The episodes by which `of_service` tells something of each service, by name."""
    return _sorted((e.service, e) for e in episodes if e.way and e.service)


def by_hop(episodes: Iterable[Episode]) -> dict[str, list[Episode]]:
    """The episodes by which `of_hop` tells something of each hop, by name."""
    return _sorted((e.hop, e) for e in episodes if e.cause is None and e.hop)


def _sorted(named: Iterable[tuple[str, Episode]]) -> dict[str, list[Episode]]:
    found: dict[str, list[Episode]] = {}
    for name, episode in named:
        found.setdefault(name, []).append(episode)
    return dict(sorted(found.items()))


def services(episodes: Iterable[Episode]) -> list[str]:
    """The services that `of_service` can tell something of."""
    return list(by_service(episodes))


def hops(episodes: Iterable[Episode]) -> list[str]:
    """The hops that `of_hop` can tell something of."""
    return list(by_hop(episodes))


def of_service(
    episodes: Iterable[Episode], service: str, begin: datetime, end: datetime
) -> tuple[Stretch, ...]:
    """The states of a service as its users see it, without a gap from `begin` to `end`."""
    ways = [e for e in episodes if e.way and e.service == service]
    return _stretches(ways, _usable, begin, end)


def of_hop(
    episodes: Iterable[Episode], hop: str, begin: datetime, end: datetime
) -> tuple[Stretch, ...]:
    """The states of a hop by its own findings, without a gap from `begin` to `end`."""
    own = [e for e in episodes if e.hop == hop and e.cause is None]
    return _stretches(own, _whole, begin, end)


def availability(stretches: Iterable[Stretch], begin: datetime, end: datetime) -> Availability:
    """Seconds in each state between two moments that `stretches` cover."""
    seconds = dict.fromkeys(State, 0.0)
    for stretch in stretches:
        seconds[stretch.state] += stretch.within(begin, end)
    return Availability(seconds=seconds)


def split(stretches: Iterable[Stretch], moments: Sequence[datetime]) -> list[Availability]:
    """As `availability`, of each time from one of `moments` to the next; in one pass.

    `stretches` and `moments` come in order.
    """
    spans = list(pairwise(moments))
    seconds = [dict.fromkeys(State, 0.0) for _ in spans]
    n = 0
    for stretch in stretches:
        while n < len(spans) and spans[n][1] <= stretch.since:
            n += 1
        for k in range(n, len(spans)):
            if spans[k][0] >= stretch.until:
                break
            seconds[k][stretch.state] += stretch.within(*spans[k])
    return [Availability(seconds=each) for each in seconds]


def percent(share: float, digits: int = 3) -> str:
    """Rounded down: 100 % is only what was never down."""
    return f"{math.floor(share * 100 * 10**digits) / 10**digits:g} %"


def last(stretches: Sequence[Stretch], *states: State) -> Stretch | None:
    """The latest stretch in one of `states`."""
    return next((s for s in reversed(stretches) if s.state in states), None)


def _usable(ways: Iterable[Episode]) -> State:
    broken = [way.status.is_broken for way in ways if way.status is not Status.SKIPPED]
    if not broken:
        return State.UNKNOWN
    return State.DOWN if all(broken) else State.PARTLY if any(broken) else State.UP


def _whole(own: Iterable[Episode]) -> State:
    broken = [finding.status.is_broken for finding in own if finding.status is not Status.SKIPPED]
    if not broken:
        return State.UNKNOWN
    return State.DOWN if any(broken) else State.UP


def _stretches(
    episodes: Iterable[Episode],
    judge: Callable[[Iterable[Episode]], State],
    begin: datetime,
    end: datetime,
) -> tuple[Stretch, ...]:
    """What `judge` says of the episodes that lie side by side, from moment to moment."""
    opened: defaultdict[datetime, list[Episode]] = defaultdict(list)
    closed: defaultdict[datetime, list[Episode]] = defaultdict(list)
    for episode in episodes:
        since, until = max(episode.since, begin), min(episode.until, end)
        if since < until:
            opened[since].append(episode)
            closed[until].append(episode)
    found = []
    now: dict[int, Episode] = {}
    for since, until in pairwise(sorted({begin, end, *opened, *closed})):
        for episode in closed[since]:
            del now[id(episode)]
        now |= {id(episode): episode for episode in opened[since]}
        found.append(Stretch(state=judge(now.values()), since=since, until=until))
    return _joined(found)


def _joined(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Neighbours in the same state as one."""
    groups = [list(group) for _, group in groupby(stretches, key=lambda s: s.state)]
    return tuple(
        Stretch(state=group[0].state, since=group[0].since, until=group[-1].until)
        for group in groups
    )
