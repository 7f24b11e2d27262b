"""The diagnosis: of everything that is not ok, what is broken and what only follows.

A path is service, mesh, caddy, tunnel, access, dns. A finding is a consequence when a
part that it needs is broken; the one that needs nothing broken names the broken hop.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tasks.checks.finding import Finding, Status


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Findings that say the same of one hop. `follow` counts what this hop explains."""

    findings: tuple[Finding, ...]
    follow: int

    @property
    def first(self) -> Finding:
        return self.findings[0]

    @property
    def status(self) -> Status:
        return self.first.status

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(finding.subject for finding in self.findings))

    @property
    def vantages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(finding.vantage for finding in self.findings))


def diagnose(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The same findings; each consequence now names the hop that causes it."""
    found = tuple(findings)
    broken: dict[str, Finding] = {}
    for finding in found:
        if finding.part and finding.status > Status.SKIPPED:
            broken.setdefault(finding.part, finding)
    known = {finding.part for finding in found}
    return tuple(
        replace(finding, cause=_cause(finding, broken, known))
        if finding.status > Status.SKIPPED
        else finding
        for finding in found
    )


def _cause(finding: Finding, broken: Mapping[str, Finding], known: set[str]) -> str | None:
    reason = _reason(finding, broken, known)
    if reason is None:
        return None
    return _cause(reason, broken, known) or reason.hop


def _reason(finding: Finding, broken: Mapping[str, Finding], known: set[str]) -> Finding | None:
    """The broken part that `finding` relies on."""
    for part in finding.needs:
        if part != finding.part and _explains(broken.get(part), finding):
            return broken[part]
    choices = [part for part in finding.needs_one_of if part in known]
    if choices and all(_explains(broken.get(part), finding) for part in choices):
        return broken[choices[0]]
    return None


def _explains(reason: Finding | None, finding: Finding) -> bool:
    """A warning explains another one, but no failure."""
    return reason is not None and (reason.status.is_broken or finding.status is Status.WARN)


def faults(findings: Sequence[Finding]) -> tuple[Fault, ...]:
    """What is broken, worst first: diagnosed findings without a cause, like with like."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        if finding.status > Status.SKIPPED and finding.cause is None:
            alike = (finding.check, finding.hop, finding.status.word, finding.seen)
            groups.setdefault(alike, []).append(finding)
    explained = Counter(finding.cause for finding in findings if finding.cause)
    told: set[str] = set()
    made = []
    for group in sorted(groups.values(), key=lambda group: -group[0].status):
        hop = group[0].hop
        made.append(Fault(findings=tuple(group), follow=0 if hop in told else explained[hop]))
        told.add(hop)
    return tuple(made)


def verdict(findings: Sequence[Finding], *, strict: bool = False) -> Status:
    """The worst thing that is broken. A warning is a failure when `strict`, else nothing."""
    worth = {
        Status.WARN: Status.FAILED if strict else Status.OK,
        Status.SKIPPED: Status.OK,
        Status.UNDEPLOYED: Status.OK,
    }
    return max((worth.get(f.status, f.status) for f in findings if not f.cause), default=Status.OK)
