"""The results of a soak as a Markdown table."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.soak.plan import BENCHES, STEPS


def transaction_table(lines: Sequence[dict[str, Any]]) -> str:
    """One table for each controller and broken host: a row a step, a column a fault."""
    parts = []
    for controller, host, faults, _ in BENCHES:
        found = {
            (line["step"], line["cell"]["fault"]): line
            for line in lines
            if (line["cell"]["controller"], line["cell"]["host"]) == (controller, host)
        }
        parts.append(f"### {host} broken, deployed from {controller}\n")
        parts.append("| just before | " + " | ".join(faults) + " |")
        parts.append("|---" * (len(faults) + 1) + "|")
        for name in STEPS:
            if not any((name, fault) in found for fault in faults):
                continue
            row = [_cell(found.get((name, fault))) for fault in faults]
            parts.append(f"| {name} | " + " | ".join(row) + " |")
        parts.append("")
    wrong = [line for line in lines if line["wrong"]]
    parts.append(f"{len(lines)} cells, {len(wrong)} with something wrong.")
    return "\n".join(parts) + "\n"


def race_table(lines: Sequence[dict[str, Any]]) -> str:
    """Who won, and how often."""
    winners = Counter(" and ".join(line["winners"]) or "neither" for line in lines)
    rows = "".join(f"| {who} | {count} |\n" for who, count in sorted(winners.items()))
    wrong = sum(bool(line["wrong"]) for line in lines)
    return (
        f"| won | times |\n|---|---|\n{rows}\n{len(lines)} races, {wrong} with something wrong.\n"
    )


def _cell(line: dict[str, Any] | None) -> str:
    if line is None:
        return "–"
    if line["wrong"]:
        return f"**{'; '.join(line['wrong'])}**"
    return "old" if line["left_on"] == "a" else "new"
