"""The measured cells as a table, both Caddyfiles beside each other."""

from collections.abc import Iterable, Mapping
from typing import Any

HEAD = """\
| fault on the primary | service | ours: lost GET / POST | fallback | worst GET | back | flaps |\
 plain: lost GET / POST | fallback | worst GET | back |
|---|---|---|---|---|---|---|---|---|---|---|"""


def markdown(cells: Iterable[Mapping[str, Any]], faults: Mapping[str, str]) -> str:
    """One row for each fault and service."""
    by_key = {(c["variant"], c["service"], c["fault"]): c for c in cells}
    services = dict.fromkeys(service for _, service, _ in by_key)
    rows = []
    for fault, meaning in faults.items():
        for service in services:
            ours, plain = (by_key.get((v, service, fault)) for v in ("twinedge", "plain"))
            if ours or plain:
                cells_of_row = [*_numbers(ours), _flaps(ours), *_numbers(plain)]
                rows.append(f"| {meaning} | {service} | {' | '.join(cells_of_row)} |")
    return "\n".join([HEAD, *rows])


def _numbers(cell: Mapping[str, Any] | None) -> list[str]:
    """Lost, seconds to the fallback, worst GET and seconds back: the worst vantage of each."""
    if cell is None:
        return ["", "", "", ""]
    seen = cell["vantages"]
    away = [vantage for vantage in seen if vantage["away"]]
    reads, writes = (sum(v[key] for v in seen) for key in ("lost_reads", "lost_writes"))
    twice = f", {cell['twice']} twice" if cell["twice"] else ""
    return [
        f"{reads} / {writes}{twice}",
        _worst(vantage["fallback_after"] for vantage in away),
        f"{max(vantage['slowest'] for vantage in seen):.1f} s",
        _worst(vantage["back_after"] for vantage in away),
    ]


def _flaps(cell: Mapping[str, Any] | None) -> str:
    return str(max(vantage["flaps"] for vantage in cell["vantages"])) if cell else ""


def _worst(times: Iterable[float | None]) -> str:
    found = list(times)
    if not found:
        return "–"
    known = [time for time in found if time is not None]
    return f"{max(known):.1f} s" if len(known) == len(found) else "never"
