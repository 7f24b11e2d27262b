"""What a ledger says about an outage, and whether the budget allows it. All of it is pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from inventory.catalogue import Budget
from tasks.drill.faults import ANY_EDGE
from tasks.drill.ledger import Moments, Row

RETRY = 0.25  # seconds: a shorter change of who answers is a retried request, not a flap


@dataclass(frozen=True, kw_only=True)
class Outage:
    """What one vantage saw. Seconds count from the fault (`served_for`: how long the broken host
    still answered), from that last answer (`fallback_after`) or from the restore (`back_after`).

    A time is None where the thing did not happen. `away` says whether only the broken host
    served this vantage before the fault, so that it had to fail over. A vantage that hears
    from several hosts anyway (by name, each Caddy asking its own) cannot flap. One that
    leads to any edge hears from both hosts while one Caddy is back on the primary and the
    other is not yet: `back_after` measures that, and only a return before it is a flap.
    """

    vantage: str
    asked: int
    lost_reads: int
    lost_writes: int
    slowest: float
    slow: int
    away: bool
    served_for: float
    fallback_after: float | None
    back_after: float | None
    flaps: int

    @property
    def lost(self) -> int:
        return self.lost_reads + self.lost_writes


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One line of the budget: what was seen, what is allowed."""

    what: str
    seen: str
    allowed: str
    kept: bool


def outages(
    rows: Iterable[Row],
    moments: Moments,
    broken_for: Callable[[str], frozenset[str]],
    budget: Budget,
) -> list[Outage]:
    """One Outage a vantage, in the order of their names; `broken_for` one are hosts."""
    ordered = sorted(rows, key=lambda row: (row.vantage, row.due))
    return [
        _outage(vantage, list(own), moments, broken_for(vantage), budget)
        for vantage, own in groupby(ordered, key=lambda row: row.vantage)
    ]


def _outage(
    vantage: str, rows: Sequence[Row], moments: Moments, broken: frozenset[str], budget: Budget
) -> Outage:
    reads = [row for row in rows if row.method == "GET"]
    good = [row for row in rows if not row.lost]
    slow = budget.slowest or float("inf")
    before = {row.served_by for row in good if row.served_by and row.done < moments.fault}
    away = bool(before) and before <= broken
    first = _first_by_others(good, moments, broken)
    served_for = _served_for(good, moments, broken, first) if away else 0.0
    return Outage(
        vantage=vantage,
        asked=len(rows),
        lost_reads=sum(row.lost for row in reads),
        lost_writes=sum(row.lost for row in rows) - sum(row.lost for row in reads),
        slowest=max((row.latency for row in reads), default=0.0),
        slow=sum(row.latency > slow for row in reads),
        away=away,
        served_for=served_for,
        fallback_after=first - moments.fault - served_for if away and first is not None else None,
        back_after=_back_after(good, moments, broken) if away else None,
        flaps=0
        if before & broken and not away
        else _flaps(good, moments, broken, one_caddy=vantage not in ANY_EDGE),
    )


def _first_by_others(good: Sequence[Row], moments: Moments, broken: frozenset[str]) -> float | None:
    """When another host first answered a request that was due after the fault."""
    others = [row for row in good if row.served_by and row.served_by not in broken]
    return min((row.done for row in others if row.due >= moments.fault), default=None)


def _served_for(
    good: Sequence[Row], moments: Moments, broken: frozenset[str], until: float | None
) -> float:
    """What is told to stop may go on to serve for a while, and nobody lacks anything meanwhile."""
    if until is None:
        return 0.0
    served = [row.done for row in good if row.served_by in broken and row.done <= until]
    return max(0.0, *(done - moments.fault for done in served)) if served else 0.0


def _back_after(good: Sequence[Row], moments: Moments, broken: frozenset[str]) -> float | None:
    """Seconds from the restore until the primary answers and keeps answering."""
    after = [row for row in good if row.due >= moments.restore and row.served_by]
    if not after or after[-1].served_by not in broken:
        return None
    last = max((n for n, row in enumerate(after) if row.served_by not in broken), default=-1)
    return after[last + 1].done - moments.restore


def _flaps(
    good: Sequence[Row], moments: Moments, broken: frozenset[str], *, one_caddy: bool
) -> int:
    """Times that the broken host answered again, beyond the return after the restore."""
    turns = list(_sides(good, broken))
    returns = [when for (was, _), (now, when) in pairwise(turns) if now and not was]
    after = sum(when >= moments.restore for when in returns)
    return len(returns) - (min(after, 1) if one_caddy else after)


def _sides(good: Sequence[Row], broken: frozenset[str]) -> Iterator[tuple[bool, float]]:
    """(is it the broken host, since when) for each stretch that lasted; retries left out."""
    signed = [row for row in good if row.served_by]
    stretches = [
        (side, own[0].due, own[-1].due)
        for side, group in groupby(signed, key=lambda row: row.served_by in broken)
        if (own := list(group))
    ]
    lasting = [s for s in stretches if s[2] - s[1] >= RETRY]
    for side, group in groupby(lasting, key=lambda s: s[0]):
        yield side, next(group)[1]


def judge(outage: Outage, budget: Budget) -> list[Verdict]:
    """`outage` against a budget with every time filled in (`Service.limits`)."""
    verdicts = [
        _verdict("lost GETs", outage.lost_reads, budget.lost),
        _verdict("slowest GET", outage.slowest, budget.slowest),
        _verdict("flaps", outage.flaps, budget.flaps),
    ]
    if outage.away:
        verdicts += [
            _verdict("fallback answers after", outage.fallback_after, budget.failover),
            _verdict("primary is back after", outage.back_after, budget.failback),
        ]
    return verdicts


def _verdict(what: str, seen: float | None, allowed: float | None) -> Verdict:
    assert allowed is not None, "limits are complete"
    return Verdict(
        what=what,
        seen=_words(seen),
        allowed=_words(allowed),
        kept=seen is not None and seen <= allowed,
    )


def _words(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value:.2f} s" if isinstance(value, float) else str(value)
