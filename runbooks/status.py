"""What every host runs: release, commit, age, drift, lock, pending revert.

Reads the hosts only; exit status 1 when one cannot be read.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from runbooks.flags import parser


def flags() -> ArgumentParser:
    return parser(__doc__ or "")


if __name__ == "__main__":
    flags().parse_args()  # what ends here needs nothing of what follows

from rich.table import Table

from inventory.errors import Exit
from runbooks.cli import main, open_session, tell_appliances, working
from runbooks.lines import tell, tell_table
from tasks import release
from tasks.live import HostState
from tasks.plan import drift_words, has_drifted


def status(arguments: Namespace) -> int:
    session = open_session(arguments)
    with working("looking"):
        outcome = session.run(
            lambda task: release.survey(task, session.catalogue.hosts[task.host.name])
        )
    table = Table("host", "release", "commit", "age", "drift", "lock", "revert", box=None)
    for host, state in outcome.done.items():
        table.add_row(host, *_cells(state))
    tell_table(table)
    for host, error in outcome.errors.items():
        tell(host, str(error), style="red")
    _explain(outcome.done)
    tell_appliances(session, arguments)
    return Exit.FAILED if outcome.errors else Exit.OK


def _cells(state: HostState) -> list[str]:
    current = state.current
    drifted = [path for path, claimed in _claims(state) if has_drifted(state.files[path], claimed)]
    return [
        current.id if current else "none",
        current.commit if current else "-",
        _age(current.at, state.now) if current else "-",
        f"{len(drifted)} file{'s'[: len(drifted) != 1]}" if drifted else "none",
        state.held.holder if state.held else "free",
        f"at {state.pending_until:%H:%M:%S} UTC" if state.pending_until else "none",
    ]


def _explain(states: Mapping[str, HostState]) -> None:
    """What the table only counts, a line each."""
    for host, state in states.items():
        for path, claimed in _claims(state):
            if has_drifted(state.files[path], claimed):
                tell(host, f"{path} {drift_words(state.files[path])}", style="yellow")
        if state.unmounted:
            tell(host, state.unmounted_words, style="red")
        if state.held:
            tell(host, state.lock_words, style="yellow")
        if state.pending and state.pending_until:
            tell(host, state.pending_words, style="red" if state.missing else "yellow")


def _claims(state: HostState) -> Iterable[tuple[str, str]]:
    return state.current.digests.items() if state.current else ()


def _age(at: str, now: datetime) -> str:
    """How long ago `at` (as releases write it) was: 5m, 3h, 12d."""
    try:
        made = datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return "unknown"
    seconds = (now - made).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"


if __name__ == "__main__":
    main(status, flags())
