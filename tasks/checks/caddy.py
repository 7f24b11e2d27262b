"""caddy: each hostname through each edge's Caddy, who answers, and its certificate."""

import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from inventory.catalogue import Catalogue, Host, Service
from tasks import probe
from tasks.checks import parts, refusal
from tasks.checks.caddy_config import LISTENERS
from tasks.checks.finding import Finding, Status
from tasks.checks.service import answer_of, expected, is_served, sightings
from tasks.checks.survey import Survey
from tasks.configs.caddy import TLS_PORT
from tasks.observe import Question
from tasks.probe import Answer, Certificate
from tasks.way import health_of, is_healthy

# A certificate is renewed when a third of its life is left (Caddy's own ratio, also
# Let's Encrypt's advice). One with less than a fifth left was not renewed when due.
LATE_SHARE = 0.2
LATE_MOST = timedelta(days=14)
# What tasks/probe.py says when not even a connection was made.
NO_CONNECTION = ("no connection", "connection refused", "no route to host")


def questions(host: Host, catalogue: Catalogue) -> Iterator[Question]:
    """Each edge asks its own Caddy what cloudflared would: by name, on loopback."""
    if not host.is_edge:
        return
    port = catalogue.site.tunnel.caddy_port
    for service in catalogue.public_services:
        health = health_of(service)
        url = f"http://127.0.0.1:{port}{health.path}"
        words = ("get", url, service.hostname, health.body)
        yield Question(name=f"loopback {service.name}", words=words)


def ask(edge: Host, service: Service, *, tls: ssl.SSLContext, timeout: float) -> Answer:
    path = health_of(service).path
    return probe.ask(
        str(edge.address), TLS_PORT, path, hostname=service.hostname, tls=tls, timeout=timeout
    )


def judge(survey: Survey) -> Iterator[Finding]:
    for service in survey.web_services:
        yield from _judge_refusal(survey, service)
    for edge in survey.edges:
        yield from _judge_door(survey, edge)
        for service in survey.web_services:
            yield from _judge_route(survey, edge, service)
        yield from _judge_certificate(survey, edge.name)


def _judge_refusal(survey: Survey, service: Service) -> Iterator[Finding]:
    """One finding for a service that is well by its address and refuses its name."""
    found = refusal.of(survey.refusals, service.name)
    if found:
        yield Finding(
            check="service",
            subject=f"{service.name} by its name",
            vantage=survey.here,
            status=Status.FAILED,
            seen=found.seen,
            expected=expected(service),
            service=service.name,
            host=found.host,
            hop=f"service {service.name}@{found.host}",
            why=f"well by its address, it refuses what Caddy passes on, by {found.rule}",
            todo=found.setting,
            part=parts.by_name(service.name),
            needs=(parts.host(found.host),),
        )


def _judge_door(survey: Survey, edge: Host) -> Iterator[Finding]:
    """A firewall: Caddy listens, and from here nobody gets a connection for any name."""
    asked = [answer for (_, at), answer in survey.routes.items() if at == edge.name]
    shut = [a for a in asked if a.status is None and a.error.startswith(NO_CONNECTION)]
    listens = f"{edge.address}:{TLS_PORT}" in survey.reply(edge.name, LISTENERS).text
    if asked and len(shut) == len(asked) and listens and survey.here != edge.name:
        yield Finding(
            check="caddy",
            subject=f"port {TLS_PORT} of {edge.name}",
            vantage=survey.here,
            status=Status.FAILED,
            seen=shut[0].error,
            expected="a connection",
            host=edge.name,
            hop=f"firewall {edge.name}",
            why=f"Caddy listens on {edge.address}:{TLS_PORT}, {survey.here} does not get there",
            todo=f"on {edge.name}: nft list ruleset; let the tailnet in: "
            "ufw allow in on tailscale0 to any port 443 proto tcp",
            part=parts.door(edge.name),
            needs=(parts.host(edge.name), parts.caddy(edge.name)),
        )


def _judge_route(survey: Survey, edge: Host, service: Service) -> Iterator[Finding]:
    if (service.name, edge.name) in survey.routes:
        answer = survey.routes[service.name, edge.name]
        found = _route(edge.name, service, survey.here, answer)
        found = _behind(survey, edge, service, answer, found)
        found = replace(found, way=True)
        yield found if found.status.is_broken else _who_answered(survey, edge, service, found)
    loopback = survey.reply(edge.name, f"loopback {service.name}")
    if service.is_public and not loopback.is_missing:
        answer = answer_of(loopback, service, survey.timeout)
        found = _route(edge.name, service, edge.name, answer)
        # A part of its own: the control node's edge is asked by name and on loopback.
        found = replace(found, subject=f"{found.subject} on loopback")
        yield _behind(survey, edge, service, answer, found)


def _behind(
    survey: Survey, edge: Host, service: Service, answer: Answer, found: Finding
) -> Finding:
    """`found`, with the placements that it relies on: who gave `answer`, or else any one."""
    hosts = service.order_from(edge.name)
    served_by = _who_gave(survey, edge, service, answer)
    fine = [host for host in hosts if _answers(survey, edge.name, service, host)]
    evidence = f"direct ok on {' and '.join(fine)}, {edge.name}'s Caddy answers {found.seen}"
    return replace(
        found,
        why=evidence if fine and found.status.is_broken else "",
        needs=(
            *found.needs,
            parts.by_name(service.name),
            *(parts.placement(service.name, h, edge.name) for h in [served_by] if h),
        ),
        needs_one_of=tuple(parts.placement(service.name, h, edge.name) for h in hosts),
    )


def _who_gave(survey: Survey, edge: Host, service: Service, answer: Answer) -> str | None:
    """The host that Caddy names; where it names none (its answers to cloudflared, which go
    to strangers), the placement that says the very same. Caddy goes on asking a sick one until
    its own health check has seen it, so two answers of one look may come from two placements.
    """
    hosts = service.order_from(edge.name)
    if answer.served_by:
        upstreams = survey.catalogue.upstreams_from(edge.name, service)
        return dict(zip(upstreams, hosts, strict=True)).get(answer.served_by)
    for host in hosts:
        said = sightings(survey, service, host).get(edge.name)
        if said and answer.status and (said.status, said.body) == (answer.status, answer.body):
            return host
    return None


def _route(edge: str, service: Service, vantage: str, answer: Answer) -> Finding:
    good = is_served(service, answer)
    return Finding(
        check="caddy",
        subject=f"{service.name} through {edge}",
        vantage=vantage,
        status=Status.OK if good else Status.FAILED,
        seen=answer.words,
        expected=expected(service),
        seconds=answer.seconds,
        service=service.name,
        host=edge,
        hop=f"caddy {edge}",
        todo=f"on {edge}: journalctl -u caddy -n 50",
        part=parts.route(service.name, edge),
        needs=(
            parts.host(vantage),
            parts.host(edge),
            parts.caddy(edge),
            *([parts.door(edge)] * (vantage != edge)),
        ),
    )


def _who_answered(survey: Survey, edge: Host, service: Service, found: Finding) -> Finding:
    """`found`, unless another placement answered than the first healthy one."""
    answer = survey.routes[service.name, edge.name]
    if not is_healthy(service, answer):  # nobody was asked: he was turned away before
        return found
    served_by = answer.served_by
    upstreams = survey.catalogue.upstreams_from(edge.name, service)
    healthy = [
        (host, upstream)
        for host, upstream in zip(service.order_from(edge.name), upstreams, strict=True)
        if _answers(survey, edge.name, service, host)
    ]
    if not healthy or served_by == healthy[0][1]:
        return found
    host, upstream = healthy[0]
    return replace(
        found,
        status=Status.WARN,
        seen=f"answered by {served_by or 'nobody that Caddy names'}",
        expected=f"answered by {upstream}, which is healthy",
        todo="wait 30 s: Caddy goes back after two good health checks",
        needs=(
            *found.needs,
            parts.order(service.name, edge.name),
            parts.view(edge.name, service.name, host),
        ),
        needs_one_of=(),
        why="",
    )


def _answers(survey: Survey, edge: str, service: Service, host: str) -> bool:
    seen = sightings(survey, service, host)
    answer = seen.get(edge) or seen.get(survey.here)
    return answer is not None and is_healthy(service, answer)


def _judge_certificate(survey: Survey, edge: str) -> Iterator[Finding]:
    """One finding for the edge: the certificate that ends first."""
    shown = {
        service.hostname: certificate
        for service in survey.web_services
        if (answer := survey.routes.get((service.name, edge)))
        and (certificate := answer.certificate)
    }
    shown |= {
        hostname: answer.certificate
        for (hostname, on), answer in survey.names.items()
        if on == edge and answer.certificate
    }
    if not shown:
        return
    now = datetime.now(UTC)
    name = min(shown, key=lambda hostname: shown[hostname].ends)
    late = is_late(shown[name], now)
    yield Finding(
        check="caddy",
        subject=f"certificate of {name} on {edge}" if late else f"certificates on {edge}",
        vantage=survey.here,
        status=Status.WARN if late else Status.OK,
        seen=f"ends in {_span(shown[name].ends - now)}",
        expected=f"renewed when a third of its {_span(_life(shown[name]))} is left",
        host=edge,
        hop=f"caddy {edge}",
        todo=f"on {edge}: journalctl -u caddy | grep -i -e renew -e obtain",
        needs=(parts.host(edge), parts.caddy(edge)),
    )


def is_late(certificate: Certificate, now: datetime) -> bool:
    """It should have been renewed by now."""
    left = certificate.ends - now
    return left < min(LATE_SHARE * _life(certificate), LATE_MOST)


def _life(certificate: Certificate) -> timedelta:
    return certificate.ends - certificate.starts


def _span(time: timedelta) -> str:
    if time >= timedelta(days=2):
        return f"{time.days} days"
    if time >= timedelta(hours=2):
        return f"{time / timedelta(hours=1):.0f} h"
    return f"{time / timedelta(minutes=1):.0f} min"
