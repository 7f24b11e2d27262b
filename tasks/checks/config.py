"""config: what each host runs against the inventory – drift, commits, locks, reverts."""

from collections import Counter
from collections.abc import Iterator

from tasks.checks import parts, pending
from tasks.checks.finding import Finding, Status
from tasks.checks.survey import Survey
from tasks.plan import FileChange, HostPlan

# The hop that a config file belongs to; any other is the host's own.
HOPS = {
    "caddy": "caddy",
    "caddy-program": "caddy",
    "caddy-unit": "caddy",
    "cloudflared": "tunnel",
    "cloudflared-credentials": "tunnel",
    "cloudflared-hosts": "tunnel",
    "cloudflared-unit": "tunnel",
    "replica": "tunnel",
    "replica-unit": "tunnel",
    "resolver": "dns",
    "lsyncd": "sync",
    "lsyncd-unit": "sync",
    "sync": "sync",
    "sync-table": "sync",
}


def judge(survey: Survey) -> Iterator[Finding]:
    plans = [survey.plans[h.name] for h in survey.hosts if h.name in survey.plans]
    usual = _usual_commit(plans)
    for plan in plans:
        if plan.state.unmounted:
            yield _unmounted(plan)
            continue
        for change in plan.files:
            if change.drifted or not change.is_nothing:
                yield _file(plan, change)
        yield _release(plan, usual)
        yield _at_work(plan)


def _file(plan: HostPlan, change: FileChange) -> Finding:
    status, seen = _state(change, plan.returned_from)
    mend = f"python runbooks/deploy.py --host {plan.host} shows the difference, --apply mends it"
    ahead = not change.drifted and change.kind != "odd"
    return Finding(
        check="config",
        subject=f"{change.config.path} on {plan.host}",
        vantage=plan.host,
        status=status,
        seen=seen,
        expected="as the last deploy left it",
        host=plan.host,
        hop=f"{HOPS.get(change.config.name, 'config')} {plan.host}",
        todo=pending.advice(plan) if ahead else mend,
        needs=(parts.host(plan.host),),
    )


def _state(change: FileChange, returned_from: str) -> tuple[Status, str]:
    if change.kind == "odd":
        return Status.FAILED, "is a link, a folder or a device"
    if change.drifted:
        return Status.FAILED, change.drift
    if change.kind != "same" and returned_from:
        return Status.WARN, f"rolled back, and the inventory still is at commit {returned_from}"
    if change.kind == "new":
        return Status.UNDEPLOYED, "was never deployed"
    if change.kind in ("changed", "removed"):
        return Status.UNDEPLOYED, "the inventory has moved on since the last deploy"
    return Status.OK, "as deployed"


def _unmounted(plan: HostPlan) -> Finding:
    """Nothing else can be told of such a host's files: they are below what is missing."""
    return Finding(
        check="config",
        subject=f"files on {plan.host}",
        vantage=plan.host,
        status=Status.FAILED,
        seen=f"{', '.join(plan.state.unmounted)} is not mounted",
        expected="what our files lie below is mounted",
        host=plan.host,
        hop=f"config {plan.host}",
        todo=f"mount it on {plan.host} (on Unraid: start the array)",
        needs=(parts.host(plan.host),),
    )


def _release(plan: HostPlan, usual: str | None) -> Finding:
    current, left = plan.state.current, plan.returned_from
    same = current is not None and current.commit == usual
    return Finding(
        check="config",
        subject=f"release on {plan.host}",
        vantage=plan.host,
        status=Status.OK if same else Status.WARN if current else Status.FAILED,
        seen=f"commit {current.commit}" if current else "no release",
        expected=f"commit {usual}, as the other hosts" if usual else "a release",
        host=plan.host,
        hop=f"config {plan.host}",
        todo=pending.advice(plan) if left else "python runbooks/deploy.py --apply",
        needs=(parts.host(plan.host),),
    )


def _usual_commit(plans: list[HostPlan]) -> str | None:
    """The commit that most hosts run; of two, the one deployed last."""
    releases = [plan.state.current for plan in plans if plan.state.current]
    counts = Counter(release.commit for release in releases)
    latest = {release.commit: release.id for release in sorted(releases, key=lambda r: r.id)}
    return max(counts, key=lambda commit: (counts[commit], latest[commit]), default=None)


def _at_work(plan: HostPlan) -> Finding:
    seen = _work(plan)
    return Finding(
        check="config",
        subject=f"deploys on {plan.host}",
        vantage=plan.host,
        status=Status.WARN if seen else Status.OK,
        seen=seen or "none at work",
        expected="no lock, no release that is not confirmed",
        host=plan.host,
        hop=f"config {plan.host}",
        todo="wait for the deploy; python runbooks/deploy.py --break-lock if it is gone",
        needs=(parts.host(plan.host),),
    )


def _work(plan: HostPlan) -> str:
    state = plan.state
    if state.pending:
        until = f"{state.pending_until:%H:%M:%S} UTC" if state.pending_until else "soon"
        return f"release {state.pending} is not confirmed and goes back at {until}"
    if state.lock is None:
        return ""
    stale = "" if state.held else " (its time is over)"
    return f"{state.lock_words}{stale}"
