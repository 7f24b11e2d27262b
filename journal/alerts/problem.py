"""Problem: what is wrong at one hop, with all that only follows from it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from inventory.catalogue import Service
from journal.felt import Felt, felt
from tasks.checks.diagnosis import Fault, faults
from tasks.checks.finding import Finding, Status

Part = tuple[str, str, str]  # check, subject, vantage
UNKNOWN: Mapping[str, Service] = {}
NAMED = 3  # services by their name, in a title


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Everything that one look found broken at `hop`.

    `what` is its worst fault in a few words, `services` are those that it touches,
    `follow` counts the findings that it explains, `parts` are its own. `felt` says what people
    feel of it, where the services are known.
    """

    hop: str
    status: Status
    what: str
    seen: str
    expected: str
    why: str
    todo: str
    hosts: tuple[str, ...]
    services: tuple[str, ...]
    follow: int
    parts: tuple[Part, ...]
    felt: str = ""


@dataclass(frozen=True, kw_only=True)
class Look:
    """The findings of one look at everything, as alerts see them."""

    problems: Mapping[str, Problem]
    known: Mapping[Part, Finding]
    lost: frozenset[str]

    @classmethod
    def of(cls, findings: Sequence[Finding], services: Mapping[str, Service] = UNKNOWN) -> "Look":
        felt = {name: _felt(service, findings) for name, service in services.items()}
        return cls(
            problems={
                hop: replace(problem, felt=_words(problem.services, felt))
                for hop, problem in problems(findings).items()
            },
            known={part_of(finding): finding for finding in findings},
            lost=frozenset(_lost(findings)),
        )

    def hides(self, problem: Problem) -> bool:
        """Could this look not tell whether the problem is still there?

        So it is when the problem's parts only follow from another one now, or could not
        be asked at all because their host is gone.
        """
        found = [self.known[part] for part in problem.parts if part in self.known]
        if any(finding.status <= Status.OK for finding in found):
            return False
        return bool(found) or any(host in self.lost for host in problem.hosts)


def _felt(service: Service, findings: Sequence[Finding]) -> Felt:
    return felt(service, [finding for finding in findings if finding.service == service.name])


def _words(services: Sequence[str], feelings: Mapping[str, Felt]) -> str:
    """`plex and radarr down, organizr on its fallback`; "" where nobody feels it."""
    hurt = {name: feelings.get(name, Felt.UNKNOWN) for name in services}
    groups: dict[Felt, list[str]] = {}
    for name, feeling in hurt.items():
        if not feeling.is_well and feeling is not Felt.SPARE:
            groups.setdefault(feeling, []).append(name)
    return ", ".join(f"{some(groups[feeling])} {feeling}" for feeling in Felt if feeling in groups)


def some(services: Sequence[str]) -> str:
    """The first of them by name, the others by their number."""
    names = list(services[:NAMED])
    if len(services) > NAMED:
        names.append(f"{len(services) - NAMED} more")
    *first, final = names or [""]
    return f"{', '.join(first)} and {final}" if first else final


def part_of(finding: Finding) -> Part:
    return finding.check, finding.subject, finding.vantage


def problems(findings: Sequence[Finding]) -> dict[str, Problem]:
    """One for each hop that is broken by itself, worst first. Of diagnosed findings."""
    found = sorted(faults(findings), key=lambda fault: fault.first.hop)
    made = [
        _problem(hop, list(own), findings) for hop, own in groupby(found, key=lambda f: f.first.hop)
    ]
    return {problem.hop: problem for problem in sorted(made, key=lambda p: (-p.status, p.hop))}


def _problem(hop: str, own: Sequence[Fault], findings: Sequence[Finding]) -> Problem:
    first = max(own, key=lambda fault: fault.status).first
    roots = [finding for fault in own for finding in fault.findings]
    subjects = dict.fromkeys((first.subject, *(finding.subject for finding in roots)))
    more = len(subjects) - 1
    follow = [finding for finding in findings if finding.cause == hop]
    return Problem(
        hop=hop,
        status=first.status,
        what=f"{first.subject} and {more} more" if more else first.subject,
        seen=first.seen,
        expected=first.expected,
        why=first.why,
        todo=first.todo,
        hosts=tuple(dict.fromkeys(f.host or f.vantage for f in roots)),
        services=tuple(dict.fromkeys(f.service for f in (*roots, *follow) if f.service)),
        follow=len(follow),
        parts=tuple(dict.fromkeys(map(part_of, roots))),
    )


def _lost(findings: Iterable[Finding]) -> Iterable[str]:
    for finding in findings:
        if finding.is_reach and finding.status.is_broken:
            yield finding.subject
