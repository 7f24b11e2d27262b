"""How the sync of one tree goes on one host: what sync.sh there has written down."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """The last one in a direction: when (seconds since 1970), how long the run took, items."""

    at: int
    milliseconds: int
    items: int


@dataclass(frozen=True, kw_only=True)
class State:
    """`failures` in a row of what lsyncd asked for, since `failing_since`, and the last
    one's `error`. `refused` are own DNS records that unbound may not see. Transfers, and
    what cannot travel (`skipped`), are known to the runner alone."""

    failures: int = 0
    failing_since: int | None = None
    error: str = ""
    after_error: str = ""
    to_here: Transfer | None = None
    to_peer: Transfer | None = None
    conflicts: int = 0
    refused: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def parse(text: str) -> State:
    """The State that `sync_records` of observe.sh printed."""
    lines = [line.partition(" ")[::2] for line in text.splitlines()]
    told = dict(lines)
    failed = re.match(r"\d+ failed (\d+) (\d+) ?(.*)", told.get("daemon", ""))
    after = re.match(r"\d+ failed ?(.*)", told.get("after", ""))
    return State(
        failures=int(failed[1]) if failed else 0,
        failing_since=int(failed[2]) if failed else None,
        error=failed[3].strip() if failed else "",
        after_error=(after[1].strip() or "it failed") if after else "",
        to_here=_transfer(told.get("to-here", ""), 3),
        to_peer=_transfer(told.get("to-peer", ""), 4),
        conflicts=int(told.get("conflicts", "0").strip() or 0),
        refused=tuple(rest for word, rest in lines if word == "refused"),
        skipped=tuple(rest for word, rest in lines if word == "skipped"),
    )


def _transfer(line: str, column: int) -> Transfer | None:
    found = re.fullmatch(r"(\d+) (\d+)ms (\d+) (\d+)", line)
    if not found:
        return None
    return Transfer(at=int(found[1]), milliseconds=int(found[2]), items=int(found[column]))


def queues(status: str) -> dict[str, int]:
    """Directory -> changes that wait in lsyncd, from its status file."""
    return {
        source.rstrip("/"): int(delays)
        for source, delays in re.findall(
            r"^Sync\d+ source=(.*)\nThere are (\d+) delays", status, re.MULTILINE
        )
    }
