"""Response times as a line: the median and the 95th percentile of each hour of the last days."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from journal.responses import HOUR, Hour

DAYS = 7
WIDTH, HEIGHT = DAYS * 24, 30  # an hour is one unit wide
LEAST = 0.2  # seconds that fill the height at least, so that noise of milliseconds stays flat


@dataclass(frozen=True, kw_only=True)
class Line:
    """The paths of both, and the same in words."""

    median: str
    p95: str
    words: str

    @property
    def width(self) -> int:
        return WIDTH

    @property
    def height(self) -> int:
        return HEIGHT


def line(hours: Sequence[Hour], now: datetime) -> Line | None:
    """Of the last days; None where nothing was measured."""
    begin = now - timedelta(days=DAYS)
    shown = [hour for hour in hours if hour.begin >= begin]
    if not shown:
        return None
    top = max(LEAST, *(hour.p95 for hour in shown))
    last, worst = shown[-1], max(shown, key=lambda hour: hour.p95)
    return Line(
        median=" ".join(_path(shown, begin, top, lambda hour: hour.median)),
        p95=" ".join(_path(shown, begin, top, lambda hour: hour.p95)),
        words=(
            f"half within {_seconds(last.median)}, 95 % within {_seconds(last.p95)}; "
            f"at worst {_seconds(worst.p95)} in {DAYS} days"
        ),
    )


def _path(
    hours: Sequence[Hour], begin: datetime, top: float, value: Callable[[Hour], float]
) -> Iterator[str]:
    """It begins anew after an hour in which nothing was measured."""
    before = None
    for hour in hours:
        column = int((hour.begin - begin).total_seconds() // HOUR)
        y = HEIGHT - 1 - round(value(hour) / top * (HEIGHT - 2))
        yield f"{'L' if before == column - 1 else 'M'}{column} {y}h1"
        before = column


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
