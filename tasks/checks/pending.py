"""Not deployed yet: what the inventory asks for, and the hosts' own files do not serve so far.

The files of a host's last deploy tell it; one that somebody else has changed tells nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from inventory.catalogue import Service
from tasks.checks import cloudflare, parts
from tasks.checks.finding import Finding, Status
from tasks.checks.survey import Survey
from tasks.plan import HostPlan
from tasks.served import Route

DEPLOY = "python runbooks/deploy.py shows it, --apply deploys it"
OF_ONE_HOST = ("caddy", "tunnel", "dns", "sync", "config")  # checks of what a deploy brings


def settle(survey: Survey, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The same findings; what fails only because it is not deployed yet says so."""
    for finding in findings:
        yield _undeployed(survey, finding) if _is_pending(survey, finding) else finding


def advice(plan: HostPlan) -> str:
    """What to do about the inventory being ahead of a host; not what was just rolled back."""
    left = plan.returned_from
    if left:
        return f"it was rolled back from commit {left}, which deploy.py would bring back: mend " \
            "the inventory first (git revert)"  # fmt: skip
    return DEPLOY


def _undeployed(survey: Survey, finding: Finding) -> Finding:
    plan = survey.plans.get(finding.host or "") or next(iter(survey.plans.values()), None)
    return replace(
        finding,
        status=Status.UNDEPLOYED,
        expected=f"{finding.expected}, once it is deployed",
        todo=advice(plan) if plan else DEPLOY,
    )


def _is_pending(survey: Survey, finding: Finding) -> bool:
    if finding.status <= Status.SKIPPED:
        return False
    if finding.check in OF_ONE_HOST and _is_new(survey, finding.host):
        return True
    service = survey.catalogue.services.get(finding.service or "")
    match finding.check:
        case "service" if service and finding.host:
            return _is_asked_nowhere(survey, service, finding.host)
        case "caddy" if service and finding.host:
            order = finding.part == parts.order(service.name, finding.host)
            return _differs(survey, finding.host, service, upstreams=order)
        case "cloudflare" if service and finding.hop == cloudflare.HOP:
            return _is_served_nowhere(survey, service)
        case "access" if service:
            entered = finding.hop == "access" and "STRANGER" in finding.seen
            return _is_served_nowhere(survey, service) and not entered
        case "dns" if finding.host and " at " in finding.subject:
            return _lacks_record(survey, finding.host, finding.subject.partition(" at ")[0])
        case "tunnel" if finding.host and finding.part == parts.ingress(finding.host):
            path = survey.catalogue.hosts[finding.host].paths.cloudflared
            plan = survey.plans.get(finding.host)
            change = plan.change_of(path) if plan else None
            return change is not None and change.kind == "changed" and not change.drifted
    return False


def _is_new(survey: Survey, host: str | None) -> bool:
    """Was nothing ever deployed to this host, though to others? Of one without its disk nobody
    knows."""
    here = survey.plans.get(host or "")
    if here is None or here.state.current is not None or here.state.unmounted:
        return False
    bare = all(change.live.kind == "absent" for change in here.files)
    return bare and any(plan.state.current for plan in survey.plans.values())


def _route(survey: Survey, edge: str, service: Service) -> tuple[bool, Route | None]:
    """Do the files of this edge tell anything, and what of the service?"""
    plan = survey.plans.get(edge)
    change = plan.change_of(survey.catalogue.hosts[edge].paths.caddy) if plan else None
    if plan is None or change is None or change.drifted or not plan.state.current:
        return _is_new(survey, edge), None
    return True, survey.served[edge].routes.get(service.name)


def _differs(survey: Survey, edge: str, service: Service, *, upstreams: bool) -> bool:
    """Does this edge's Caddy not know the service's name yet (or not its `upstreams`)?"""
    tells, route = _route(survey, edge, service)
    if not tells or route is None:
        return tells
    wanted = frozenset(survey.catalogue.upstreams_from(edge, service))
    return route.hostname != service.hostname or (upstreams and route.upstreams != wanted)


def _is_served_nowhere(survey: Survey, service: Service) -> bool:
    """Does no edge's Caddy know the service's name yet?"""
    edges = [edge.name for edge in survey.edges]
    return bool(edges) and all(_differs(survey, e, service, upstreams=False) for e in edges)


def _is_asked_nowhere(survey: Survey, service: Service, host: str) -> bool:
    """Does no edge's Caddy ask the service there yet?"""
    address = survey.catalogue.upstream_on(host, service)
    told = [_route(survey, edge.name, service) for edge in survey.edges]
    return bool(told) and all(
        tells and (route is None or address not in route.upstreams) for tells, route in told
    )


def _lacks_record(survey: Survey, resolver: str, name: str) -> bool:
    """Has this resolver not been told of the name, or of its addresses, yet?"""
    plan = survey.plans.get(resolver)
    change = plan.change_of(survey.catalogue.hosts[resolver].paths.resolver) if plan else None
    if plan is None or change is None or change.drifted or not plan.state.current:
        return False
    wanted = frozenset(map(str, survey.catalogue.answers.get(name, ())))
    return survey.served[resolver].records.get(name, frozenset()) != wanted
