"""May this drill begin? What must be true before anything is broken, and why it is not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from inventory.catalogue import Catalogue, HealthCheck, Host, Service
from tasks.drill.restore import DrillState, Reply
from tasks.way import Way, health_of

CLOCK_SECONDS = 3.0  # the host's answer is rounded to seconds and takes a moment


@dataclass(frozen=True, kw_only=True)
class Objection:
    """One reason why a drill would fail or harm. `where` is a host or a vantage."""

    where: str
    seen: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.seen}" + (f" – {self.remedy}" if self.remedy else "")


def ways(catalogue: Catalogue, service: Service) -> dict[str, Way]:
    """Host -> the way to its health check, as an edge asks it."""
    path = health_of(service).path
    return {
        host: Way(catalogue=catalogue, service=service, host=host, path=path)
        for host in service.placements
    }


def object_to_time(catalogue: Catalogue, when: datetime) -> Iterator[Objection]:
    """Hours in which drills are forbidden; `when` is the control node's own time."""
    for hours in catalogue.site.drills.forbidden:
        if hours.covers(when):
            yield Objection(
                where="here",
                seen=f"drills are forbidden now ({hours.text})",
                remedy=f"wait until {hours.end:%H:%M}; drills.forbidden of the site data says so",
            )


def object_to_host(name: str, state: DrillState, now: datetime) -> Iterator[Objection]:
    """What is wrong with one host that the drill needs."""
    host = state.host
    if state.armed_until and state.armed_until > host.now:
        yield Objection(
            where=name,
            seen=f"drill {state.armed} is not restored yet",
            remedy="wait for its timer, or restore it by hand",
        )
    if host.pending:
        yield Objection(where=name, seen=f"release {host.pending} is not confirmed yet")
    if host.held:
        yield Objection(where=name, seen=host.lock_words)
    offset = abs((host.now - now).total_seconds())
    if offset > CLOCK_SECONDS:
        yield Objection(
            where=name,
            seen=f"its clock is {offset:.0f} s off",
            remedy="timers and lsyncd depend on it",
        )
    for tool in (name for name, version in host.tools.items() if version is None):
        yield Objection(where=name, seen=f"{tool} is not installed there")


def object_to_replies(
    service: Service, edge: Host, hosts: list[str], replies: Mapping[str, Reply]
) -> Iterator[Objection]:
    """Placements of `service` that are not healthy as `edge` sees them."""
    health = health_of(service)
    for host in hosts:
        reply = replies[host]
        if not is_healthy(reply, health):
            yield Objection(
                where=edge.name,
                seen=f"{service.name} on {host} is not healthy ({words(reply)})",
                remedy="there would be nobody to fail over to, or back",
            )


def is_healthy(reply: Reply, health: HealthCheck) -> bool:
    return reply.status == health.status and health.body in reply.body


def words(reply: Reply) -> str:
    return f"answers {reply.status}" if reply.status else reply.body.strip()[:60] or "no answer"


def now() -> datetime:
    return datetime.now(UTC)
