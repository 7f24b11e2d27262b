"""What the websockets of a drill lived through: how each fared, and what that is for a vantage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tasks.drill.ledger import Moments, Row

UNSIGNED = "not told"


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """One websocket. Times are in seconds since the drill began.

    A `client` opens another one when it loses its own. `served_by` is a host, or "" where
    nobody signed; `silence` is the longest wait for a sign of life, and `closed` is None for
    one that was open when the drill ended.
    """

    client: int
    vantage: str
    served_by: str
    opened: float
    closed: float | None
    silence: float


@dataclass(frozen=True, kw_only=True)
class Lived:
    """The websockets of one vantage, of which `opened` were there when the fault struck.

    `closed` of these did not see the end of the drill; `without` is the longest time in seconds
    that a client had none. `at_end` counts those that are open then by their host ("" where nobody
    signs, as through Cloudflare), and `apart` those of them whose host is another than the one
    that answers requests. `refused` is why none could be opened.
    """

    vantage: str
    opened: int
    closed: int
    silence: float
    without: float
    at_end: Mapping[str, int]
    apart: int
    refused: str = ""

    @property
    def lines(self) -> dict[str, str]:
        """Line of a table -> what it says of this vantage."""
        if not self.opened:
            return {"open websockets": f"none: {self.refused}" if self.refused else "none"}
        return {
            "open websockets": str(self.opened),
            "of them closed": str(self.closed),
            "longest silence": f"{self.silence:.2f} s",
            "longest without one": f"{self.without:.2f} s",
            "at the end with": ", ".join(host or UNSIGNED for host in self.at_end) or "nobody",
            "apart from requests": UNSIGNED if "" in self.at_end else str(self.apart),
        }


def lived(
    lives: Sequence[Life], refused: Mapping[str, str], rows: Sequence[Row], moments: Moments
) -> list[Lived]:
    """One Lived for each vantage that opened websockets, or wanted to."""
    names = sorted({life.vantage for life in lives} | set(refused))
    return [
        _lived(
            name,
            [life for life in lives if life.vantage == name],
            refused.get(name, ""),
            [row.served_by for row in rows if row.vantage == name and row.served_by],
            moments,
        )
        for name in names
    ]


def _lived(
    vantage: str, lives: Sequence[Life], refused: str, answered: Sequence[str], moments: Moments
) -> Lived:
    first = [life for life in lives if life.opened < moments.fault <= _end(life, moments)]
    left = [life for life in lives if life.closed is None]
    clients = {life.client for life in first}
    hosts = [life.served_by for life in left]
    return Lived(
        vantage=vantage,
        opened=len(first),
        closed=sum(life.closed is not None for life in first),
        silence=max((life.silence for life in lives), default=0.0),
        without=max((_without(lives, client, moments) for client in clients), default=0.0),
        at_end={host: hosts.count(host) for host in sorted(set(hosts))},
        apart=sum(host not in ("", answered[-1]) for host in hosts) if answered else 0,
        refused=refused,
    )


def _without(lives: Sequence[Life], client: int, moments: Moments) -> float:
    """The longest that a client had no websocket, from its first on."""
    own = sorted((life for life in lives if life.client == client), key=lambda life: life.opened)
    gaps = [later.opened - _end(earlier, moments) for earlier, later in pairwise(own)]
    return max([*gaps, moments.end - _end(own[-1], moments)])


def _end(life: Life, moments: Moments) -> float:
    return moments.end if life.closed is None else life.closed
