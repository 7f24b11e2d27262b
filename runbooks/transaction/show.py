"""Plans, their outcome, and the timers of the jobs, as an operator reads them."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime

from rich.table import Table
from rich.text import Text

from inventory.schedule import Schedule
from journal.answers import span_words
from runbooks.lines import out, say, tell, tell_table
from runbooks.transaction.gate import Gate, lines
from runbooks.transaction.rollout import Rollout
from tasks.checks.finding import Status
from tasks.doctor.host import in_words
from tasks.plan import FileChange, HostPlan
from tasks.timers import TimerState

STYLES = {"+": "green", "-": "red", "@": "cyan"}


def show_plans(plans: Mapping[str, HostPlan], *, diff: bool) -> None:
    """What each host would get, file by file; with `diff` every changed line behind it."""
    _summaries(plans)
    if diff:
        show_diffs((plan.host, change) for plan in plans.values() for change in plan.changes)


def show_diffs(changes: Iterable[tuple[str, FileChange]]) -> None:
    """Every changed line of each host's files: in a pager on a terminal."""
    os.environ.setdefault("LESS", "-RFX")  # colours, and no pager for what fits
    with out.pager(styles=True) if out.is_terminal else nullcontext():
        for host, change in changes:
            _show_change(host, change)


def _summaries(plans: Mapping[str, HostPlan]) -> None:
    for plan in plans.values():
        current = plan.state.current
        tell(plan.host, _summary(plan))
        for change in plan.changes:
            tell("", _file(change))
        for change in plan.drifted:
            tell("", f"{plan.host}:{change.config.path} {change.drift}", style="yellow")
        tell("", f"on release {current.id}, commit {current.commit}" if current else "no release")
        versions = [f"{tool} {v}" for tool, v in sorted(plan.state.tools.items()) if v]
        if versions:
            tell("", f"with {', '.join(versions)}", style="dim")
        for note in _notes(plan):
            tell("", note, style="yellow")
        for finding in plan.findings:
            if finding.status is Status.WARN:
                tell("", in_words(finding), style="bold red")


def _file(change: FileChange) -> str:
    """Its kind and path, how many lines come and go, and what is activated for it."""
    activation = change.config.activation
    what = change.extent
    return f"{change.kind} {change.config.path}{f' {what}' if what else ''}" + (
        f", activates {activation.name}" if activation else ""
    )


def show_done(rollout: Rollout, plans: Mapping[str, HostPlan]) -> None:
    """What was put in place and activated where."""
    for host, words in _done(rollout, plans):
        tell(host, words)
    if rollout.gate:
        show_outcomes(rollout.gate)
    run = rollout.run
    say(f"release {run.id} (commit {run.commit}) is confirmed", style="green")


def show_outcomes(gate: Gate) -> None:
    """What became of each service; those that are well as before are counted."""
    for service, words in lines(gate.told()):
        tell(service or "services", words)


def show_forebodings(gate: Gate) -> None:
    """What would be worse afterwards, as far as that can be seen now."""
    for words in gate.forebodings():
        tell("", words, style="bold red")


def done_words(rollout: Rollout, plans: Mapping[str, HostPlan]) -> str:
    """The same in a sentence."""
    done = [f"{host}: {words}" for host, words in _done(rollout, plans)]
    outcomes = lines(rollout.gate.told()) if rollout.gate else ()
    return "; ".join([*done, *(f"{service} {words}".strip() for service, words in outcomes)])


def _done(rollout: Rollout, plans: Mapping[str, HostPlan]) -> Iterator[tuple[str, str]]:
    for host in rollout.committed:
        count = len(plans[host].changes)
        activated = ", ".join(rollout.activated.get(host, ())) or "nothing"
        yield host, f"{count} file{'s'[: count != 1]} put in place; activated: {activated}"


def _show_change(host: str, change: FileChange) -> None:
    for line in change.diff(host):
        style = "bold" if line.startswith(("+++", "---")) else STYLES.get(line[:1], "")
        out.print(Text(line, style=style))
    out.print()


def _summary(plan: HostPlan) -> str:
    if plan.changes:
        count = len(plan.changes)
        return f"would change {count} file{'s'[: count != 1]}"
    if plan.records_commit:
        return f"as wanted; would record commit {plan.source.label}"
    return "as wanted"


def _notes(plan: HostPlan) -> Iterator[str]:
    state = plan.state
    if state.held:
        yield state.lock_words
    if state.pending:
        yield state.pending_words
    for path in plan.orphans:
        yield f"{path} is not managed any more and stays as it is"


def show_timers(schedule: Schedule, found: Mapping[str, Sequence[TimerState]]) -> None:
    """A line for each timer that is there, and what the inventory asks for."""
    table = Table("host", "job", "last", "next", "result", box=None, pad_edge=False)
    for host, states in found.items():
        for state in states:
            result = "running" if state.is_running else state.result if state.last else "-"
            table.add_row(host, state.job, _at(state.last), _at(state.next), result)
    if table.row_count:
        tell_table(table)
    else:
        say("no job runs by itself on any of these hosts", style="yellow")
    if not schedule.hosts:
        tell("schedule", "asks for no job: schedule.hosts in inventory/defaults.yaml is empty")
    for n, host in enumerate(schedule.hosts):
        jobs = ", ".join(_timing(schedule, job) for job in schedule.jobs_of(host)) or "NO JOB"
        after = f" once {schedule.elders_of(host)[-1]} is silent for " if n else ""
        patience = span_words(schedule.patience.total_seconds()) if n else ""
        tell(host, f"should run {jobs}{after}{patience}")


def _timing(schedule: Schedule, job: str) -> str:
    timing = schedule.jobs[job]
    if timing.every:
        return f"{job} every {span_words(timing.every.total_seconds())}"
    return f"{job} at {timing.at}"


def _at(moment: datetime | None) -> str:
    return f"{moment:%d %b %H:%M:%S} UTC" if moment else "-"
