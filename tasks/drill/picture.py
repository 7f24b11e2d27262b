"""The timeline of a drill as shapes, and the report that holds them. Pure: rows in, HTML out."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.configs.render import environment
from tasks.drill.ledger import Moments, Row
from tasks.drill.outage import Verdict
from tasks.drill.result import DrillResult

# The picture's own units; it scales to the page.
WIDTH, LEFT, RIGHT = 1200, 110, 20
BAND, STRIP, GAP, TOP, AXIS = 46, 40, 34, 54, 40
BINS = 150  # columns at most: a bar stays wide enough to see
FASTEST, SLOWEST = 0.001, 15.0  # seconds: the ends of the latency scale, which is logarithmic
MAX_LOSSES = 100  # rows of the table of lost requests


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A rectangle; `kind` is its CSS class, `title` what it says when pointed at."""

    x: int
    y: int
    width: int
    height: int
    kind: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One vantage: a band of who answered, above a strip of how long it took."""

    name: str
    top: int
    bars: Sequence[Bar]

    @property
    def middle(self) -> int:
        return self.top + BAND // 2 + 5

    @property
    def bottom(self) -> int:
        return self.top + BAND + STRIP


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A labelled moment on the time axis."""

    x: int
    label: str


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Seconds of the ledger to units of the picture."""

    begin: float
    end: float

    def x(self, seconds: float) -> int:
        share = (seconds - self.begin) / (self.end - self.begin)
        return LEFT + round(share * (WIDTH - LEFT - RIGHT))

    @property
    def bin(self) -> float:
        """Seconds of one column: a round number."""
        least = (self.end - self.begin) / BINS
        return next((step for step in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0) if step >= least), 10.0)


def report(result: DrillResult, before: Mapping[str, Any] | None = None) -> str:
    """The whole page: verdict, numbers, picture, losses. It needs nothing but itself.

    `before` is the document of the last drill of the same kind, to compare with.
    """
    scale = Scale(begin=0.0, end=max(row.due for row in result.rows) + 0.1)
    panels = list(_panels(result, scale))
    text: str = (
        environment()
        .get_template("report/drill.html.j2")
        .render(
            result=result,
            title=result.fault.title(result.service),
            rate=f"{result.rate:g}",
            began=f"{result.began:%Y-%m-%d %H:%M:%S} UTC",
            panels=panels,
            hosts=_hosts(result),
            numbers=[(outage.vantage, _numbers(vars(outage))) for outage in result.outages],
            before=_before(before) if before else [],
            before_began=str(before["began"]) if before else "",
            width=WIDTH,
            height=(panels[-1].bottom if panels else TOP) + AXIS,
            left=LEFT,
            right=WIDTH - RIGHT,
            top=TOP - 22,
            fault=_mark(scale, result.moments.fault, "fault"),
            restore=_mark(scale, result.moments.restore, "restore"),
            ticks=list(_ticks(scale, result.moments)),
            lines=_lines(result),
            losses=[row for row in result.rows if row.lost][:MAX_LOSSES],
            lost=sum(row.lost for row in result.rows),
        )
    )
    return text


def _hosts(result: DrillResult) -> dict[str, str]:
    """Who the colours are: the hosts that answered as each kind."""
    found: dict[str, set[str]] = {"primary": set(), "fallback": set()}
    for row in result.rows:
        kind = _kind(row, result.fault.broken_for(row.vantage))
        if kind in found:
            found[kind].add(row.served_by)
    return {kind: f"{kind} ({', '.join(sorted(hosts))})" if hosts else kind
            for kind, hosts in found.items()}  # fmt: skip


def _before(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(str(vantage["vantage"]), _numbers(vantage)) for vantage in document["vantages"]]


def _numbers(outage: Mapping[str, Any]) -> str:
    """What one vantage lived through, in a line; of an Outage or of its document."""
    words = [f"{outage['lost_reads'] + outage['lost_writes']} of {outage['asked']} lost"]
    words.append(f"slowest {outage['slowest']:.2f} s")
    if outage["away"]:
        for key, word in (("fallback_after", "fallback"), ("back_after", "back")):
            seconds = outage[key]
            words.append(f"{word} never" if seconds is None else f"{word} after {seconds:.1f} s")
    return ", ".join(words)


def _panels(result: DrillResult, scale: Scale) -> Iterator[Panel]:
    names = sorted({row.vantage for row in result.rows})
    for n, name in enumerate(names):
        top = TOP + n * (BAND + STRIP + GAP)
        rows = [row for row in result.rows if row.vantage == name]
        broken = result.fault.broken_for(name)
        bars = [
            bar for column in _columns(rows, scale) for bar in _bars(column, scale, top, broken)
        ]
        yield Panel(name=name, top=top, bars=bars)


def _columns(rows: Sequence[Row], scale: Scale) -> Iterator[list[Row]]:
    columns: dict[int, list[Row]] = {}
    for row in rows:
        columns.setdefault(int(row.due / scale.bin), []).append(row)
    yield from columns.values()


def _bars(rows: Sequence[Row], scale: Scale, top: int, broken: frozenset[str]) -> Iterator[Bar]:
    """One column: stacked shares of who answered, and its worst answer below."""
    start = int(rows[0].due / scale.bin) * scale.bin
    x = scale.x(start)
    width = max(1, scale.x(start + scale.bin) - x)
    bottom = top + BAND
    for kind in ("primary", "fallback", "unsigned", "lost"):
        count = sum(_kind(row, broken) == kind for row in rows)
        height = math.ceil(count / len(rows) * BAND)
        height = min(height, bottom - top)
        if height:
            bottom -= height
            title = f"{start:.1f} s: {count} of {len(rows)} {kind}"
            yield Bar(x=x, y=bottom, width=width, height=height, kind=kind, title=title)
    worst = max(row.latency for row in rows)
    height = _latency_height(worst)
    title = f"{start:.1f} s: slowest {worst:.3f} s"
    yield Bar(x=x, y=top + BAND + STRIP - height, width=width, height=height, kind="latency",
              title=title)  # fmt: skip


def _kind(row: Row, broken: frozenset[str]) -> str:
    if row.lost:
        return "lost"
    if not row.served_by:
        return "unsigned"
    return "primary" if row.served_by in broken or not broken else "fallback"


def _latency_height(seconds: float) -> int:
    share = math.log(max(seconds, FASTEST) / FASTEST) / math.log(SLOWEST / FASTEST)
    return max(1, min(STRIP - 4, round(share * (STRIP - 4))))


def _mark(scale: Scale, seconds: float, label: str) -> Mark:
    return Mark(x=scale.x(seconds), label=label)


def _ticks(scale: Scale, moments: Moments) -> Iterator[Mark]:
    """Seconds from the fault, every 5 or 10 of them."""
    step = 5 if scale.end - scale.begin <= 60 else 10 if scale.end - scale.begin <= 200 else 60
    first = -math.floor((moments.fault - scale.begin) / step) * step
    for seconds in range(first, int(scale.end - moments.fault) + 1, step):
        yield Mark(x=scale.x(moments.fault + seconds), label=f"{seconds:+d} s" if seconds else "0")


def _lines(result: DrillResult) -> list[tuple[str, list[Verdict | None], str]]:
    """(line of the budget, a verdict for each vantage, what is allowed)."""
    found = [{v.what: v for v in verdicts} for verdicts in result.verdicts.values()]
    names = dict.fromkeys(what for verdicts in found for what in verdicts)
    return [
        (what, [v.get(what) for v in found], next(v[what].allowed for v in found if what in v))
        for what in names
    ]
