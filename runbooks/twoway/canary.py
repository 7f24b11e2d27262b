"""`verify`: a file each way, timed; what comes back of it; both trees compared."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from inventory.catalogue import Sync
from runbooks.cli import Session
from runbooks.remember import remembered
from runbooks.twoway.sides import Answer, ask, conclude, differences, say
from tasks.shell import HostError

PATIENCE = 30  # seconds that a canary may take
QUIET = 3  # seconds in which an echo would show
OWN = 2  # transfers of the canary itself: it comes, it goes


@dataclass(frozen=True, kw_only=True)
class Flight:
    """One canary: after how many `seconds` it was there (None: never), and the transfers
    that came back."""

    from_: str
    seconds: float | None = None
    echoes: int = 0
    error: str | None = None

    @property
    def ok(self) -> bool:
        return not self.error and not self.echoes

    @property
    def words(self) -> str:
        if self.error:
            return f"from {self.from_}: {self.error}: no canary within {PATIENCE} s"
        return f"from {self.from_}: there after {self.seconds:.2f} s, {self.echoes} transfers back"

    def as_json(self) -> dict[str, object]:
        return {key.rstrip("_"): value for key, value in asdict(self).items()}


def verify(session: Session, chosen: Sequence[Sync]) -> list[Answer]:
    with remembered(session, "sync") as record:
        answers = [_verify(session, one) for one in chosen]
        conclude(record, "verify", answers)
    return answers


def _verify(session: Session, one: Sync) -> Answer:
    flights = []
    for host in one.hosts:
        flight = _fly(session, one, host)
        say(one, flight.words, style="" if flight.ok else "red")
        flights.append(flight)
    names = differences(session, one)
    for name in names:
        say(one, f"differs: {name!r}", style="red")
    say(one, f"{len(names)} paths differ" if names else "both sides alike")
    return Answer(
        sync=one.name,
        ok=not names and all(flight.ok for flight in flights),
        told={"canaries": [flight.as_json() for flight in flights], "differ": names},
    )


def _fly(session: Session, one: Sync, host: str) -> Flight:
    before = _transfers(session, one)
    try:
        seconds = _canary(session, one, host)
    except HostError as error:
        ask(session, one, "canary_gone", hosts=[host])
        return Flight(from_=host, error=str(error))
    time.sleep(QUIET)
    echoes = max(_transfers(session, one) - before - OWN, 0)
    return Flight(from_=host, seconds=round(seconds, 2), echoes=echoes)


def _transfers(session: Session, one: Sync) -> int:
    return int(ask(session, one, "transfers", hosts=[one.runner])[one.runner])


def _canary(session: Session, one: Sync, host: str) -> float:
    """Seconds until a file of `host` is on the other side; it is deleted on both again."""
    peer, words = one.peer_of(host), f"canary {time.time():.6f}"
    with ThreadPoolExecutor(max_workers=1) as pool:
        seen = pool.submit(ask, session, one, "await", words, PATIENCE, hosts=[peer])
        time.sleep(0.5)
        started = time.monotonic()
        ask(session, one, "canary", words, hosts=[host])
        seen.result()
        took = time.monotonic() - started
    ask(session, one, "canary_gone", hosts=[host])
    ask(session, one, "await", "", PATIENCE, hosts=[peer])
    return took
