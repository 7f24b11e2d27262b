"""The results of the hostile inventories as a table."""

from collections.abc import Sequence
from typing import Any

from tests.soak.inventory.batch import SIZE


def inventory_table(lines: Sequence[dict[str, Any]]) -> str:
    """One row: how many were refused in words, accepted, and wrong."""
    refused, accepted = (sum(line.get(key, 0) for line in lines) for key in ("refused", "accepted"))
    wrong, validated = (
        sum(len(line["wrong"]) for line in lines),
        sum(line["validated"] for line in lines),
    )
    return (
        "| mutations | refused in words | accepted | configs taken by the programs | wrong |\n"
        "|---|---|---|---|---|\n"
        f"| {len(lines) * SIZE} | {refused} | {accepted} | {validated} | {wrong} |\n"
    )
