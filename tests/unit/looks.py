"""Looks for tests: what verify finds of a small edge, with this or that broken."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from tasks.checks.diagnosis import diagnose
from tasks.checks.finding import Finding, Status

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
MINUTE = timedelta(minutes=1)
STEP = 5 * MINUTE
HOSTS = ("vps1", "vps2", "unraid")
SERVICES = {
    "plex": ("unraid",),
    "radarr": ("unraid",),
    "sonarr": ("unraid",),
    "organizr": ("vps2", "vps1"),
}
Broken = Callable[[Finding], tuple[Status, str] | None]
UNASKED = (Status.SKIPPED, "nobody could ask")


def look(*broken: Broken) -> tuple[Finding, ...]:
    """Everything, diagnosed; each of `broken` may make a finding worse."""
    bent = [_bent(finding, broken) for finding in healthy()]
    return diagnose(finding for finding in bent if (finding.status, finding.seen) != UNASKED)


def healthy() -> list[Finding]:
    return [*map(_host, HOSTS), *map(_disk, HOSTS), *_services(), *_ways()]


def _host(name: str) -> Finding:
    return Finding(
        check="host",
        subject=name,
        vantage="vps2",
        status=Status.OK,
        seen="reached over SSH",
        expected="reached over SSH",
        host=name,
        hop=f"host {name}",
        todo=f"is {name} up, and on the tailnet? tailscale status",
        part=f"host {name}",
    )


def _disk(host: str) -> Finding:
    return Finding(
        check="host",
        subject=f"disk / of {host}",
        vantage=host,
        status=Status.OK,
        seen="20 % used",
        expected="less than 85 %",
        host=host,
        hop=f"disk {host}",
        todo=f"on {host}: du -xh -d 2 / | sort -h | tail",
        needs=(f"host {host}",),
    )


def _services() -> list[Finding]:
    return [
        Finding(
            check="service",
            subject=f"{service}@{host}",
            vantage=vantage,
            status=Status.OK,
            seen="200",
            expected="200",
            service=service,
            host=host,
            hop=f"service {service}@{host}",
            todo=f"on {host}: systemctl status {service}",
            part=f"service {service}@{host} from {vantage}",
            needs=(f"host {host}",),
        )
        for service, hosts in SERVICES.items()
        for host in hosts
        for vantage in ("vps1", "vps2")
    ]


def _ways() -> list[Finding]:
    return [
        Finding(
            check="caddy",
            subject=f"{service} through {edge}",
            vantage="vps2",
            status=Status.OK,
            seen="200",
            expected="200",
            service=service,
            host=edge,
            hop=f"caddy {edge}",
            todo=f"on {edge}: journalctl -u caddy -n 50",
            needs=(f"host {edge}",),
            needs_one_of=tuple(f"service {service}@{host} from {edge}" for host in hosts),
            way=True,
        )
        for service, hosts in SERVICES.items()
        for edge in ("vps1", "vps2")
    ]


def _bent(finding: Finding, broken: Sequence[Broken]) -> Finding:
    for bend in broken:
        if bent := bend(finding):
            status, seen = bent
            return Finding(**{**vars(finding), "status": status, "seen": seen})
    return finding


def stopped(service: str, host: str) -> Broken:
    """A service that does not answer; through Caddy, if there is no other."""

    def bend(finding: Finding) -> tuple[Status, str] | None:
        alone = finding.check == "caddy" and SERVICES[service] == (host,)
        if finding.subject == f"{service}@{host}" or (alone and finding.service == service):
            return Status.FAILED, "no connection"
        return None

    return bend


def dead(host: str) -> Broken:
    """A host without power: what it runs fails, what it would tell is not known."""

    def bend(finding: Finding) -> tuple[Status, str] | None:
        if finding.subject == host:
            return Status.UNREACHABLE, "timed out"
        if finding.vantage == host or finding.hop == f"caddy {host}":
            return UNASKED
        alone = finding.check == "caddy" and SERVICES[str(finding.service)] == (host,)
        if finding.host == host or alone:
            return Status.FAILED, "no answer"
        return None

    return bend


def disk(host: str, percent: int) -> Broken:
    def bend(finding: Finding) -> tuple[Status, str] | None:
        status = Status.FAILED if percent >= 95 else Status.WARN
        return (status, f"{percent} % used") if finding.hop == f"disk {host}" else None

    return bend
