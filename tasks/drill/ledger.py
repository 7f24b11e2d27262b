"""The ledger of a drill: one row per request, and the moments that divide them."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One request. Times are in seconds since the drill began.

    `latency` counts from when the request was due, not from when it could be sent: a
    stall shows in every request that fell due in it. `served_by` is a host, or "" where
    nobody signed the answer. `error` is "" for a good answer.
    """

    due: float
    sent: float
    vantage: str
    method: str
    status: int | None
    served_by: str
    latency: float
    error: str

    @property
    def lost(self) -> bool:
        return bool(self.error)

    @property
    def done(self) -> float:
        return self.due + self.latency


@dataclass(frozen=True, kw_only=True)
class Moments:
    """When the fault struck and when it was taken back, on the ledger's clock."""

    fault: float
    restore: float
    end: float


def write_ledger(path: Path, rows: Iterable[Row]) -> None:
    """One JSON object a line."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(asdict(row)) + "\n")


def read_ledger(path: Path) -> list[Row]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Row(**json.loads(line)) for line in lines]
