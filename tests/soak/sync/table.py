"""The results of the histories as a table for docs/sync.md."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

KINDS = ("lost", "deleted", "reverted", "came back", "differs", "restless")


def sync_table(lines: Sequence[dict[str, Any]]) -> str:
    """A row a candidate: how many histories ended in which kind of wrong."""
    rows = ["| | histories | operations | " + " | ".join(KINDS) + " | right |"]
    rows.append("|---" * (len(KINDS) + 4) + "|")
    for name in dict.fromkeys(line["candidate"] for line in lines):
        mine = [line for line in lines if line["candidate"] == name]
        wrong = {(line["key"], *w.split(": ")[:2]) for line in mine for w in line["wrong"]}
        kinds = Counter(kind for _, _, kind in wrong)
        bad = {entry[:2] for entry in wrong}
        total = sum(line["histories"] for line in mine)
        rows.append(
            f"| {name} | {total} | {sum(line['operations'] for line in mine)} | "
            + " | ".join(str(kinds[kind]) for kind in KINDS)
            + f" | {total - len(bad)} |"
        )
    return "\n".join(rows) + "\n"
