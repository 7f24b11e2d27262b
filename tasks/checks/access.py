"""access: from outside, through Cloudflare – strangers stay out, the service token gets in."""

import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from inventory.catalogue import Service
from inventory.errors import InventoryError
from inventory.names import sample_of
from inventory.resolver import Nameserver
from inventory.secret import Secret, conceal
from tasks import guard, lookup, probe
from tasks.checks import parts, refusal
from tasks.checks.finding import STRANGER, Finding, Status
from tasks.checks.service import expected, is_served
from tasks.checks.survey import Survey
from tasks.probe import Answer
from tasks.way import health_of

NO_ADDRESS = "knows no address"
LOGIN = "cloudflareaccess.com"
GATE = "the internet"  # the vantage


@dataclass(frozen=True, kw_only=True)
class Outside:
    """How a name is reached from outside: a public resolver, and what to trust."""

    resolver: Nameserver
    tls: ssl.SSLContext
    timeout: float


def ask(
    service: Service, name: str, way: Outside, headers: Mapping[str, str] | None = None
) -> Answer:
    """GET the health path by a public name; `headers` carry a service token."""
    return _ask(name, health_of(service).path, way, headers)


def ask_guard(service: Service, way: Outside) -> Answer:
    """Which application is in front of its name? Cloudflare's edge is asked, no service."""
    return _ask(service.hostname, health_of(service).path, way, guard.ASK, method="HEAD")


def ask_keys(team: str, way: Outside) -> Answer:
    """The keys with which the team's edge signs what it says."""
    return _ask(guard.login_of(team), guard.CERTS, way)


def _ask(
    name: str,
    path: str,
    way: Outside,
    headers: Mapping[str, str] | None = None,
    *,
    method: probe.Method = "GET",
) -> Answer:
    """By the public record of a name."""
    found = lookup.ask_nameserver(way.resolver, name, timeout=way.timeout)
    if not found.addresses:
        return Answer(status=None, error=f"{way.resolver} {NO_ADDRESS} ({found.words})")
    return probe.ask(
        min(found.addresses),
        443,
        path,
        hostname=name,
        tls=way.tls,
        headers=headers,
        method=method,
        timeout=way.timeout,
    )


def token_headers(reference: str) -> Mapping[str, str]:
    """The headers of a service token, from its JSON with client_id and client_secret.

    Raises InventoryError.
    """
    try:
        token = json.loads(Secret(reference).reveal())
        identity, secret = str(token["client_id"]), str(token["client_secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise InventoryError(
            f"{reference}: should be JSON with client_id and client_secret"
        ) from error
    conceal(secret)
    return {"CF-Access-Client-Id": identity, "CF-Access-Client-Secret": secret}


def judge(survey: Survey) -> Iterator[Finding]:
    for service in survey.web_services:
        yield from _public_name(survey, service)
        if service.name in survey.strangers:
            yield _stranger(survey, service, service.hostname, survey.strangers[service.name])
        for name in map(sample_of, service.aliases):
            if name in survey.strangers_as:
                yield _stranger(survey, service, name, survey.strangers_as[name])
        if service.name in survey.guests:
            yield _guest(survey, service, survey.guests[service.name])
        if service.name in survey.guards:
            yield _guard(survey, service, survey.guards[service.name])


def _public_name(survey: Survey, service: Service) -> Iterator[Finding]:
    """That nobody outside can find the name is a fault of its own, and one for all names."""
    answer = survey.strangers.get(service.name)
    if answer and answer.status is None and NO_ADDRESS in answer.error:
        yield Finding(
            check="access",
            subject=service.hostname,
            vantage=GATE,
            status=Status.FAILED,
            seen=answer.error,
            expected="an address of Cloudflare's",
            service=service.name,
            hop="public dns",
            todo=f"cloudflared tunnel route dns {survey.catalogue.site.tunnel.id} "
            f"{service.hostname}, and so for each of them",
            part=parts.public_name(service.hostname),
        )


def is_denial(answer: Answer) -> bool:
    """Access sends strangers to its login page, or says no."""
    sent_away = answer.status in (302, 303, 307) and LOGIN in answer.location
    return sent_away or answer.status in (401, 403)


def _stranger(survey: Survey, service: Service, name: str, answer: Answer) -> Finding:
    """An `open` service admits strangers; a protected one that does so is an alarm."""
    if service.access == "open":
        return _through(survey, service, answer, who="a stranger", name=name)
    denied = is_denial(answer)
    entered = not denied and answer.status is not None
    seen = f"{STRANGER}: {answer.words}" if entered else _denial_words(answer)
    return Finding(
        check="access",
        subject=f"a stranger at {name}",
        vantage=GATE,
        status=Status.OK if denied else Status.FAILED,
        seen=seen,
        expected="denied by Access",
        seconds=answer.seconds,
        service=service.name,
        hop="access" if entered else "cloudflare",
        needs=(parts.public_name(name),) if name == service.hostname and not entered else (),
        todo=_access_todo(name) if entered else "does the public name lead to Cloudflare?",
    )


def _guest(survey: Survey, service: Service, answer: Answer) -> Finding:
    from_access = LOGIN in answer.location or not is_served(service, answer)
    own = refusal.of(survey.refusals, service.name)
    if is_denial(answer) and from_access and not (own and own.status == answer.status):
        return Finding(
            check="access",
            subject=f"the service token at {service.hostname}",
            vantage=GATE,
            status=Status.FAILED,
            seen=_denial_words(answer),
            expected=f"admitted: {expected(service)}",
            seconds=answer.seconds,
            service=service.name,
            hop="access",
            todo="Zero Trust > Access: does the policy of this name include the service token?",
        )
    who = "the service token"
    return _through(survey, service, answer, who=who, name=service.hostname)


def _guard(survey: Survey, service: Service, answer: Answer) -> Finding:
    """The application in front has to be the one whose token every ingress demands."""
    status, seen = guarded(survey, service, answer)
    return Finding(
        check="access",
        subject=f"the application at {service.hostname}",
        vantage=GATE,
        status=status,
        seen=seen,
        expected=f"the one that every ingress demands, AUD {short(str(service.audience))}",
        seconds=answer.seconds,
        service=service.name,
        hop="access",
        todo="python runbooks/outside.py shows the applications; an `audience` in services.yaml "
        "is yours to mend",
        needs=(parts.public_name(service.hostname),),
    )


def guarded(survey: Survey, service: Service, answer: Answer) -> tuple[Status, str]:
    """What Cloudflare's edge says of it. Where it says nothing, nothing is proven."""
    team = survey.catalogue.site.access.team
    if answer.status is None:
        return Status.SKIPPED, answer.error
    if not answer.guard:
        return Status.WARN, f"Cloudflare's edge names no application ({answer.words})"
    if survey.keys is None or survey.keys.status != 200:
        why = survey.keys.words if survey.keys else "not asked"
        return Status.SKIPPED, f"the keys of {guard.login_of(team)} cannot be had: {why}"
    try:
        told = guard.read(answer.guard, guard.read_keys(survey.keys.body), service.hostname)
    except guard.GuardError as error:
        return Status.FAILED, str(error)
    if (told.team, told.audience) != (team, service.audience):
        return Status.FAILED, f"another one, AUD {short(told.audience)} of team {told.team}"
    return Status.OK, f"AUD {short(told.audience)}"


def short(audience: str) -> str:
    """The beginning of an AUD tag, which has 64 characters."""
    return f"{audience[:8]}…"


def _through(survey: Survey, service: Service, answer: Answer, *, who: str, name: str) -> Finding:
    """Somebody who may enter: all hops behind Access on whichever replica was picked."""
    edges = [edge.name for edge in survey.catalogue.edges]
    behind = [
        parts.public_name(service.hostname),
        parts.by_name(service.name),
        *(part(edge) for edge in edges for part in (parts.tunnel, parts.ingress, parts.caddy)),
        *(parts.host(edge) for edge in edges),
        *(parts.route(service.name, edge) for edge in edges),
        *(parts.placement(service.name, h, e) for h in service.placements for e in edges),
    ]
    return Finding(
        check="access",
        subject=f"{who} at {name}",
        vantage=GATE,
        status=Status.OK if is_served(service, answer) else Status.FAILED,
        seen=answer.words,
        expected=expected(service),
        seconds=answer.seconds,
        service=service.name,
        hop="tunnel",
        todo="on each edge: journalctl -u cloudflared -n 50",
        needs=tuple(behind),
        way=True,
    )


def _denial_words(answer: Answer) -> str:
    return "denied, sent to the login page" if LOGIN in answer.location else answer.words


def _access_todo(name: str) -> str:
    return (
        f"NOW: Zero Trust > Access > Applications: {name} has no policy; until "
        "then take it off the tunnel (access: tailnet in services.yaml, deploy)"
    )
