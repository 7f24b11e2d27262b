"""caddy: each hostname through one edge's Caddy, from the tailnet."""

import ssl

from inventory.catalogue import Host, Service
from tasks import probe
from tasks.checks.finding import Finding, Status


def check_route(
    edge: Host, service: Service, *, vantage: str, tls: ssl.SSLContext, timeout: float = 5.0
) -> Finding:
    """Does the Caddy on `edge` lead `service`'s hostname to a healthy placement?"""
    assert service.health is not None, "a web service has a health check"
    health = service.health
    answer = probe.ask(
        str(edge.address), 443, health.path, hostname=service.hostname, tls=tls, timeout=timeout
    )
    good = answer.matches(health.status, health.body)
    return Finding(
        check="caddy",
        subject=f"{service.name} through {edge.name}",
        vantage=vantage,
        status=Status.OK if good else Status.FAILED,
        seen=answer.words,
        expected=f"{health.status} {health.body!r}" if health.body else f"{health.status}",
        seconds=answer.seconds,
    )
