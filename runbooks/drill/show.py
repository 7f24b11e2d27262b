"""Drills as an operator reads them: the plan, the events, the numbers."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from inventory.catalogue import Budget
from runbooks.drill.readiness import Readiness
from runbooks.drill.ready import Plan
from runbooks.lines import err, say, tell, tell_command, tell_table
from tasks.drill.outage import Verdict
from tasks.drill.preflight import Objection
from tasks.drill.result import DrillResult
from tasks.drill.websocket import EACH


def show_plan(plan: Plan, objections: Sequence[Objection]) -> None:
    """What would run where, and what speaks against it."""
    fault, question = plan.fault, plan.load.question
    say(f"{fault.title(plan.service.name)}, {plan.hold:g} s long", style="bold")
    for line in fault.inject:
        _command("breaks", f"{fault.host}$ {line}")
    for line in fault.undo:
        _command("restores", f"{fault.host}$ {line}")
    _row("armed", f"{fault.host} restores by itself {plan.run.window} s after the fault")
    seen_from = ", ".join(v.name for v in plan.load.vantages)
    posts = f", every third a POST {question.echo}" if question.echo else ""
    _row("load", f"{question.rate:g}/s GET {question.path}{posts}, seen from {seen_from}")
    if sockets := plan.load.sockets:
        through = ", ".join(v.name for v in sockets.vantages)
        _row("holds", f"{EACH} websockets at {sockets.path} through each of {through}")
    for name, why in plan.unseen.items():
        _row("not seen", f"{name}: {why}")
    _row("budget", budget_words(plan.service.limits))
    for objection in objections:
        _row("not ready", str(objection), style="red")
    if not objections:
        _row("ready", "", style="green")


def _row(label: str, words: str, *, style: str = "") -> None:
    tell(f"  {label}", words, style=style, columns=13)


def _command(label: str, line: str) -> None:
    tell_command(f"  {label}", line, width=13)


def budget_words(budget: Budget) -> str:
    return (
        f"{budget.lost} lost GETs, none slower than {budget.slowest:g} s, fallback within "
        f"{budget.failover:g} s, back within {budget.failback:g} s, {budget.flaps} flaps"
    )


def say_event(words: str) -> None:
    say(f"{time.strftime('%H:%M:%S')}  {words}", to=err)


def show_result(result: DrillResult, report: Path) -> None:
    """A table, vantages across, a line of the budget each; then the verdict."""
    if not result.spoiled:
        _show_verdicts(result)
    style = "green" if result.kept else "bold red"
    say(f"{result.fault.title(result.service)}: {result.words}", style=style)
    say(f"the picture: {report}")


def _show_verdicts(result: DrillResult) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for name in result.verdicts:
        table.add_column(name, justify="right")
    table.add_column("budget", justify="right")
    lines = list(dict.fromkeys(v.what for found in result.verdicts.values() for v in found))
    for what in lines:
        cells = [{v.what: v for v in found}.get(what) for found in result.verdicts.values()]
        allowed = next(cell.allowed for cell in cells if cell)
        table.add_row(what, *map(_cell, cells), allowed)
    table.add_row("requests", *(str(outage.asked) for outage in result.outages), "")
    table.add_row("lost POSTs", *(str(outage.lost_writes) for outage in result.outages), "")
    for line, cells_of in result.websocket_lines:
        table.add_row(line, *cells_of, "")
    tell_table(table)


def _cell(verdict: Verdict | None) -> Text:
    if verdict is None:
        return Text("-", style="dim")
    return Text(verdict.seen, style="" if verdict.kept else "bold red")


def show_readiness(found: Sequence[Readiness]) -> None:
    """A line for each service; below it what would keep it from failing over, or is late."""
    for each in found:
        verdict = (
            "from " + " to ".join(each.service.placements) if each.is_ready else "NOT as promised"
        )
        style = "green" if each.is_ready else "red"
        say(f"{each.service.name}: would fail over {verdict}", style=style)
        for finding in (*each.breaks, *each.late):
            tell("", f"{finding.subject}: {finding.seen}, expected {finding.expected}")
            tell("", f"→ {finding.todo}" if finding.todo else "")
