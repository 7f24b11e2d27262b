"""The report: what the history says of the last hours, days and drills, as one value."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from inventory.catalogue import Service
from inventory.schema import SCHEMA
from journal import availability
from journal.alerts.book import Book
from journal.answers import Rehearsed, Tally, Trouble, events, rehearsed, tallies, troubles
from journal.availability import WINDOWS, Availability, State, Stretch
from journal.entries import Episode, Run
from journal.history import History
from journal.incidents import Incident, incidents, worst
from journal.objectives import WINDOW, Objective, objectives

WORST = 5  # incidents that are told
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
    objectives: Sequence[Objective]
    incidents: Sequence[Incident]

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
            "objectives": {one.service: one.as_json() for one in self.objectives},
            "incidents": [_incident(one) for one in self.incidents],
        }


def make_report(
    history: History,
    *,
    now: datetime,
    back: timedelta,
    hosts: Collection[str],
    services: Iterable[Service] = (),
) -> Report:
    """Looks `back` from `now` for changes; hops are those of `hosts` and of none. `services`
    are the catalogue's, and may have objectives."""
    since = now - back
    episodes = history.episodes(since=now - max(LONGEST, back))
    here = [e for e in episodes if e.host is None or e.host in hosts]
    runs = history.runs(since=since)
    measured = _measured(availability.by_service(episodes), availability.of_service, now)
    month = [e for e in here if e.until >= now - WINDOWS[WINDOW]]
    return Report(
        since=since,
        now=now,
        troubles=troubles(here, since, {service.name for service in services} or None),
        events=events(runs),
        runs=tallies(runs),
        services=measured,
        hops=_measured(availability.by_hop(here), availability.of_hop, now),
        drills=rehearsed(history.drills(since=datetime.fromtimestamp(0, now.tzinfo))),
        objectives=objectives(services, measured),
        incidents=worst(incidents(month, Book(history.store).last_look()), WORST),
    )


def _measured(by_name: Mapping[str, Sequence[Episode]], of: Of, now: datetime) -> Measured:
    return {name: _windows(of(own, name, now - LONGEST, now), now) for name, own in by_name.items()}


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
        "gone": trouble.gone,
    }


def _incident(one: Incident) -> dict[str, Any]:
    return {
        "hop": one.hop,
        "status": one.worst.status.word,
        "seen": one.worst.seen,
        "begin": _moment(one.begin),
        "end": _moment(one.end),
        "seconds": round(one.seconds, 1),
        "services": list(one.services),
        "lasts": one.lasts,
        "over": one.over,
        "page": one.path,
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
