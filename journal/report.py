"""The report: what the history says of the last hours, days and drills, as one value."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from journal import availability
from journal.answers import Rehearsed, Tally, Trouble, events, rehearsed, tallies, troubles
from journal.availability import WINDOWS, Availability, State, Stretch
from journal.entries import Episode, Run
from journal.history import History

SCHEMA = 1
LONGEST = max(WINDOWS.values())

Measured = Mapping[str, Mapping[str, Availability]]  # name -> window -> how available
Of = Callable[[Iterable[Episode], str, datetime, datetime], tuple[Stretch, ...]]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What happened from `since` to `now`, and how available everything was before `now`."""

    since: datetime
    now: datetime
    troubles: Sequence[Trouble]
    events: Sequence[Run]
    runs: Mapping[str, Tally]
    services: Measured
    hops: Measured
    drills: Sequence[Rehearsed]

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "since": _moment(self.since),
            "now": _moment(self.now),
            "troubles": [_trouble(trouble) for trouble in self.troubles],
            "events": [_run(run) for run in self.events],
            "runs": {kind: vars(tally) for kind, tally in self.runs.items()},
            "services": _measures(self.services),
            "hops": _measures(self.hops),
            "drills": [
                {"run": each.drill.run, **each.drill.document, "began": _moment(each.at)}
                for each in self.drills
            ],
        }


def make_report(
    history: History, *, now: datetime, back: timedelta, hosts: Collection[str]
) -> Report:
    """Looks `back` from `now` for changes; hops are those of `hosts` and of none."""
    since = now - back
    episodes = history.episodes(since=now - max(LONGEST, back))
    here = [e for e in episodes if e.host is None or e.host in hosts]
    runs = history.runs(since=since)
    return Report(
        since=since,
        now=now,
        troubles=troubles(here, since),
        events=events(runs),
        runs=tallies(runs),
        services=_measured(episodes, availability.services(episodes), availability.of_service, now),
        hops=_measured(here, availability.hops(here), availability.of_hop, now),
        drills=rehearsed(history.drills(since=datetime.fromtimestamp(0, now.tzinfo))),
    )


def _measured(episodes: Sequence[Episode], names: Iterable[str], of: Of, now: datetime) -> Measured:
    return {name: _windows(of(episodes, name, now - LONGEST, now), now) for name in names}


def _windows(stretches: Sequence[Stretch], now: datetime) -> Mapping[str, Availability]:
    return {
        name: availability.availability(stretches, now - window, now)
        for name, window in WINDOWS.items()
    }


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _trouble(trouble: Trouble) -> dict[str, Any]:
    first = trouble.first
    return {
        "status": first.status.word,
        "hop": first.hop,
        "subjects": list(dict.fromkeys(e.subject for e in trouble.findings)),
        "seen": first.seen,
        "since": _moment(trouble.since),
        "until": _moment(trouble.until),
        "over": trouble.over,
        "lasts": trouble.lasts,
    }


def _run(run: Run) -> dict[str, Any]:
    return vars(run) | {"began": _moment(run.began)}


def _measures(measured: Measured) -> dict[str, Any]:
    return {
        name: {
            window: {
                "availability": each.share,
                "watched": each.watched,
                "seconds": {state.value: round(each.seconds[state], 1) for state in State},
            }
            for window, each in windows.items()
        }
        for name, windows in measured.items()
    }
