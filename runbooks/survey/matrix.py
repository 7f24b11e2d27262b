"""Findings for people: services down, vantages across, and one line for each fault."""

from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from inventory.secret import redact
from runbooks.lines import fold, line_width, out, say
from tasks.checks.cells import HOST_CHECKS, Place, by_cell, places, word, worst
from tasks.checks.diagnosis import Fault
from tasks.checks.finding import Finding, Status
from tasks.checks.survey import Survey

CELL = 7
Rows = Mapping[str, Sequence[tuple[str, str]]]
STYLES = {
    Status.UNDEPLOYED: "cyan",
    Status.OK: "green",
    Status.SKIPPED: "dim",
    Status.WARN: "yellow",
    Status.UNREACHABLE: "magenta",
    Status.FAILED: "bold red",
}


def show_matrix(survey: Survey, findings: Sequence[Finding]) -> None:
    """Two tables: the paths to each service, and each host's own parts."""
    show_services(survey, findings)
    show_hosts(survey, findings)


def show_services(survey: Survey, findings: Sequence[Finding]) -> None:
    """Services down, vantages across. A column that nobody asked about is left out."""
    cells = by_cell(findings)
    told = {place for _, place in cells}
    columns = [
        place
        for place in places(survey.catalogue, [survey.here])
        if place in told or place[1] in survey.lost
    ]
    rows = {
        service.name: [
            _cell(
                cells.get((service.name, place), ()),
                lost=place[1] in survey.lost and service.kind == "http",
            )
            for place in columns
        ]
        for service in survey.services
    }
    if told:
        _table(columns, rows)


def show_hosts(survey: Survey, findings: Sequence[Finding]) -> None:
    """Hosts down, their own parts across."""
    cells: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if finding.host:
            cells.setdefault((finding.host, finding.check), []).append(finding)
    asked = {check for _, check in cells}
    checks = [check for check in HOST_CHECKS if check in asked]
    rows = {
        _title(survey, host): [
            _cell(
                cells.get((host, check), ()),
                lost=host in survey.lost,
            )
            for check in checks
        ]
        for host in (*(one.name for one in survey.hosts), *survey.catalogue.appliances)
    }
    _table([(check, "") for check in checks], rows)


def _title(survey: Survey, host: str) -> str:
    return f"{host} (no SSH)" if host in survey.catalogue.appliances else host


def _table(places: Sequence[Place], rows: Rows) -> None:
    """As many tables as it takes for none to be too wide."""
    first = max(map(len, rows)) + 2
    for part in _parts(places, line_width() - first):
        _part(first, places[part], {name: cells[part] for name, cells in rows.items()})


def _parts(places: Sequence[Place], room: int) -> Iterator[slice]:
    """Where to cut `places`, so that each part takes `room` columns at most."""
    begin = 0
    for end in range(1, len(places) + 1):
        if end - begin > 1 and sum(_widths(places[begin:end])) - 1 > room:
            yield slice(begin, end - 1)
            begin = end - 1
    yield slice(begin, len(places))


def _part(first: int, places: Sequence[Place], rows: Rows) -> None:
    widths = _widths(places)
    top, below, seen = " " * first, " " * first, set[str]()
    for (heading, column), width in zip(places, widths, strict=True):
        top += "" if heading in seen else f"{heading:<{_span(places, widths, heading)}}"
        below += f"{column[: width - 1]:<{width}}"
        seen.add(heading)
    for line in (top, below):
        if line.strip():
            out.print(Text(line.rstrip(), style="bold"))
    for name, cells in rows.items():
        row = Text(f"{name:<{first}}")
        for (said, style), width in zip(cells, widths, strict=True):
            row.append(f"{said:<{width}}", style=style)
        row.rstrip()
        out.print(row)
    out.print()


def _widths(places: Sequence[Place]) -> list[int]:
    """Of each column; the last below a heading makes room for the rest of the heading."""
    widths = [CELL] * len(places)
    for n, (heading, _) in enumerate(places):
        columns = sum(other == heading for other, _ in places)
        if n + 1 == len(places) or places[n + 1][0] != heading:
            widths[n] = max(CELL, len(heading) + 1 - CELL * (columns - 1))
    return widths


def _span(places: Sequence[Place], widths: Sequence[int], heading: str) -> int:
    return sum(w for (other, _), w in zip(places, widths, strict=True) if other == heading)


def _cell(findings: Sequence[Finding], *, lost: bool) -> tuple[str, str]:
    """The worst of a cell, and its style; what only follows from another hop is told apart."""
    found = worst(findings)
    if found is None:
        return word(None, lost=lost), STYLES[Status.UNREACHABLE] if lost else "dim"
    along = found.status is Status.FAILED and found.cause
    return word(found), "red" if along else STYLES[found.status]


def show_faults(faults: Sequence[Fault]) -> None:
    """One line a fault, worst first; folded."""
    for fault in faults:
        line = "\n".join(fold(" ".join(redact(fault_line(fault)).split()), rest="    "))
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


def show_undeployed(findings: Sequence[Finding]) -> None:
    """One line for all that is in the inventory and not deployed yet."""
    found = [finding for finding in findings if finding.status is Status.UNDEPLOYED]
    if found:
        about = tuple(dict.fromkeys(f.service or f.subject for f in found))
        line = f"NEW {_few(about)} – in the inventory and not deployed yet – {found[0].todo}"
        say(line, style=STYLES[Status.UNDEPLOYED])


def _few(words: Sequence[str]) -> str:
    return ", ".join(words) if len(words) <= 3 else f"{words[0]} and {len(words) - 1} more"


def show_summary(findings: Sequence[Finding], seconds: float) -> None:
    """How many checks ended how, and how long all took."""
    well = all(finding.status <= Status.SKIPPED for finding in findings)
    words = f"{len(findings)} checks in {seconds:.1f} s: {counts(findings)}"
    say(words, style="green" if well else "")


def counts(findings: Sequence[Finding]) -> str:
    """How many checks ended how."""
    roots = [finding for finding in findings if finding.cause is None]
    found = {status: sum(f.status is status for f in roots) for status in Status}
    told = [f"{count} {status.word}" for status, count in found.items() if count]
    if follow := len(findings) - len(roots):
        told.append(f"{follow} only follow from these")
    return ", ".join(told)
