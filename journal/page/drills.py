"""The last drills as timelines: who answered each vantage, and what it cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from journal.alerts.words import duration
from journal.entries import DrillEntry, Run
from journal.page.stamp import stamp
from tasks.quote import Quoted

FOLDER = "drills"  # of the reports, beside the page
# The picture's own units.
WIDTH, LABEL, ROW, TOP, AXIS = 340, 56, 24, 18, 20


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A stretch of one vantage; `kind` is its CSS class."""

    x: int
    y: int
    width: int
    kind: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """One drill. `lines` tell each vantage in words; `report` is where all of it can be read."""

    title: str
    report: str
    when: Quoted
    kept: bool
    bars: Sequence[Bar]
    names: Sequence[tuple[int, str]]
    marks: Sequence[tuple[int, str]]
    lines: Sequence[str]

    @property
    def width(self) -> int:
        return WIDTH

    @property
    def height(self) -> int:
        return TOP + len(self.names) * ROW + AXIS


def report_path(run: str, service: str) -> str:
    """Where the report of a drill lies, beside the page."""
    return f"{FOLDER}/{run}-{service}.html"


def timeline(run: Run, drill: DrillEntry, folder: Path) -> Timeline:
    """`folder` is the page's; a drill of before, or of another machine, has no report there."""
    report = report_path(run.id, drill.service)
    told = drill.document
    vantages, moments = told["vantages"], told["moments"]
    end = max(moments["end"], 1.0)
    span = f", {duration(run.ended - run.began)}" if run.ended else ""
    return Timeline(
        title=f"{drill.service}: {drill.fault} on {drill.host}",
        report=report if (folder / report).exists() else "",
        when=Quoted(f"{stamp(run.began)}{span}"),
        kept=drill.kept,
        bars=[
            _bar(TOP + n * ROW, stretch, end)
            for n, vantage in enumerate(vantages)
            for stretch in _stretches(vantage, moments)
        ],
        names=[(TOP + n * ROW, str(vantage["vantage"])) for n, vantage in enumerate(vantages)],
        marks=[(_x(moments[name], end), name) for name in ("fault", "restore")],
        lines=[_words(vantage) for vantage in vantages],
    )


Stretch = tuple[str, float, float]  # kind, from, until: seconds of the drill


def _stretches(vantage: Mapping[str, Any], moments: Mapping[str, float]) -> Iterator[Stretch]:
    fault, restore, end = (moments[name] for name in ("fault", "restore", "end"))
    if not vantage["away"]:
        yield "other", 0.0, end
        return
    gone = fault + vantage.get("served_for", 0.0)  # 0.1.0 did not tell
    yield "primary", 0.0, gone
    after, back = vantage["fallback_after"], vantage["back_after"]
    over = restore if after is None else min(gone + after, end)
    returned = end if back is None else min(restore + back, end)
    yield "between", gone, over
    yield "fallback", over, max(over, returned)
    yield "primary", max(over, returned), end


def _bar(y: int, stretch: Stretch, end: float) -> Bar:
    kind, begin, until = stretch
    x = _x(begin, end)
    title = f"{NAMES[kind]}, {begin:.1f} to {until:.1f} s"
    return Bar(x=x, y=y, width=max(_x(until, end) - x, 0), kind=kind, title=title)


NAMES = {
    "primary": "primary answers",
    "between": "on its way to the fallback",
    "fallback": "fallback answers",
    "other": "did not have to fail over",
}


def _words(vantage: Mapping[str, Any]) -> str:
    lost = vantage["lost_reads"] + vantage["lost_writes"]
    words = [f"{vantage['vantage']}: {lost} of {vantage['asked']} lost"]
    words.append(f"slowest {vantage['slowest']:.2f} s")
    if vantage["away"]:
        words.append(f"fallback after {_seconds(vantage['fallback_after'])}")
        words.append(f"back after {_seconds(vantage['back_after'])}")
    return ", ".join(words)


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def _x(seconds: float, end: float) -> int:
    return LABEL + round(seconds / end * (WIDTH - LABEL - 4))
