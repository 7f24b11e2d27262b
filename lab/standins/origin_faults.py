"""The faults that a lab origin is told to show, read from its control file."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

MODES = frozenset({"healthy", "5xx", "5xx-app", "slow", "slow-app", "wrong-body"})
_log = logging.getLogger("lab.origin")


@dataclass(frozen=True, kw_only=True)
class OriginFault:
    """What is wrong with an origin now; `seconds` is how long a slow one waits."""

    mode: str = "healthy"
    seconds: float = 0.0

    def fails(self, *, health: bool) -> bool:
        return self.mode == "5xx" or (self.mode == "5xx-app" and not health)

    def delay(self, *, health: bool) -> float:
        slow = self.mode == "slow" or (self.mode == "slow-app" and not health)
        return self.seconds if slow else 0.0

    @property
    def wrong_body(self) -> bool:
        return self.mode == "wrong-body"


def read_fault(path: Path) -> OriginFault:
    """The fault in `path`; none where the file is absent, or unreadable (which is logged)."""
    try:
        return _parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return OriginFault()
    except (OSError, ValueError, TypeError, AttributeError) as error:
        _log.error("%s: not a fault, staying healthy: %s", path, error)
        return OriginFault()


def _parse(text: str) -> OriginFault:
    told = json.loads(text)
    mode = told.get("mode")
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r} (modes: {', '.join(sorted(MODES))})")
    return OriginFault(mode=mode, seconds=float(told.get("seconds", 0.0)))
