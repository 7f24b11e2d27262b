"""The report as Markdown, for a wiki, an issue or a letter. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from journal.answers import span_words
from journal.availability import WINDOWS, percent
from journal.objectives import WINDOW, Objective
from journal.report import Report


def markdown(made: Report) -> str:
    return "\n".join(_lines(made)) + "\n"


def _lines(made: Report) -> Iterator[str]:
    yield f"# Availability until {made.now:%Y-%m-%d %H:%M} UTC"
    yield ""
    yield "Of the time in which somebody looked; 100 % is what was never seen down."
    yield ""
    yield from _table(
        ["service", *WINDOWS],
        (
            [name, *("–" if w.share is None else percent(w.share) for w in windows.values())]
            for name, windows in made.services.items()
        ),
    )
    if made.objectives:
        yield from ("", f"## Against the objectives, {WINDOW}", "")
        yield from _table(
            ["service", "objective", "was", "error budget", "left"],
            (
                [
                    one.service,
                    f"{one.percent:g} %",
                    "–" if one.found.share is None else percent(one.found.share),
                    span_words(one.allowed),
                    span_words(one.left)
                    if one.kept
                    else f"**overdrawn by {span_words(-one.left)}**",
                ]
                for one in made.objectives
            ),
        )
    yield from ("", f"## The worst incidents, {WINDOW}", "")
    yield from _table(
        ["began (UTC)", "lasted", "hop", "what was seen", "services"],
        (
            [
                f"{one.begin:%Y-%m-%d %H:%M}",
                f"{span_words(one.seconds)}{' so far' if one.lasts else ''}",
                one.hop,
                one.worst.seen,
                ", ".join(one.services),
            ]
            for one in made.incidents
        ),
    )


def _left(one: Objective) -> str:
    return span_words(one.left) if one.kept else f"**overdrawn by {span_words(-one.left)}**"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    lines = [_row(row) for row in rows]
    if not lines:
        yield "None."
        return
    yield _row(heads)
    yield _row(["---"] * len(heads))
    yield from lines


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """What a host says is text: no column, no tag, no link of its own."""
    line = " ".join(text.split())
    for character in "\\|<[`":
        line = line.replace(character, f"\\{character}")
    return line
