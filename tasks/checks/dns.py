"""dns: the catalogue's names, asked of every resolver; split DNS; what falls through."""

import json
from collections.abc import Iterator
from ipaddress import IPv4Address

from inventory.catalogue import Catalogue, Host, Service
from inventory.names import SAMPLE
from tasks import unbound
from tasks.checks import parts
from tasks.checks.finding import Finding, Status
from tasks.checks.names import names_of
from tasks.checks.survey import Survey
from tasks.lookup import DnsAnswer
from tasks.observe import Question, Reply

SPLIT, BESIDE = "split dns", "unbound beside ours"
TRANSPORTS = ("UDP", "TCP")
FORWARDER = "forwarder"  # in Survey.records, beside the names of the resolvers


def questions(host: Host, catalogue: Catalogue) -> Iterator[Question]:
    if host in catalogue.resolvers:
        yield Question(name=BESIDE, words=unbound.question(host, catalogue))
    yield Question(name=SPLIT, words=("as_json", "tailscale", "dns", "status", "--json"))


def unknown_name(catalogue: Catalogue) -> str:
    """A name that the catalogue does not hold, below the domain where it has no wildcard."""
    domain = catalogue.site.domain
    return f"{SAMPLE}.{'example.com' if domain in catalogue.wildcards else domain}"


def judge(survey: Survey) -> Iterator[Finding]:
    catalogue = survey.catalogue
    for resolver in (host for host in catalogue.resolvers if host in survey.hosts):
        answers = {
            (name, how): answer
            for (asked, name, how), answer in survey.records.items()
            if asked == resolver.name
        }
        for how in TRANSPORTS:
            yield from _answers(survey, resolver, answers, how)
        yield from _records(survey, resolver, answers)
        yield from _falls_through(survey, resolver, answers)
        if resolver.name in survey.seen:
            yield _beside(resolver.name, survey.reply(resolver.name, BESIDE))
    for host in (host for host in survey.hosts if host.name in survey.seen):
        for domain in catalogue.site.all_domains:
            yield _split(catalogue, host.name, domain, survey.reply(host.name, SPLIT))


Answers = dict[tuple[str, str], DnsAnswer]


def _answers(survey: Survey, resolver: Host, answers: Answers, how: str) -> Iterator[Finding]:
    """Does it answer at all? When not, each of its names is a consequence."""
    asked = [answer for (_, h), answer in answers.items() if h == how]
    if not asked:
        return
    silent = [answer for answer in asked if not answer.code]
    service = _service(survey.catalogue, resolver.name)
    state = survey.unit_state(resolver.name, service.unit)
    stopped = f" (unit {service.unit} is {state})" if state and state != "active" else ""
    yield Finding(
        check="dns",
        subject=f"resolver {resolver.name} over {how}",
        vantage=survey.here,
        status=Status.FAILED if len(silent) == len(asked) else Status.OK,
        seen=f"{silent[0].words}{stopped}" if silent else "answers",
        expected="answers",
        service=service.name,
        host=resolver.name,
        hop=f"dns {resolver.name}",
        todo=f"on {resolver.name}: systemctl status {service.unit}",
        part=f"{parts.resolver(resolver.name)} {how}",
        needs=(
            parts.host(resolver.name),
            parts.mesh(survey.here, resolver.name),
            parts.unbound(resolver.name),
        ),
        way=True,
    )


def _records(survey: Survey, resolver: Host, answers: Answers) -> Iterator[Finding]:
    owners = {
        name: service.name
        for service in survey.services
        for name in (service.hostname, *names_of(service))
    }
    wanted = survey.catalogue.answers
    for (name, how), answer in answers.items():
        expected = wanted.get(name)
        if expected is not None:
            owner = owners.get(name)
            yield _record(resolver.name, name, expected, survey.here, how, answer, owner)


def _record(
    resolver: str,
    name: str,
    expected: tuple[IPv4Address, ...],
    vantage: str,
    how: str,
    answer: DnsAnswer,
    service: str | None = None,
) -> Finding:
    wanted = {str(address) for address in expected}
    return Finding(
        check="dns",
        subject=f"{name} at {resolver} over {how}",
        vantage=vantage,
        status=Status.OK if answer.addresses == wanted else Status.FAILED,
        seen=answer.words,
        expected=", ".join(sorted(wanted)),
        seconds=answer.seconds,
        service=service,
        host=resolver,
        hop=f"dns {resolver}",
        todo=f"on {resolver}: unbound-control list_local_data | grep {name}; then deploy.py",
        needs=(parts.host(resolver), f"{parts.resolver(resolver)} {how}"),
    )


def _falls_through(survey: Survey, resolver: Host, answers: Answers) -> Iterator[Finding]:
    name = unknown_name(survey.catalogue)
    answer = answers.get((name, "UDP"))
    truth = survey.records.get((FORWARDER, name, "UDP"))
    if answer is None or truth is None:
        return
    same = (answer.code, bool(answer.addresses)) == (truth.code, bool(truth.addresses))
    yield Finding(
        check="dns",
        subject=f"unknown names at {resolver.name}",
        vantage=survey.here,
        status=Status.OK if same else Status.SKIPPED if not truth.code else Status.FAILED,
        seen=answer.words,
        expected=f"{truth.words}, as the forwarder says",
        seconds=answer.seconds,
        host=resolver.name,
        hop=f"dns {resolver.name}",
        todo=f"can {resolver.name} reach the forwarders of resolver.forward?",
        needs=(
            parts.host(resolver.name),
            parts.unbound(resolver.name),
            f"{parts.resolver(resolver.name)} UDP",
        ),
    )


def _beside(resolver: str, reply: Reply) -> Finding:
    found = list(unbound.clashes(reply.text))
    return Finding(
        check="dns",
        subject=f"other files of unbound on {resolver}",
        vantage=resolver,
        status=Status.FAILED if found else Status.OK,
        seen="; ".join(found) or "take nothing from ours",
        expected="take nothing from ours",
        host=resolver,
        hop=f"dns {resolver}",
        todo=f"on {resolver}: take it out there, then systemctl restart unbound",
        part=parts.unbound(resolver),
        needs=(parts.host(resolver),),
    )


def _split(catalogue: Catalogue, host: str, domain: str, reply: Reply) -> Finding:
    """The tailnet sends the domain to all resolvers: a stale one answers now and then."""
    wanted = {str(resolver.address) for resolver in catalogue.resolvers}
    status, seen = split(reply, domain, wanted)
    itself = any(resolver.name == host for resolver in catalogue.resolvers)
    if status is Status.WARN and itself:
        status, seen = Status.OK, f"{seen}; it is a resolver itself"
    of = "" if domain == catalogue.site.domain else f" of {domain}"
    return Finding(
        check="dns",
        subject=f"split DNS{of} on {host}",
        vantage=host,
        status=status,
        seen=seen,
        expected=", ".join(sorted(wanted)),
        host=host,
        hop="split dns",
        todo="admin console > DNS: the domain's nameservers are all resolvers; "
        f"on {host}: tailscale set --accept-dns",
        needs=(parts.host(host),),
    )


def split(reply: Reply, domain: str, wanted: set[str]) -> tuple[Status, str]:
    """What `tailscale dns status --json` says of the domain on a host that asks `wanted`."""
    found = split_routes(reply.text, domain) if reply.ok else None
    if found is None:
        return Status.SKIPPED, reply.text[:60]
    routes = ", ".join(sorted(found)) or "no route"
    if found != wanted:
        return Status.FAILED, routes
    if json.loads(reply.text).get("TailscaleDNS") is False:  # listed all the same
        return Status.WARN, f"{routes}, but the host takes no DNS from the tailnet"
    return Status.OK, routes


def split_routes(text: str, domain: str) -> set[str] | None:
    """The resolvers that `tailscale dns status --json` lists for the domain."""
    try:
        routes = json.loads(text)["SplitDNSRoutes"]
        return {
            str(entry["Addr"]) for entry in routes.get(domain) or routes.get(f"{domain}.") or ()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _service(catalogue: Catalogue, host: str) -> Service:
    """The dns service that makes `host` a resolver."""
    return next(s for s in catalogue.services.values() if s.kind == "dns" and host in s.placements)
