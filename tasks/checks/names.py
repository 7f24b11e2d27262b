"""caddy: the further names of each service, through each edge's Caddy, as `hostname` is."""

import ssl
from collections.abc import Iterator

from inventory.catalogue import Catalogue, Host, Service
from inventory.names import sample_of
from tasks import probe
from tasks.checks import parts
from tasks.checks.finding import Finding, Status
from tasks.checks.service import expected
from tasks.checks.survey import Survey
from tasks.probe import Answer
from tasks.way import health_of, is_healthy


def names_of(service: Service) -> tuple[str, ...]:
    """Every name beside the first; of a wildcard a sample."""
    return tuple(map(sample_of, (*service.aliases, *service.redirect_from, *service.http_names)))


def ask(edge: Host, service: Service, name: str, *, tls: ssl.SSLContext, timeout: float) -> Answer:
    """Ask from here: the health path by that name, over TLS or on port 80."""
    plain = name in service.http_names
    return probe.ask(
        str(edge.address),
        80 if plain else 443,
        health_of(service).path,
        hostname=name,
        tls=None if plain else tls,
        timeout=timeout,
    )


def judge(survey: Survey) -> Iterator[Finding]:
    for edge in survey.edges:
        for service in survey.web_services:
            for name in names_of(service):
                if (name, edge.name) in survey.names:
                    yield _name(survey, edge.name, service, name, survey.names[name, edge.name])


def _name(survey: Survey, edge: str, service: Service, name: str, answer: Answer) -> Finding:
    if name in service.redirect_from:
        wanted = f"https://{service.hostname}{health_of(service).path}"
        good, words = answer.location == wanted, f"leads to {wanted}"
        needs: tuple[str, ...] = ()
    else:
        good, words = is_healthy(service, answer), expected(service)
        needs = (parts.route(service.name, edge),)
    return Finding(
        check="caddy",
        subject=f"{service.name} as {name} through {edge}",
        vantage=survey.here,
        status=Status.OK if good else Status.FAILED,
        seen=answer.words,
        expected=words,
        seconds=answer.seconds,
        service=service.name,
        host=edge,
        hop=f"caddy {edge}",
        todo=_todo(survey.catalogue, edge, name, answer),
        needs=(parts.host(survey.here), parts.host(edge), parts.caddy(edge), *needs),
    )


def _todo(catalogue: Catalogue, edge: str, name: str, answer: Answer) -> str:
    tls = catalogue.site.tls
    if tls.certificate and answer.error.startswith("certificate refused"):
        return f"{tls.certificate} on {edge} has to bear {name}, too (tls: files)"
    return f"on {edge}: journalctl -u caddy -n 50"
