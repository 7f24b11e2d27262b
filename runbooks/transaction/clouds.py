"""Cloudflare's part of a run: shown with the hosts' plan, done around their transaction.

What comes is guarded before any ingress leads to it, and led to after every one demands its
application; what goes is led nowhere before its ingress goes, and unguarded after.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from inventory.catalogue import Catalogue
from inventory.errors import Exit
from operations.outside import (
    Carried,
    carry_out,
    keep_audiences,
    look_outside,
    open_api,
    refuse_plan,
)
from outside.client import Api, CloudError
from outside.plan import Outlook, Plan, Step
from runbooks.cli import Session, working
from runbooks.lines import err, say, tell
from runbooks.remember import remembered
from tasks.plan import HostPlan

STYLES = {"create": "green", "delete": "red", "change": "yellow", "adopt": "yellow"}


@dataclass(frozen=True, kw_only=True)
class Sky:
    """What a deploy has seen of Cloudflare: an outlook, or why there is none."""

    outlook: Outlook | None = None
    trouble: str = ""

    @property
    def plan(self) -> Plan:
        return self.outlook.plan if self.outlook else Plan()

    @property
    def troubles(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.trouble, *self.plan.problems)))


def beside(session: Session, *, alone: bool) -> Sky:
    """What a deploy shows of Cloudflare. With hosts `alone`, and without a token: nothing."""
    if session.catalogue.site.cloudflare is None:
        if session.catalogue.public_services:
            tell("cloudflare", "set by hand: python runbooks/outside.py lists what", style="dim")
        return Sky()
    if alone:
        tell("cloudflare", "left alone: only hosts were asked for", style="yellow")
        return Sky()
    try:
        with opened(session.catalogue) as (api, token), working("looking at Cloudflare"):
            outlook = look_outside(api, token, session.catalogue)
    except CloudError as error:
        sky = Sky(trouble=f"could not be looked at: {error}")
        tell("cloudflare", sky.trouble, style="bold red")
        return sky
    show(outlook)
    return Sky(outlook=outlook)


def refuse(sky: Sky, plans: Mapping[str, HostPlan], *, many: bool) -> None:
    """Raise CloudError where ingresses would change and Cloudflare cannot follow; UsageError
    where too much would be deleted.
    """
    if sky.troubles:
        if any(plan.touches("cloudflared") for plan in plans.values()):
            raise CloudError(
                "\n".join(sky.troubles) + "\nthe ingress changes, and Cloudflare cannot follow: "
                "nothing was changed; --hosts-alone brings the hosts there nevertheless"
            )
    elif sky.outlook:
        refuse_plan(sky.plan, many=many)


def before(session: Session, sky: Sky) -> None:
    """What comes before the hosts. Raises CloudError where they have to wait."""
    written = _done(session, sky, [s for s in _ready(sky) if s.turn.is_before_hosts])
    if written:
        raise CloudError(
            f"{written} has what every ingress has to demand now: commit it, and deploy again. "
            "No host was changed"
        )


def after(session: Session, sky: Sky) -> int:
    """What comes behind the hosts. Raises CloudError."""
    _done(session, sky, [s for s in _ready(sky) if not s.turn.is_before_hosts])
    return Exit.FAILED if sky.troubles or sky.plan.conflicts else Exit.OK


def _ready(sky: Sky) -> Collection[Step]:
    return () if sky.troubles else sky.plan.ready


def _done(session: Session, sky: Sky, steps: Collection[Step]) -> str | None:
    if not sky.outlook or sky.troubles:
        return None
    with opened(session.catalogue) as (api, _):
        return do(session, api, sky.outlook, steps)


@contextmanager
def opened(catalogue: Catalogue) -> Iterator[tuple[Api, str]]:
    """The API and its token, closed at the end. Raises UsageError or InventoryError."""
    api, token = open_api(catalogue, say=lambda words: say(words, to=err))
    with api:
        yield api, token


def do(session: Session, api: Api, outlook: Outlook, steps: Collection[Step]) -> str | None:
    """Do `steps`, and remember them; gives the file of AUD tags where it changed.

    Raises the CloudError that ended it, once what was done is told and kept.
    """
    if not steps:
        return _kept(session, Carried(done=(), error=None, audiences=outlook.plan.audiences))
    with (
        working("changing Cloudflare") as show,
        remembered(session, "outside", show=show) as record,
    ):
        carried = carry_out(api, outlook, steps, record.step)
        written = _kept(session, carried)
        for step in carried.done:
            tell("done", step.words, style="green")
        if carried.error:
            raise carried.error
        record.conclude(Exit.OK, "; ".join(step.words for step in carried.done))
    return written


def _kept(session: Session, carried: Carried) -> str | None:
    written = keep_audiences(session.catalogue, carried.audiences)
    if written:
        tell("written", f"{written}: what every ingress has to demand; commit it, and deploy")
    return written


# --- words -------------------------------------------------------------------------------


def show(outlook: Outlook) -> None:
    """Every step key by key, what stands in the way, and what is to be known."""
    plan = outlook.plan
    for step in plan.steps:
        _show_step(step, outlook.who.get(step.id, ""))
    if outlook.nobody:
        tell("note", outlook.nobody, style="yellow")
    for conflict in plan.conflicts:
        tell(conflict.host, f"{conflict.words}: {conflict.todo}", style="bold red")
    for words in plan.problems:
        tell("error", words, style="bold red")
    for words in plan.notes:
        tell("note", words, style="yellow")
    if plan.is_done:
        tell("cloudflare", f"as wanted: {plan.ours} objects of ours")


def _show_step(step: Step, who: str) -> None:
    tell(step.host, f"{step.action} {_thing(step)}", style=STYLES.get(step.action, ""))
    for change in step.changes:
        tell("", f"{change.key}: {change.old} → {change.new}")
    if who:
        tell("", f"last changed by {who}", style="dim")
    if step.waits:
        tell("", f"waits {step.waits}", style="dim")


def _thing(step: Step) -> str:
    if step.kind == "record":
        content = step.body.get("content") or step.told.get("content")
        return f"record CNAME {step.name} → {content}" if content else f"record {step.name}"
    return f"{step.kind} {step.name!r}"
