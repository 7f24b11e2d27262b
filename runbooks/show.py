"""Plans and their outcome, as an operator reads them."""

from collections.abc import Iterator, Mapping

from rich.text import Text

from runbooks.cli import out, tell
from runbooks.rollout import Rollout
from tasks.plan import FileChange, HostPlan

STYLES = {"+": "green", "-": "red", "@": "cyan"}


def show_plans(plans: Mapping[str, HostPlan]) -> None:
    """Every host's changes as diffs, drift first; then a line for each host."""
    for plan in plans.values():
        for change in plan.changes:
            _show_change(plan, change)
    for plan in plans.values():
        current = plan.state.current
        tell(plan.host, _summary(plan))
        tell("", f"on release {current.id}, commit {current.commit}" if current else "no release")
        versions = [f"{tool} {v}" for tool, v in sorted(plan.state.tools.items()) if v]
        if versions:
            tell("", f"with {', '.join(versions)}", style="dim")
        for note in _notes(plan):
            tell("", note, style="yellow")


def show_done(rollout: Rollout, plans: Mapping[str, HostPlan]) -> None:
    """What was put in place and activated where."""
    for host, words in _done(rollout, plans):
        tell(host, words)
    run = rollout.run
    out.print(f"release {run.id} (commit {run.commit}) is confirmed", style="green")


def done_words(rollout: Rollout, plans: Mapping[str, HostPlan]) -> str:
    """The same in a sentence."""
    return "; ".join(f"{host}: {words}" for host, words in _done(rollout, plans))


def _done(rollout: Rollout, plans: Mapping[str, HostPlan]) -> Iterator[tuple[str, str]]:
    for host in rollout.committed:
        count = len(plans[host].changes)
        activated = ", ".join(rollout.activated.get(host, ())) or "nothing"
        yield host, f"{count} file{'s'[: count != 1]} put in place; activated: {activated}"


def _show_change(plan: HostPlan, change: FileChange) -> None:
    if change.drifted:
        out.print(f"{plan.host}:{change.config.path} {change.drift}", style="yellow", markup=False)
    for line in change.diff(plan.host):
        style = "bold" if line.startswith(("+++", "---")) else STYLES.get(line[:1], "")
        out.print(Text(line, style=style))
    out.print()


def _summary(plan: HostPlan) -> str:
    if plan.changes:
        names = ", ".join(f"{c.config.name} ({c.kind})" for c in plan.changes)
        return f"would change: {names}"
    if plan.records_commit:
        return f"as wanted; would record commit {plan.commit}"
    return "as wanted"


def _notes(plan: HostPlan) -> Iterator[str]:
    state = plan.state
    if state.held:
        yield state.lock_words
    if state.pending:
        yield state.pending_words
    for tool in sorted(tool for tool, version in state.tools.items() if version is None):
        yield f"{tool} is not installed: no validation of its config there"
    for path in plan.orphans:
        yield f"{path} is not managed any more and stays as it is"
