"""What the history answers: what changed, when a thing was last down, how the drills went."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from journal import availability
from journal.availability import State, Stretch
from journal.entries import DrillEntry, Episode, Run
from tasks.checks.finding import Status

QUIET_KINDS = ("verify", "sync", "readiness")  # told one by one only when they went wrong


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Findings that began together and say the same of one hop.

    It is `over` when a look saw its end, and `lasts` when no look came after it; where
    neither, nobody looked for long, and found it otherwise later. It is `gone` when what it is
    about is in the catalogue no more.
    """

    findings: tuple[Episode, ...]
    since: datetime
    until: datetime
    over: bool
    lasts: bool
    gone: bool = False

    @property
    def first(self) -> Episode:
        return self.findings[0]

    @property
    def seconds(self) -> float:
        return (self.until - self.since).total_seconds()


def troubles(
    episodes: Sequence[Episode], since: datetime, services: Collection[str] | None = None
) -> list[Trouble]:
    """What was wrong after `since` and follows from nothing else, by its beginning.

    `services` are those of the catalogue (None: unknown): what is about another one is gone.
    """
    latest = {e.part: e for e in episodes}  # they come by their beginning: the last one stays
    begins = {(e.part, e.since) for e in episodes}
    groups: dict[tuple[object, ...], list[Episode]] = {}
    for e in episodes:
        if e.status > Status.SKIPPED and e.cause is None and e.until >= since:
            groups.setdefault((e.check, e.hop, e.status, e.since), []).append(e)
    return [
        Trouble(
            findings=tuple(group),
            since=group[0].since,
            until=max(e.until for e in group),
            over=all((e.part, e.until) in begins for e in group),
            lasts=any(latest[e.part] is e for e in group if not _is_gone(e, services)),
            gone=all(_is_gone(e, services) for e in group),
        )
        for group in groups.values()
    ]


def _is_gone(episode: Episode, services: Collection[str] | None) -> bool:
    return services is not None and bool(episode.service) and episode.service not in services


def events(runs: Iterable[Run]) -> list[Run]:
    """The runs that are worth a line each, the oldest first: those that changed something,
    and those that went wrong. What a verify found are episodes."""
    told = [run for run in runs if run.kind not in QUIET_KINDS or _went_wrong(run)]
    return sorted(told, key=lambda run: run.began)


def _went_wrong(run: Run) -> bool:
    """A verify that finds a fault has gone well; one that never ended has not."""
    return run.status is None or (run.kind != "verify" and run.status != 0)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How many runs of one kind there were; `unwell` did not end with status 0."""

    runs: int
    unwell: int


def tallies(runs: Iterable[Run]) -> dict[str, Tally]:
    found: dict[str, Tally] = {}
    for run in runs:
        so_far = found.get(run.kind, Tally(runs=0, unwell=0))
        found[run.kind] = Tally(runs=so_far.runs + 1, unwell=so_far.unwell + (run.status != 0))
    return dict(sorted(found.items()))


@dataclass(frozen=True, kw_only=True)
class Downtime:
    """When `name` was last down, and partly up; None where it never was.

    `seen` is the last time that anything was known of it, `watched` the share of the time
    `since` then in which somebody looked. `why` is what was broken meanwhile.
    """

    name: str
    since: datetime
    down: Stretch | None
    partly: Stretch | None
    seen: datetime
    watched: float
    why: tuple[str, ...]

    @property
    def lasts(self) -> bool:
        """It was still down at the last look."""
        return self.down is not None and self.down.until == self.seen


def downtime(
    episodes: Sequence[Episode], name: str, *, service: bool, since: datetime, now: datetime
) -> Downtime | None:
    """When the service or hop `name` was last down; None when nobody has watched it."""
    of = availability.of_service if service else availability.of_hop
    stretches = of(episodes, name, since, now)
    known = [stretch for stretch in stretches if stretch.state is not State.UNKNOWN]
    if not known:
        return None
    down = availability.last(stretches, State.DOWN)
    begin = known[0].since
    return Downtime(
        name=name,
        since=begin,
        down=down,
        partly=availability.last(stretches, State.PARTLY),
        seen=known[-1].until,
        watched=availability.availability(stretches, begin, known[-1].until).watched,
        why=_why(episodes, name, down, service=service) if down else (),
    )


def _why(
    episodes: Iterable[Episode], name: str, down: Stretch, *, service: bool
) -> tuple[str, ...]:
    """What was broken while it was down: hops, for a service; what was seen, for a hop."""
    own = [
        e
        for e in episodes
        if (e.service == name and e.way if service else e.hop == name and e.cause is None)
        and e.status.is_broken
        and e.within(down.since, down.until)
    ]
    return tuple(dict.fromkeys((e.cause or e.hop) if service else e.seen for e in own))


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """The last drill of one service with one fault, against its budget."""

    at: datetime
    drill: DrillEntry

    @property
    def spoiled(self) -> str:
        """Why it was not judged; empty when it was, as by those who knew no such thing."""
        return str(self.drill.document.get("spoiled", ""))

    @property
    def words(self) -> str:
        """What it cost at worst, beside what it may cost; or what broke the budget."""
        if spoiled := self.spoiled:
            return spoiled
        broken = [
            f"{verdict['what']} {verdict['seen']} (allowed {verdict['allowed']}) "
            f"from {vantage['vantage']}"
            for vantage in self.drill.document["vantages"]
            for verdict in vantage["verdicts"]
            if not verdict["kept"]
        ]
        return ", ".join(broken) or ", ".join(_worst(self.drill.document))


def _worst(document: Any) -> list[str]:
    """Each number of the budget, from the vantage that saw the worst of it."""
    budget, vantages = document["budget"], document["vantages"]
    lost = max((vantage["lost_reads"] for vantage in vantages), default=0)
    found = [f"{lost} GETs lost of {budget['lost']}"]
    times = {"slowest": "slowest", "fallback_after": "fallback", "back_after": "back"}
    limits = {"slowest": "slowest", "fallback_after": "failover", "back_after": "failback"}
    for key, word in times.items():
        values = [vantage[key] for vantage in vantages if vantage[key] is not None]
        if values:
            found.append(f"{word} {max(values):.1f} s of {budget[limits[key]]:g}")
    return found


def rehearsed(drills: Iterable[tuple[Run, DrillEntry]]) -> list[Rehearsed]:
    """The last drill of each service and fault; `drills` has the newest first."""
    found: dict[tuple[str, str, str], Rehearsed] = {}
    for run, drill in drills:
        key = (drill.service, drill.fault, drill.host)
        found.setdefault(key, Rehearsed(at=run.began, drill=drill))
    return list(found.values())


def span_words(time: float) -> str:
    """Seconds in two units at most: `12 s`, `5 min`, `3 h 12 min`, `2 d 4 h`."""
    seconds = max(round(time), 0)
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    n = next((n for n, (_, size) in enumerate(units) if seconds >= size), len(units) - 1)
    if n >= 2:
        return f"{seconds // units[n][1]} {units[n][0]}"
    (unit, size), (less, smaller) = units[n : n + 2]
    rest = seconds % size // smaller
    return f"{seconds // size} {unit}" + (f" {rest} {less}" if rest else "")
