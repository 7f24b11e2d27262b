"""service: the health endpoint of each placement, asked directly over the mesh."""

from inventory.catalogue import Catalogue, Service
from tasks import probe
from tasks.checks.finding import Finding, Status


def check_placement(
    catalogue: Catalogue, service: Service, host: str, *, vantage: str, timeout: float = 5.0
) -> Finding:
    """Does `service` on `host` answer its health check, body and all?"""
    assert service.health is not None, "a web service has a health check"
    health = service.health
    answer = probe.ask(
        str(catalogue.hosts[host].address), service.port, health.path, timeout=timeout
    )
    good = answer.matches(health.status, health.body)
    return Finding(
        check="service",
        subject=f"{service.name}@{host}",
        vantage=vantage,
        status=Status.OK if good else Status.FAILED,
        seen=answer.words,
        expected=f"{health.status} {health.body!r}" if health.body else f"{health.status}",
        seconds=answer.seconds,
    )
