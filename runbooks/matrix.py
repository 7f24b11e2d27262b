"""Findings for people: services down, vantages across, and one line for each fault."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.text import Text

from inventory.secret import redact
from runbooks.cli import out
from tasks.checks.diagnosis import Fault
from tasks.checks.finding import Finding, Status
from tasks.checks.survey import Survey

CELL = 7
STYLES = {
    Status.OK: "green",
    Status.SKIPPED: "dim",
    Status.WARN: "yellow",
    Status.UNREACHABLE: "magenta",
    Status.FAILED: "bold red",
}
WORDS = {Status.OK: "ok", Status.SKIPPED: "skip", Status.WARN: "warn", Status.UNREACHABLE: "gone"}
FAILED_HERE, FAILED_ALONG = "FAIL", "fail"

Group = tuple[str, tuple[str, ...]]  # a heading and its columns


def show_matrix(survey: Survey, findings: Sequence[Finding]) -> None:
    """Two tables: the paths to each service, and each host's own parts."""
    show_services(survey, findings)
    show_hosts(survey, findings)


def show_services(survey: Survey, findings: Sequence[Finding]) -> None:
    groups = _service_columns(survey, findings)
    cells = {
        service.name: list(_paths(survey, service.name, findings)) for service in survey.services
    }
    width = max(len(name) for name in cells) + 2
    _headings(groups, width)
    for name, found in cells.items():
        rows: dict[tuple[str, str], list[Finding]] = {}
        for column, finding in found:
            rows.setdefault(column, []).append(finding)
        _row(
            name,
            width,
            [
                _cell(rows.get((heading, column), []), lost=column in survey.lost)
                for heading, columns in groups
                for column in columns
            ],
        )
    out.print()


def _service_columns(survey: Survey, findings: Sequence[Finding]) -> list[Group]:
    edges = tuple(host.name for host in survey.hosts if host.is_edge)
    vantages = tuple(dict.fromkeys((*edges, survey.here)))
    asked = {f.vantage for f in findings if f.check == "service"}
    resolvers = tuple(h.name for h in survey.catalogue.resolvers if h in survey.hosts)
    return [
        ("direct from", tuple(v for v in vantages if v in asked or v in edges)),
        ("through Caddy", edges),
        ("outside", ("",)),
        ("by name at", resolvers),
    ]


def _paths(
    survey: Survey, service: str, findings: Iterable[Finding]
) -> Iterator[tuple[tuple[str, str], Finding]]:
    """(heading, column) of each finding that belongs to the service's row."""
    known = survey.catalogue.services[service]
    for finding in findings:
        if finding.check == "dns" and (
            finding.subject.startswith(f"{known.hostname} ")
            or (known.kind == "dns" and finding.subject.startswith("resolver "))
        ):
            yield ("by name at", finding.host or ""), finding
        if finding.service != service:
            continue
        if finding.check == "service":
            yield ("direct from", finding.vantage), finding
        elif finding.check == "caddy":
            yield ("through Caddy", finding.host or ""), finding
        elif finding.check == "access":
            yield ("outside", ""), finding


def show_hosts(survey: Survey, findings: Sequence[Finding]) -> None:
    checks = ("host", "mesh", "config", "caddy", "tunnel", "dns", "sync")
    width = max(len(host.name) for host in survey.hosts) + 2
    _headings([(check, ("",)) for check in checks], width)
    for host in survey.hosts:
        own = [f for f in findings if f.host == host.name]
        lost = host.name in survey.lost
        columns = ([f for f in own if f.check == check] for check in checks)
        _row(host.name, width, [_cell(found, lost=lost) for found in columns])
    out.print()


def _headings(groups: Sequence[Group], width: int) -> None:
    top, below = " " * width, " " * width
    for heading, columns in groups:
        span = max(CELL * len(columns), len(heading) + 1 if columns else 0)
        top += f"{heading:<{span}}" if columns else ""
        below += "".join(f"{column[: CELL - 1]:<{CELL}}" for column in columns).ljust(
            span if columns else 0
        )
    for line in (top, below):
        if line.strip():
            out.print(Text(line.rstrip(), style="bold"))


def _row(name: str, width: int, cells: Iterable[tuple[str, str]]) -> None:
    line = Text(f"{name:<{width}}")
    for word, style in cells:
        line.append(f"{word:<{CELL}}", style=style)
    line.rstrip()
    out.print(line)


def _cell(findings: Sequence[Finding], *, lost: bool) -> tuple[str, str]:
    """The worst of a cell, and its style; what only follows from another hop is told apart."""
    if not findings:
        return (WORDS[Status.UNREACHABLE], STYLES[Status.UNREACHABLE]) if lost else ("-", "dim")
    worst = max(findings, key=lambda f: (f.status, f.cause is None))
    if worst.status is Status.FAILED:
        return (FAILED_ALONG, "red") if worst.cause else (FAILED_HERE, STYLES[Status.FAILED])
    return WORDS[worst.status], STYLES[worst.status]


def show_faults(faults: Sequence[Fault]) -> None:
    """One line a fault, worst first; folded to the width of a terminal."""
    for fault in faults:
        line = redact(fault_line(fault))
        if out.is_terminal:
            line = textwrap.fill(line, out.width, subsequent_indent="    ", break_long_words=False)
        head, _, rest = line.partition(" ")
        out.print(Text.assemble((head, STYLES[fault.status]), f" {rest}"))


def fault_line(fault: Fault) -> str:
    """What – where – seen – expected – which hop is broken – what to do."""
    first = fault.first
    hop = f"{first.why} → {first.hop}" if first.why else first.hop
    follow = f" ({fault.follow} more follow from it)" if fault.follow else ""
    return (
        f"{first.status.word.upper()} {_few(fault.subjects)} – from {_few(fault.vantages)} – "
        f"{first.seen} – expected {first.expected} – broken: {hop}{follow} – {first.todo}"
    )


def _few(words: Sequence[str]) -> str:
    return ", ".join(words) if len(words) <= 3 else f"{words[0]} and {len(words) - 1} more"


def show_summary(findings: Sequence[Finding], seconds: float) -> None:
    """How many checks ended how, and how long all took."""
    counts: Mapping[Status, int] = {
        status: sum(f.status is status for f in findings) for status in Status
    }
    told = ", ".join(f"{count} {status.word}" for status, count in counts.items() if count)
    style = "green" if counts[Status.OK] + counts[Status.SKIPPED] == len(findings) else ""
    out.print(Text(f"{len(findings)} checks in {seconds:.1f} s: {told}", style=style))
