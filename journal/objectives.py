"""Objectives: how available a service is to be, and what is left of its error budget. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inventory.catalogue import Service
from journal.availability import WINDOWS, Availability, State

WINDOW = "30 d"  # of WINDOWS; an error budget is a month's


@dataclass(frozen=True, kw_only=True)
class Objective:
    """`percent` of the time that was watched a service is to be usable."""

    service: str
    percent: float
    found: Availability

    @property
    def watched(self) -> float:
        """Seconds in which somebody looked."""
        whole = WINDOWS[WINDOW].total_seconds()
        return whole - self.found.seconds[State.UNKNOWN]

    @property
    def allowed(self) -> float:
        """Seconds that it may be down, of the time that was watched."""
        return self.watched * (1 - self.percent / 100)

    @property
    def spent(self) -> float:
        return self.found.seconds[State.DOWN]

    @property
    def left(self) -> float:
        """Seconds of the error budget; less than 0 when it is overdrawn."""
        return self.allowed - self.spent

    @property
    def left_share(self) -> float | None:
        """The same as a part of the whole budget; None when nobody watched."""
        return self.left / self.allowed if self.allowed else None

    @property
    def kept(self) -> bool:
        return self.left >= 0

    def as_json(self) -> dict[str, object]:
        return {
            "objective": self.percent,
            "window": WINDOW,
            "availability": self.found.share,
            "kept": self.kept,
            "budget_seconds": round(self.allowed, 1),
            "spent_seconds": round(self.spent, 1),
            "left_seconds": round(self.left, 1),
            "left": self.left_share,
        }


def objectives(
    services: Iterable[Service], measured: Mapping[str, Mapping[str, Availability]]
) -> list[Objective]:
    """Of the services that have one and were ever looked at."""
    return [
        Objective(service=s.name, percent=s.objective, found=measured[s.name][WINDOW])
        for s in services
        if s.objective is not None and s.name in measured
    ]
