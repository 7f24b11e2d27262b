"""What a finished drill is: its ledger, its outages, its verdicts; as JSON too."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from inventory.catalogue import Budget, Service
from inventory.schema import SCHEMA
from tasks.drill.faults import Fault
from tasks.drill.ledger import Moments, Row
from tasks.drill.lives import Lived, lived
from tasks.drill.outage import Outage, Verdict, judge, outages
from tasks.drill.websocket import Sockets


@dataclass(frozen=True, kw_only=True)
class DrillResult:
    """One drill of one service, judged. `unseen` are vantages without a verdict, and why.

    What `websockets` lived through is told; no budget holds for it.
    """

    service: str
    fault: Fault
    rate: float
    began: datetime
    moments: Moments
    budget: Budget
    rows: Sequence[Row] = field(repr=False)
    outages: Sequence[Outage]
    unseen: Mapping[str, str]
    spoiled: str = ""  # why it is not judged
    websockets: Sequence[Lived] = ()

    @property
    def verdicts(self) -> dict[str, list[Verdict]]:
        if self.spoiled:
            return {o.vantage: [] for o in self.outages}
        return {o.vantage: judge(o, self.budget) for o in self.outages}

    @property
    def kept(self) -> bool:
        """Every line of the budget, from every vantage, and at least one was judged."""
        verdicts = [verdict for found in self.verdicts.values() for verdict in found]
        return bool(verdicts) and all(verdict.kept for verdict in verdicts)

    @property
    def websocket_lines(self) -> list[tuple[str, list[str]]]:
        """(line of a table, what it says of each vantage in the order of `outages`)."""
        told = {each.vantage: each.lines for each in self.websockets}
        names = dict.fromkeys(name for lines in told.values() for name in lines)
        vantages = [outage.vantage for outage in self.outages]
        return [(name, [told.get(v, {}).get(name, "-") for v in vantages]) for name in names]

    @property
    def words(self) -> str:
        """The verdict, as one line."""
        if self.spoiled:
            return f"NOT JUDGED: {self.spoiled}"
        return "within the budget" if self.kept else "OVER BUDGET"

    def as_json(self) -> dict[str, Any]:
        """The numbers without the single requests; times in seconds."""
        return {
            "schema": SCHEMA,
            "service": self.service,
            "fault": self.fault.kind,
            "host": self.fault.host,
            "began": self.began.isoformat(timespec="seconds"),
            "rate": self.rate,
            "moments": asdict(self.moments),
            "budget": asdict(self.budget),
            "kept": self.kept,
            "spoiled": self.spoiled,
            "vantages": [
                asdict(o) | {"verdicts": [asdict(v) for v in self.verdicts[o.vantage]]}
                for o in self.outages
            ],
            "unseen": dict(self.unseen),
            "websockets": [asdict(each) for each in self.websockets],
        }


def conclude(
    service: Service,
    fault: Fault,
    rows: Sequence[Row],
    moments: Moments,
    *,
    rate: float,
    began: datetime,
    unseen: Mapping[str, str],
    spoiled: str = "",
    sockets: Sockets | None = None,
) -> DrillResult:
    """Judge a ledger against the service's budget."""
    seen = [row for row in rows if row.vantage not in unseen]
    return DrillResult(
        service=service.name,
        fault=fault,
        rate=rate,
        began=began.astimezone(UTC),
        moments=moments,
        budget=service.limits,
        rows=rows,
        outages=outages(seen, moments, fault.broken_for, service.limits),
        unseen=unseen,
        spoiled=spoiled,
        websockets=lived(sockets.lives, sockets.refused, seen, moments) if sockets else (),
    )
