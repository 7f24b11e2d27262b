"""Plans and their outcome, as an operator reads them."""

from collections.abc import Mapping

from rich.text import Text

from runbooks.cli import out
from runbooks.rollout import Rollout, Staged
from tasks.plan import FileChange, HostPlan

STYLES = {"+": "green", "-": "red", "@": "cyan"}


def show_plans(plans: Mapping[str, HostPlan]) -> None:
    """Every host's changes as diffs, drift first; then a line for each host."""
    for plan in plans.values():
        for change in plan.changes:
            _show_change(plan, change)
    for plan in plans.values():
        out.print(Text.assemble((f"{plan.host:<10}", "bold"), _summary(plan)))
        _show_notes(plan)


def show_done(rollout: Rollout, staged: Staged, plans: Mapping[str, HostPlan]) -> None:
    """What was activated where, and what no validator on the host has seen."""
    for host, config, tool in staged.unchecked:
        out.print(
            f"{host:<10}{config}: not validated on the host, {tool} is not installed there",
            style="yellow",
        )
    for host in rollout.committed:
        activated = ", ".join(rollout.activated.get(host, ())) or "nothing to activate"
        count = len(plans[host].changes)
        out.print(f"{host:<10}{count} file{'s'[: count != 1]} in place; activated: {activated}")
    out.print(f"release {rollout.run.id} (commit {rollout.run.commit}) is confirmed", style="green")


def _show_change(plan: HostPlan, change: FileChange) -> None:
    if change.drifted:
        out.print(Text(f"{plan.host}:{change.config.path} {change.drift}", style="yellow"))
    for line in change.diff(plan.host):
        style = "bold" if line.startswith(("+++", "---")) else STYLES.get(line[:1], "")
        out.print(Text(line, style=style))
    out.print()


def _summary(plan: HostPlan) -> str:
    current = plan.state.current
    runs = f"release {current.id} (commit {current.commit})" if current else "no release yet"
    if plan.changes:
        names = ", ".join(f"{c.config.name} ({c.kind})" for c in plan.changes)
        return f"{runs}; would change: {names}"
    if plan.records_commit:
        return f"{runs}; files as wanted, would record commit {plan.commit}"
    return f"{runs}; as wanted"


def _show_notes(plan: HostPlan) -> None:
    state = plan.state
    if state.lock and state.lock.until > state.now:
        out.print(f"{'':<10}{state.lock_words}", style="yellow")
    if state.pending:
        out.print(
            f"{'':<10}release {state.pending} is not confirmed; it goes back by itself at "
            f"{state.pending_until:%H:%M:%S} UTC",
            style="yellow",
        )
    for tool in sorted(state.missing_tools):
        out.print(
            f"{'':<10}{tool} is not installed: its config will not be validated there",
            style="yellow",
        )
    for path in plan.orphans:
        out.print(f"{'':<10}{path} is not managed any more and stays as it is", style="yellow")
