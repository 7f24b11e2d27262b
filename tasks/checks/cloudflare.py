"""cloudflare: what its API tells – as the catalogue wants it, and a replica of each edge's own."""

from collections.abc import Iterator

from inventory.catalogue import Catalogue, Host, Service
from outside.client import NotPermitted
from outside.plan import Outlook
from outside.seen import App, Connector
from tasks.checks import parts, tunnel
from tasks.checks.finding import Finding, Status
from tasks.checks.survey import Survey
from tasks.observe import Question

API = "Cloudflare's API"  # the vantage
HOP = "cloudflare api"
SHOW = "python runbooks/outside.py shows it, --apply mends it"
# Rules of a policy that let in whoever wants to come.
ANYBODY = ("everyone", "any_valid_service_token")
NAMED = "lets in whom its policies name"


def questions(host: Host, catalogue: Catalogue) -> Iterator[Question]:
    """Which replica each edge runs, in its own words."""
    if catalogue.site.cloudflare is not None:
        yield from (q for q in tunnel.questions(host, catalogue) if q.name == tunnel.READY)


def judge(survey: Survey) -> Iterator[Finding]:
    """Nothing, where the site has no token."""
    told = survey.outside
    if told is None:
        return
    if not isinstance(told, Outlook):
        yield _unasked(told)
        return
    yield from _problems(told)
    if told.plan.problems:
        return
    yield from _differences(survey, told)
    yield from _replicas(survey, told.seen.connectors)
    yield from _gates(survey, told.seen.apps)
    yield _ending(told)


def _unasked(error: Exception) -> Finding:
    """Of what it did not tell, nothing follows; a token that is no good is a fault of its own."""
    return Finding(
        check="cloudflare",
        subject=API,
        vantage=API,
        status=Status.WARN if isinstance(error, NotPermitted) else Status.SKIPPED,
        seen=str(error),
        expected="an answer",
        hop=HOP,
        todo="python runbooks/outside.py asks it again",
    )


def _problems(told: Outlook) -> Iterator[Finding]:
    found = "; ".join(told.plan.problems)
    yield Finding(
        check="cloudflare",
        subject="tunnel and zone",
        vantage=API,
        status=Status.FAILED if found else Status.OK,
        seen=found
        or f"the tunnel takes its rules from config.yml, {told.seen.zone.name} is active",
        expected="a tunnel that takes its rules from config.yml, in an active zone",
        hop=HOP,
        todo="python runbooks/outside.py says more",
    )


def _differences(survey: Survey, told: Outlook) -> Iterator[Finding]:
    """Each public name, and each that is none any more."""
    services = {s.hostname: s for s in survey.catalogue.public_services}
    found: dict[str, list[str]] = {s.hostname: [] for s in survey.services if s.is_public}
    for step in told.plan.steps:
        changes = ", ".join(f"{c.key}: {c.old}, not {c.new}" for c in step.changes)
        who = told.who.get(step.id, "")
        words = [step.words, changes and f"({changes})", who and f"last changed by {who}"]
        found.setdefault(step.host, []).append(" ".join(filter(None, words)))
    for conflict in told.plan.conflicts:
        found.setdefault(conflict.host, []).append(conflict.words)
    for host, differs in found.items():
        service = services.get(host)
        if service is None or service in survey.services:
            yield Finding(
                check="cloudflare",
                subject=f"{host} at Cloudflare",
                vantage=API,
                status=Status.WARN if differs else Status.OK,
                seen=f"to do: {'; '.join(differs)}" if differs else "as the catalogue says",
                expected="as the catalogue says",
                service=service.name if service else None,
                hop=HOP,
                todo=SHOW,
            )


def _replicas(survey: Survey, connectors: tuple[Connector, ...]) -> Iterator[Finding]:
    """`healthy` of the tunnel says that one runs; each edge knows the id of its own."""
    alive = {each.id: each for each in connectors if each.alive}
    own = {
        edge.name: its
        for edge in survey.edges
        if (its := tunnel.connector(survey.reply(edge.name, tunnel.READY).text))
    }
    for edge, its in own.items():
        yield Finding(
            check="cloudflare",
            subject=f"replica of {edge}",
            vantage=API,
            status=Status.OK if its in alive else Status.WARN,
            seen=alive[its].words if its in alive else f"no connection of {its}",
            expected="connected, as the replica says itself",
            host=edge,
            hop=HOP,
            todo=f"on {edge}: journalctl -u cloudflared -n 50",
            needs=(parts.host(edge), parts.tunnel(edge)),
        )
    unknown = len(survey.catalogue.edges) - len(own)
    strange = [each for each in alive.values() if each.id not in own.values()]
    if len(strange) > unknown:
        yield _strangers(survey, strange, too_many=len(alive) > len(survey.catalogue.edges))


def _strangers(survey: Survey, strange: list[Connector], *, too_many: bool) -> Finding:
    """A replica that has just started anew may be told of twice for a moment: no alarm alone."""
    return Finding(
        check="cloudflare",
        subject="replicas of no edge",
        vantage=API,
        status=Status.FAILED if too_many else Status.WARN,
        seen="SOMEBODY ELSE RUNS THE TUNNEL: " + "; ".join(each.words for each in strange),
        expected=f"one replica for each of {len(survey.catalogue.edges)} edges",
        hop=HOP,
        todo="is that yours? If not, its credentials have leaked: a new secret "
        "(docs/outside.md), then deploy",
    )


def _gates(survey: Survey, apps: tuple[App, ...]) -> Iterator[Finding]:
    """Whoever made the application that answers for a protected name: does it guard it?"""
    for service in survey.services:
        if not service.is_protected:
            continue
        opened = {
            place: f"application {app.name!r} at {place} {why}"
            for app in apps
            for place in app.places
            if _covers(place, service) and (why := _opens(app))
        }
        whole = any("/" not in place for place in opened)
        yield Finding(
            check="cloudflare",
            subject=f"Access in front of {service.hostname}",
            vantage=API,
            status=Status.FAILED if whole else Status.WARN if opened else Status.OK,
            seen=f"ANYBODY MAY ENTER: {'; '.join(opened.values())}" if opened else NAMED,
            expected=NAMED,
            service=service.name,
            hop="access",
            todo="Zero Trust > Access > Applications: say there who may enter, or here that all may"
            " (access: open)",
        )


def _covers(place: str, service: Service) -> bool:
    return place.partition("/")[0] in (service.hostname, *service.aliases)


def _opens(app: App) -> str:
    """How a policy of it lets in everybody; "" where none does."""
    for policy in app.policies or ():
        if policy.decision == "bypass":
            return "bypasses Access"
        anybody = [kind for rule in policy.include for kind in rule if kind in ANYBODY]
        if policy.decision in ("allow", "non_identity") and anybody and not policy.require:
            return f"lets in {anybody[0].replace('_', ' ')}"
    return ""


def _ending(told: Outlook) -> Finding:
    return Finding(
        check="cloudflare",
        subject="tokens",
        vantage=API,
        status=Status.WARN if told.plan.ending else Status.OK,
        seen="; ".join(told.plan.ending) or "none ends within 30 days",
        expected="none ends within 30 days",
        hop=HOP,
        todo="Zero Trust > Access > Service credentials, or My Profile > API Tokens",
    )
