"""Would each service fail over? Proved from configs and health, breaking nothing."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from inventory.catalogue import Host, Service
from runbooks.cli import Session
from runbooks.survey.inquiry import Inquiry
from runbooks.verify import judge
from tasks.checks.caddy_config import CONFIG
from tasks.checks.diagnosis import diagnose
from tasks.checks.finding import Finding, Status
from tasks.checks.survey import Survey
from tasks.way import health_of

CHECKS = frozenset({"service", "caddy", "config"})
TIMEOUT = 5.0  # seconds of each question


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """One service; `breaks` is what would keep it from failing over, or back.

    `late` is what a Caddy still holds against a healthy placement: one slow answer, and it
    holds it for down until two checks have passed. It would fail over all the same, since
    where all are held for down, each is asked.
    """

    service: Service
    breaks: tuple[Finding, ...]
    late: tuple[Finding, ...] = ()

    @property
    def is_ready(self) -> bool:
        return not self.breaks


def readiness(session: Session, services: Sequence[Service]) -> list[Readiness]:
    """Ask everything that a failover of `services` relies on."""
    survey = Inquiry(
        session=session, checks=CHECKS, services=tuple(services), timeout=TIMEOUT
    ).take()
    found = [*diagnose(judge(survey, CHECKS)), *_unchecked(survey, services)]
    return [_judge(found, service, survey.edges) for service in services]


def _judge(found: Sequence[Finding], service: Service, edges: Sequence[Host]) -> Readiness:
    about = [finding for finding in found if _concerns(finding, service, edges)]
    return Readiness(
        service=service,
        breaks=_once(finding for finding in about if finding.status.is_broken),
        late=_once(f for f in about if f.service and f.status is Status.WARN),
    )


def _once(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Seen from two sides, it is told once."""
    return tuple({(f.subject, f.seen): f for f in found}.values())


def _concerns(finding: Finding, service: Service, edges: Sequence[Host]) -> bool:
    """Is `finding` about what the failover of `service` relies on?"""
    if finding.service is not None:
        return finding.service == service.name
    places = {*service.placements, *(edge.name for edge in edges)}
    return finding.host in places and finding.hop.startswith(("caddy", "host"))


def _unchecked(survey: Survey, services: Sequence[Service]) -> Iterator[Finding]:
    """Sites whose running Caddy asks no upstream for its health."""
    for edge in survey.edges:
        reply = survey.reply(edge.name, CONFIG)
        config = json.loads(reply.text) if reply.ok else {}
        for service in services:
            upstreams = set(survey.catalogue.upstreams_from(edge.name, service))
            if reply.ok and not is_health_checked(config, service, upstreams):
                yield Finding(
                    check="caddy",
                    subject=f"health check of {service.name} in {edge.name}'s Caddy",
                    vantage=edge.name,
                    status=Status.FAILED,
                    seen="not every proxy of the running config has one",
                    expected="an active check of each upstream",
                    service=service.name,
                    host=edge.name,
                    hop=f"caddy {edge.name}",
                    todo="python runbooks/deploy.py shows the difference, --apply mends it",
                )


def is_health_checked(
    config: Mapping[str, Any], service: Service, upstreams: AbstractSet[str]
) -> bool:
    """Does every proxy of the service itself ask the catalogue's health path?"""
    servers = config.get("apps", {}).get("http", {}).get("servers", {}).values()
    proxies = [
        proxy
        for server in servers
        for route in server.get("routes", [])
        if any(service.hostname in match.get("host", []) for match in route.get("match", []))
        for proxy in _proxies(route)
        if {str(up.get("dial")) for up in proxy.get("upstreams", [])} == upstreams
    ]
    uris = {proxy.get("health_checks", {}).get("active", {}).get("uri") for proxy in proxies}
    return uris == {f"{service.upstream.path}{health_of(service).path}"}


def _proxies(part: Any) -> Iterator[Mapping[str, Any]]:
    """Every reverse_proxy handler inside a part of Caddy's config."""
    if isinstance(part, list):
        for one in part:
            yield from _proxies(one)
    elif isinstance(part, dict):
        if part.get("handler") == "reverse_proxy":
            yield part
        for key in ("handle", "routes"):
            yield from _proxies(part.get(key))
