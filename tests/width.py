"""The rule of runbooks/lines.py, as a test holds an output against it."""

from tests.runbook import Done

COMMANDS = ("python runbooks/", "export ", "git -C ")


def too_wide(*told: Done) -> list[str]:
    """The lines that are wider than 80 columns, for no word that is wide itself, nor a command."""
    lines = [line for done in told for line in (done.out + done.err).splitlines()]
    return [line for line in lines if len(line) > 80 and not _may(line)]


def _may(line: str) -> bool:
    longest = max(map(len, line.split()))
    return line.strip().startswith(COMMANDS) or len(line.strip()) - longest < 14
