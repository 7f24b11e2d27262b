"""What a runbook says, in lines that fit. The one place that knows how wide they are."""

import os
import shlex
import sys
import textwrap
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

PIPE = 80  # columns of a line where nothing tells them
LABEL = 10  # columns of the label before an entry


def line_width() -> int:
    """How wide a line may be: as the terminal; in a pipe $COLUMNS, or 80.

    No word is broken, so a path, an address or a name may be wider. Not folded is what is data
    (JSON, Markdown, lines for cron, a diff) and a command to be copied (`tell_command`).
    """
    told = os.environ.get("COLUMNS", "")
    return out.width if out.is_terminal else int(told) if told.isdigit() else PIPE


def fold(words: str, first: str = "", rest: str = "") -> list[str]:
    """`words` in lines that are not too wide: `first` is before the first, `rest` before others."""
    return textwrap.wrap(
        words,
        line_width(),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def say(words: str, *, style: str = "", indent: str = "", to: Console = out) -> None:
    """A sentence of its own; what does not fit goes on below, two columns further in."""
    for line in fold(words, indent, f"{indent}  "):
        to.print(Text(line, style=style))


def tell(label: str, words: str, *, style: str = "", columns: int = LABEL) -> None:
    """One entry of a list: `label`, and `words` beside it, or below it where it is long."""
    if len(label) > line_width() // 2:
        out.print(Text(label, style="bold"))
        label = ""
    head = f"{label} " if len(label) >= columns else f"{label:<{columns}}"
    for n, line in enumerate(fold(words, head, " " * columns) or [head]):
        size = len(head) if n == 0 else columns
        out.print(Text.assemble((line[:size], "bold"), (line[size:], style)))


def tell_command(label: str, command: str, *, width: int = LABEL) -> None:
    """A command to be copied: in one piece, on a line of its own where it is long."""
    if width + len(command) > line_width():
        say(label)
        label, width = "", 2
    out.print(Text.assemble((f"{label:<{width}}", "bold"), command))


def tell_how_to_apply() -> None:
    """The command that does what was shown: the same with --apply."""
    asked = [word for word in sys.argv[1:] if word != "--diff"]
    runbook = f"runbooks/{Path(sys.argv[0]).name}"
    tell_command("to apply:", shlex.join(["python", runbook, *asked, "--apply"]))


def tell_table(table: Table) -> None:
    """A table, its cells folded where it would be too wide."""
    out.print(table, width=line_width())
