"""The faults that a lab origin is told to show, read from its control file."""

from __future__ import annotations

import ipaddress
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

from lab.standins.process import Address

MODES = frozenset(
    {
        *("healthy", "5xx", "5xx-app", "slow", "slow-app", "wrong-body", "error-page"),
        *("refuse-name", "refuse-proxy", "slow-start", "ignore-term"),
        *("loopback", "all-addresses", "https"),  # heeded at the start only
    }
)
LISTENING = {"loopback": "127.0.0.1", "all-addresses": "0.0.0.0"}
_log = logging.getLogger("lab.origin")


@dataclass(frozen=True, kw_only=True)
class OriginFault:
    """What is wrong with an origin now; `seconds` is how long a slow one waits."""

    mode: str = "healthy"
    seconds: float = 0.0
    status: int = 403  # with which a name is refused

    def fails(self, *, health: bool) -> bool:
        return self.mode == "5xx" or (self.mode == "5xx-app" and not health)

    def delay(self, *, health: bool, age: float) -> float:
        """Seconds that an origin which started `age` seconds ago lets a request wait."""
        if self.mode == "slow-start":
            return max(0.0, self.seconds - age)
        slow = self.mode == "slow" or (self.mode == "slow-app" and not health)
        return self.seconds if slow else 0.0

    def refusal(self, *, host: str, proxied: bool) -> int | None:
        """The status with which a request is refused: for its Host, or for a proxy's headers."""
        if self.mode == "refuse-name" and not _is_own(host):
            return self.status
        return 400 if self.mode == "refuse-proxy" and proxied else None

    def listening(self, told: Address) -> Address:
        """Where an origin that was told an address listens instead."""
        return replace(told, host=LISTENING.get(self.mode, told.host))

    @property
    def wrong_body(self) -> bool:
        return self.mode == "wrong-body"

    @property
    def error_page(self) -> bool:
        return self.mode == "error-page"

    @property
    def ignores_term(self) -> bool:
        return self.mode == "ignore-term"

    @property
    def https(self) -> bool:
        return self.mode == "https"


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
    numbers = {name: told[name] for name in ("seconds", "status") if name in told}
    return OriginFault(
        mode=mode,
        seconds=float(numbers.get("seconds", 0.0)),
        status=int(numbers.get("status", 403)),
    )


def _is_own(host: str) -> bool:
    """Addresses and localhost are let in by those that check names, as SABnzbd does."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
