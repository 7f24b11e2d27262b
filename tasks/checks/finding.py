"""Finding: what one check saw, from where, and what it should have seen."""

from dataclasses import dataclass
from enum import IntEnum


class Status(IntEnum):
    """Worse is higher. Unreachable, failed and skipped are three different things."""

    OK = 0
    SKIPPED = 1
    WARN = 2
    UNREACHABLE = 3
    FAILED = 4

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`subject` is what was checked, `vantage` from where it was seen."""

    check: str
    subject: str
    vantage: str
    status: Status
    seen: str
    expected: str
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.check} {self.subject} from {self.vantage}: {self.seen}, "
            f"expected {self.expected}"
        )
