"""When twinedge looks by itself: the jobs, their times, and the hosts that run them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

from inventory.fields import Name, Path, SettingsPath, Span, Strict, User
from inventory.hours import DAYS

DAY, WEEK = timedelta(days=1), timedelta(days=7)
LEAST_LIMIT, MOST_LIMIT = timedelta(minutes=5), timedelta(hours=1)
LOOKS = ("verify",)  # the jobs that change nothing on any host
SILENT_AFTER = 3  # intervals of the most frequent job without a sign of life


def _day_time(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f"{value!r}: YAML reads a bare time as a number, so put it in quotes")
    days = "|".join(DAYS)
    if not re.fullmatch(rf"(({days})(,({days}))* )?([01]\d|2[0-3]):[0-5]\d", str(value)):
        raise ValueError(f"{value!r} is not a time such as '04:30' or 'Sat,Sun 04:30'")
    return str(value)


DayTime = Annotated[str, BeforeValidator(_day_time)]


@dataclass(frozen=True, kw_only=True)
class Timing(Strict):
    """`every` so often, or `at` a time of the day, perhaps on some days of the week.

    A start is late by up to `jitter`, at random; a run that takes longer than `timeout`
    is ended.
    """

    every: Span | None = None
    at: DayTime | None = None
    jitter: Span | None = None
    timeout: Span | None = None

    @property
    def days(self) -> tuple[str, ...]:
        """Days of the week; none means each."""
        return tuple(self.at.split(" ")[0].split(",")) if self.at and " " in self.at else ()

    @property
    def time(self) -> str:
        """HH:MM of a job that has a time."""
        return self.at.split(" ")[-1] if self.at else ""

    @property
    def period(self) -> timedelta:
        """The longest time between two runs."""
        return self.every or (WEEK if self.days else DAY)

    @property
    def spread(self) -> timedelta:
        return self.jitter or min(self.period / 10, timedelta(minutes=15))

    @property
    def limit(self) -> timedelta:
        return self.timeout or min(max(self.period, LEAST_LIMIT), MOST_LIMIT)


MaybeTiming = Annotated[Timing | None, BeforeValidator(lambda v: None if v is False else v)]


@dataclass(frozen=True, kw_only=True)
class Schedule(Strict):
    """The jobs, each with its timing or off, and the `hosts` that run them.

    The first host runs them all. Any other stands in: it verifies, and nothing else, while it
    has not heard of the first for some intervals. On each, the jobs run as `user`, from the
    product in `checkout` and with the Nornir settings of `settings`, a path in the folder
    `site`; each is by default where it is for the one who deploys.
    """

    hosts: tuple[Name, ...] = ()
    user: User = "root"
    checkout: Path | None = None
    site: Path | None = None
    settings: SettingsPath | None = None
    verify: MaybeTiming = Timing(every=timedelta(minutes=5))
    sync: MaybeTiming = Timing(every=timedelta(hours=1))
    readiness: MaybeTiming = Timing(at="05:30")
    drill: MaybeTiming = None

    @property
    def jobs(self) -> Mapping[str, Timing]:
        """The jobs that are on, by name."""
        named = {"verify": self.verify, "sync": self.sync, "readiness": self.readiness}
        named["drill"] = self.drill
        return {name: timing for name, timing in named.items() if timing}

    def jobs_of(self, host: str) -> Mapping[str, Timing]:
        """Those that `host` runs. A stand-in has a key that may only look."""
        if host in self.juniors:
            return {name: timing for name, timing in self.jobs.items() if name in LOOKS}
        return self.jobs if host in self.hosts else {}

    @property
    def juniors(self) -> tuple[str, ...]:
        """The hosts that stand in for the first."""
        return self.hosts[1:]

    def elders_of(self, host: str) -> tuple[str, ...]:
        """The hosts that `host` stands in for: while it hears of one, it has nothing to do."""
        return self.hosts[:1] if host in self.juniors else ()

    def juniors_of(self, host: str) -> tuple[str, ...]:
        """The hosts that `host` gives its signs of life."""
        return self.juniors if host in self.hosts[:1] else ()

    @property
    def patience(self) -> timedelta:
        """How long a host may be silent before the next one takes over."""
        return SILENT_AFTER * min((t.period for t in self.jobs.values()), default=DAY)

    @property
    def problems(self) -> Iterator[tuple[str, str]]:
        """Contradictions, as (key, what is wrong)."""
        if len(set(self.hosts)) < len(self.hosts):
            yield "hosts", "names a host twice"
        if self.juniors and not any(job in LOOKS for job in self.jobs):
            yield "hosts", f"{self.juniors[0]} stands in with verify alone, and verify is off"
        for name, timing in self.jobs.items():
            if bool(timing.every) == bool(timing.at):
                yield name, "needs either every or at, not both or neither"
        if self.drill and self.drill.every:
            yield "drill", "a drill has its time: use at, such as 'Sun 04:00'"
