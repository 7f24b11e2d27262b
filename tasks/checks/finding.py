"""Finding: what one check saw, from where, what it should have seen, and what that means."""

from dataclasses import dataclass
from enum import IntEnum


class Status(IntEnum):
    """Worse is higher. Unreachable, failed and skipped are three different things.

    What is in the inventory and not deployed yet is none of them: no history has it.
    """

    UNDEPLOYED = -1
    OK = 0
    SKIPPED = 1
    WARN = 2
    UNREACHABLE = 3
    FAILED = 4

    @property
    def word(self) -> str:
        return self.name.lower()

    @property
    def is_broken(self) -> bool:
        """What relies on it cannot work either."""
        return self >= Status.UNREACHABLE


STRANGER = "A STRANGER GETS IN"  # what is seen of a protected service that admits everybody


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One answer to one question about one part of the edge.

    `subject` is what was checked, `vantage` from where it was seen. `part` is what the
    check proves when it is ok; `needs` are the parts that must work before this one can,
    `needs_one_of` those of which one is enough. `hop` is the step of the path, as an
    operator calls it, `why` the evidence for it. `cause` is the hop that explains this
    finding, when another does. A `way` is one by which users enter `service`.
    """

    check: str
    subject: str
    vantage: str
    status: Status
    seen: str
    expected: str
    seconds: float = 0.0
    service: str | None = None
    host: str | None = None
    hop: str = ""
    why: str = ""
    todo: str = ""
    part: str = ""
    needs: tuple[str, ...] = ()
    needs_one_of: tuple[str, ...] = ()
    cause: str | None = None
    way: bool = False

    @property
    def is_reach(self) -> bool:
        """Does it say whether a host can be reached at all?"""
        return self.check == "host" and self.subject == self.host

    @property
    def is_unguarded(self) -> bool:
        """Does it say that people get in who should not?"""
        return self.check == "access" and self.seen.startswith(STRANGER)

    def __str__(self) -> str:
        return (
            f"{self.check} {self.subject} from {self.vantage}: {self.seen}, "
            f"expected {self.expected}"
        )
