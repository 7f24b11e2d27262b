"""How a run begins: its identity, and what it refuses to begin on."""

import getpass
import os
import secrets
import socket
from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, datetime

from inventory.catalogue import Catalogue
from inventory.errors import UsageError
from operations.retire import gone
from runbooks.cli import Outcome, Session, refuse_unknown
from runbooks.transaction.gate import Gate
from runbooks.transaction.rollout import RolloutFailed, words
from tasks.checks.finding import Status
from tasks.doctor.host import in_words
from tasks.live import HostState
from tasks.member import Member
from tasks.plan import HostPlan
from tasks.release import Run


def canary(arguments: Namespace, session: Session) -> str:
    """The edge that goes first. Raises UsageError for a name that is no edge."""
    edges = [edge.name for edge in session.catalogue.edges]
    chosen: str | None = arguments.canary
    if chosen is None:
        return _least_primary(session.catalogue)
    if chosen not in edges:
        raise UsageError(f"--canary {chosen!r} is no edge (edges: {', '.join(edges)})")
    return chosen


def refuse_unknown_services(arguments: Namespace, session: Session) -> None:
    """Raise UsageError where --accept names what is no service."""
    refuse_unknown("service", arguments.accept, session.catalogue.services)


def refuse_errors(outcome: Outcome) -> None:
    """Raise RolloutFailed when a host could not be read: nothing has been changed yet."""
    if outcome.errors:
        raise RolloutFailed(words(outcome.errors, "nothing was changed on any host"))


def refuse_busy(states: Mapping[str, HostState], break_lock: bool) -> None:
    """Raise RolloutFailed where another run is at work, or has left a release unconfirmed."""
    busy = []
    for host, state in states.items():
        if state.pending and state.pending_until and state.pending_until > state.now:
            busy.append(f"{host}: {state.pending_words}")
        elif state.held:
            busy.append(f"{host}: {state.lock_words}")
    if busy and not break_lock:
        raise RolloutFailed(
            "\n".join(busy) + "\nnothing was changed on any host; --break-lock takes over from a "
            "run that is gone"
        )


def refuse_unmounted(states: Mapping[str, HostState]) -> None:
    """Raise RolloutFailed where a path of ours lies below a mount point that is not mounted."""
    missing = [f"{host}: {s.unmounted_words}" for host, s in states.items() if s.unmounted]
    if missing:
        raise RolloutFailed("\n".join(missing) + "\nnothing was changed on any host")


def refuse_certain(plans: Mapping[str, HostPlan]) -> None:
    """Raise RolloutFailed with all that would certainly make a deploy of `plans` fail."""
    certain = [
        f"{plan.host}: {in_words(finding)}"
        for plan in plans.values()
        for finding in plan.findings
        if finding.status is Status.FAILED and not plan.is_done
    ]
    if certain:
        raise RolloutFailed("\n".join(certain) + "\nnothing was changed on any host")


def refuse_gone(catalogue: Catalogue, states: Mapping[str, HostState]) -> None:
    """Raise RolloutFailed where a host has vanished from the inventory and still serves."""
    left = [
        f"{name} ({one.address}) is in the releases of this site and in its inventory no more, and "
        f"goes on with what it has: python runbooks/retire.py {name}"
        for name, one in gone(catalogue, states).items()
    ]
    if left:
        raise RolloutFailed("\n".join(left) + "\nnothing was changed on any host")


def refuse_forgetting(gate: Gate, anyway: bool) -> None:
    """A reload makes Caddy forget which upstream is down, and ask it again.

    Measured: with a hung primary that is a second outage. Raises RolloutFailed when the first
    placement of a service with a fallback, which some Caddy serves already, did not answer.
    """
    down = list(gate.forgotten())
    if down and not anyway:
        seen = "\n".join(down)
        raise RolloutFailed(
            f"{seen}\nCaddy's config changes, and its reload would forget that and ask the "
            "host again: bring it back first, or say --reload-anyway"
        )


def new_run(arguments: Namespace, catalogue: Catalogue, commit: str, product: str = "") -> Run:
    """A run of this operator, now. Its id sorts by time, its token is nobody else's.

    `product` is the version that rendered what it brings; a run that renders nothing has none.
    """
    return Run(
        id=new_id(),
        token=secrets.token_hex(8),
        holder=operator(),
        commit=commit,
        product=product,
        at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        window=arguments.window,
        keep=arguments.keep,
        break_lock=arguments.break_lock,
        members=tuple(map(Member.of, catalogue.hosts.values())),
    )


def new_id() -> str:
    """The id of a run that begins now: ids sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S-%f}"


def operator() -> str:
    """Who runs this, and on which machine."""
    return f"{os.environ.get('SUDO_USER') or getpass.getuser()}@{socket.gethostname()}"


def _least_primary(catalogue: Catalogue) -> str:
    """The edge where a mistake costs least."""
    primaries = [service.primary for service in catalogue.services.values()]
    return min(catalogue.edges, key=lambda edge: (primaries.count(edge.name), edge.name)).name
