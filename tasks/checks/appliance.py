"""host: does a host that nobody logs in to answer? Its services tell, as the edges ask them."""

from collections.abc import Iterator

from tasks.checks import parts
from tasks.checks.finding import Finding, Status
from tasks.checks.service import sightings
from tasks.checks.survey import Survey


def judge(survey: Survey) -> Iterator[Finding]:
    """A finding for each appliance whose services were asked.

    That nothing of it answers tells of the host only where several services are silent; of one
    alone it may be the service.
    """
    for name in survey.catalogue.appliances:
        here = [s for s in survey.web_services if name in s.placements]
        answers = [answer for s in here for answer in sightings(survey, s, name).values()]
        if answers:
            yield _finding(survey, name, len(here), any(a.status is not None for a in answers))


def _finding(survey: Survey, name: str, services: int, answers: bool) -> Finding:
    status, seen = Status.SKIPPED, "its one service does not answer"
    if services > 1:
        status, seen = Status.UNREACHABLE, f"none of its {services} services answers"
    if answers:
        status, seen = Status.OK, "answers (no SSH)"
    return Finding(
        check="host",
        subject=name,
        vantage=survey.here,
        status=status,
        seen=seen,
        expected="a service of it answers an edge",
        host=name,
        hop=parts.host(name),
        todo=f"is {name} up, and do the edges reach {survey.catalogue.address_of(name)}?",
        part=parts.host(name),
    )
