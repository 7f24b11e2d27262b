"""service: the health endpoint of each placement, asked directly over the mesh."""

from collections.abc import Iterator, Mapping, Sequence

from inventory.catalogue import Catalogue, Host, Service
from tasks.checks import holding, parts
from tasks.checks.finding import Finding, Status
from tasks.checks.holding import Cause
from tasks.checks.survey import Survey
from tasks.observe import Question, Reply
from tasks.probe import Answer
from tasks.way import Way, health_of, is_healthy

CURL_WORDS = {6: "no such name", 7: "no connection", 28: "no answer", 52: "an empty answer"}


def questions(host: Host, catalogue: Catalogue) -> Iterator[Question]:
    """Every edge asks every placement: that is the view that its Caddy has."""
    if not host.is_edge:
        return
    for service in catalogue.web_services:
        for on in service.placements:
            way = _way(catalogue, service, on)
            words = ("get", way.url, "", health_of(service).body, *way.curl_flags)
            yield Question(name=_question(service, on), words=words)


def ask(catalogue: Catalogue, service: Service, host: str, *, timeout: float) -> Answer:
    return _way(catalogue, service, host).ask(timeout=timeout)


def _way(catalogue: Catalogue, service: Service, host: str) -> Way:
    return Way(catalogue=catalogue, service=service, host=host, path=health_of(service).path)


def judge(survey: Survey) -> Iterator[Finding]:
    for service in survey.web_services:
        for host in service.placements:
            yield from _judge_placement(survey, service, host, sightings(survey, service, host))


def sightings(survey: Survey, service: Service, host: str) -> Mapping[str, Answer]:
    """What each vantage was answered by one placement."""
    found = {}
    if (service.name, host) in survey.direct:
        found[survey.here] = survey.direct[service.name, host]
    for edge in survey.edges:
        reply = survey.reply(edge.name, _question(service, host))
        if not reply.is_missing:
            found[edge.name] = answer_of(reply, service, survey.timeout)
    return found


def is_served(service: Service, answer: Answer) -> bool:
    """Does somebody unknown get what he should by the service's name? Where something stands in
    front that turns him away, that is what he should get.
    """
    guarded = answer.status in service.front.turns_away(health_of(service).path)
    return guarded or is_healthy(service, answer)


def answer_of(reply: Reply, service: Service, timeout: float) -> Answer:
    """What `get` of observe.sh heard: the body's start, or the wanted text found in it."""
    first, _, body = reply.text.partition("\n")
    code, seconds, found, *_ = [*first.split(" "), "", "", ""]
    wanted = health_of(service).body
    if found == "yes" and wanted not in body:
        body = wanted
    if not reply.ok or not code.isdigit():
        words = CURL_WORDS.get(reply.status, f"curl error {reply.status}")
        late = f" within {timeout:.0f} s" if reply.status == 28 else ""
        return Answer(status=None, error=words + late)
    return Answer(status=int(code), body=body, seconds=float(seconds or 0))


def _judge_placement(
    survey: Survey, service: Service, host: str, seen: Mapping[str, Answer]
) -> Iterator[Finding]:
    fine = [vantage for vantage, answer in seen.items() if is_healthy(service, answer)]
    for vantage, answer in seen.items():
        cut = bool(fine) and answer.status is None  # others get an answer, this one none
        silent = not fine and answer.status is None
        cause = holding.cause(survey, service, host) if silent else None
        yield _finding(
            service,
            host,
            vantage,
            answer,
            hop=f"mesh {vantage} to {host}" if cut else f"service {service.name}@{host}",
            unit=survey.unit_state(host, service.unit),
            why=_evidence(survey, service, host, vantage, fine) if cut else cause_words(cause),
            todo=cause.todo if cause else _todo(survey.catalogue, service, host, cut=cut),
        )


def cause_words(cause: Cause | None) -> str:
    return cause.why if cause else ""


def _evidence(
    survey: Survey, service: Service, host: str, vantage: str, fine: Sequence[str]
) -> str:
    """What tells that the way is broken, and not the service."""
    route = survey.routes.get((service.name, vantage))
    answers = (
        f"{vantage}'s Caddy answers {route.words}, "
        if route and not is_healthy(service, route)
        else ""
    )
    return (
        f"direct ok from {' and '.join(fine)}, {answers}"
        f"{vantage} cannot reach {host}:{service.port}"
    )


def _finding(
    service: Service,
    host: str,
    vantage: str,
    answer: Answer,
    *,
    hop: str,
    unit: str | None = None,
    why: str = "",
    todo: str = "",
) -> Finding:
    good = is_healthy(service, answer)
    stopped = f" (unit {service.unit} is {unit})" if unit and unit != "active" else ""
    return Finding(
        check="service",
        subject=f"{service.name}@{host}",
        vantage=vantage,
        status=Status.OK if good else Status.FAILED,
        seen=answer.words + ("" if good else stopped),
        expected=expected(service),
        seconds=answer.seconds,
        service=service.name,
        host=host,
        hop=hop,
        why=why,
        todo=todo,
        part=parts.placement(service.name, host, vantage),
        needs=(parts.host(vantage), parts.host(host), parts.mesh(vantage, host)),
    )


def expected(service: Service) -> str:
    health = health_of(service)
    return f"{health.status} {health.body!r}" if health.body else f"{health.status}"


def _question(service: Service, host: str) -> str:
    return f"direct {service.name}@{host}"


def _todo(catalogue: Catalogue, service: Service, host: str, *, cut: bool) -> str:
    if host in catalogue.appliances:
        return f"look at {service.name} on {host} itself: twinedge does not log in there"
    if cut:
        address = catalogue.hosts[host].address
        return f"on {host}: ss -ltn | grep {service.port}; bound to {address}? a firewall?"
    if catalogue.manager_of(service, host) == "systemd":
        return f"on {host}: systemctl status {service.unit}"
    return f"on {host}: docker ps -a; docker logs --tail 50 {service.unit}"
