"""Bring Cloudflare to what the catalogue says: records, Access, policies.

Looks by default: prints what would be done, key by key, and changes nothing.
--apply does it. Without an API token it lists what to set by hand.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from runbooks.flags import parser

EPILOG = """\
exit status: 0 all that was asked is true, 1 something failed or stands in the
way, 2 nothing was touched (usage or inventory). Without --apply, 0 also when
there is something to do.
"""


def flags() -> ArgumentParser:
    made = parser(__doc__ or "", epilog=EPILOG)
    made.add_argument("--apply", action="store_true", help="do it")
    made.add_argument(
        "--adopt", action="append", default=[], metavar="NAME",
        help="take over what somebody else made at this public name (repeatable)",
    )  # fmt: skip
    made.add_argument(
        "--release", action="append", default=[], metavar="NAME",
        help="take our mark off what is at this public name, and leave it (repeatable)",
    )  # fmt: skip
    made.add_argument(
        "--many", action="store_true", help="delete more than a third of what is ours"
    )
    made.add_argument("--json", action="store_true", help="print the plan as JSON")
    return made


if __name__ == "__main__":
    flags().parse_args()  # what ends here needs nothing of what follows

from inventory.errors import Exit, UsageError
from operations.outside import (
    Carried,
    Outlook,
    by_hand,
    carry_out,
    keep_audiences,
    look_outside,
    open_api,
    refuse_plan,
)
from outside.client import Api
from outside.plan import Plan, Step
from runbooks import deploy
from runbooks.cli import Session, err, main, open_session, out, tell, working
from runbooks.transaction.rollout import RolloutFailed

STYLES = {"create": "green", "delete": "red", "change": "yellow", "adopt": "yellow"}


def outside(arguments: Namespace) -> int:
    session = open_session(arguments)
    if arguments.host or arguments.role:
        raise UsageError("what is outside is there once for all hosts: no --host, no --role")
    if session.catalogue.site.cloudflare is None:
        return _by_hand(arguments, session)
    api, token = open_api(session.catalogue, say=lambda words: err.print(words, markup=False))
    with api:
        with working("looking at Cloudflare"):
            outlook = look_outside(
                api, token, session.catalogue, adopt=arguments.adopt, release=arguments.release
            )
        if arguments.json:
            print(json.dumps(as_json(outlook.plan), indent=2))
        else:
            show_plan(outlook.plan)
        if not arguments.apply:
            return Exit.FAILED if outlook.plan.problems else Exit.OK
        refuse_plan(outlook.plan, many=arguments.many)
        return _apply(api, session, outlook)


def _by_hand(arguments: Namespace, session: Session) -> int:
    if arguments.apply or arguments.adopt or arguments.release:
        open_api(session.catalogue)
    if arguments.json:
        print(json.dumps({"by_hand": list(by_hand(session.catalogue))}, indent=2))
        return Exit.OK
    out.print("no API token (data.cloudflare in inventory/defaults.yaml): to be set by hand")
    for name, words in by_hand(session.catalogue):
        tell(name, words)
    return Exit.OK


def _apply(api: Api, session: Session, outlook: Outlook) -> int:
    steps = list(outlook.plan.ready)
    after = [step for step in steps if not step.turn.is_before_hosts]
    late = _not_as_wanted(session) if after else ""
    if late:
        steps = [step for step in steps if step.turn.is_before_hosts]
        tell("later", f"{late}; a deploy goes on with: {', '.join(s.words for s in after)}")
    with working("changing Cloudflare") as say:
        carried = carry_out(api, outlook, steps, say)
    ended = end(session, carried)
    return Exit.FAILED if outlook.plan.conflicts or late else ended


def _not_as_wanted(session: Session) -> str:
    """Why the hosts' ingress is not as the catalogue says, or not known; "" where it is."""
    try:
        with working("looking at the ingress of every edge"):
            plans = deploy.look(session, deploy.render(session))
    except RolloutFailed as error:
        return f"the ingress could not be looked at ({error})"
    behind = [name for name, plan in plans.items() if plan.touches("cloudflared")]
    return f"the ingress of {', '.join(behind)} is not as the catalogue says" if behind else ""


def end(session: Session, carried: Carried) -> int:
    """Tell what was done, keep the AUD tags, and raise the error that ended it."""
    for step in carried.done:
        tell("done", step.words, style="green")
    written = keep_audiences(session.catalogue, carried.audiences)
    if written:
        tell("written", f"{written}: what every ingress has to demand; commit it, and deploy")
    if carried.error:
        raise carried.error
    return Exit.OK


# --- words -------------------------------------------------------------------------------


def show_plan(plan: Plan) -> None:
    """Every step key by key, what stands in the way, and what is to be known."""
    for step in plan.steps:
        _show_step(step)
    for conflict in plan.conflicts:
        tell(conflict.host, f"{conflict.words}: {conflict.todo}", style="bold red")
    for words in plan.problems:
        tell("error", words, style="bold red")
    for words in plan.notes:
        tell("note", words, style="yellow")
    if plan.is_done:
        out.print(f"nothing to do: Cloudflare is as the catalogue says ({plan.ours} objects)")


def _show_step(step: Step) -> None:
    tell(step.host, f"{step.action} {_thing(step)}", style=STYLES.get(step.action, ""))
    for change in step.changes:
        tell("", f"{change.key}: {change.old} → {change.new}")
    if step.waits:
        tell("", f"waits {step.waits}", style="dim")


def _thing(step: Step) -> str:
    if step.kind == "record":
        content = step.body.get("content") or step.told.get("content")
        return f"record CNAME {step.name} → {content}" if content else f"record {step.name}"
    return f"{step.kind} {step.name!r}"


def as_json(plan: Plan) -> dict[str, object]:
    """The plan as other programs read it: no object of Cloudflare's as a whole."""
    return {
        "steps": [_step_json(step) for step in plan.steps],
        "conflicts": [{**asdict(one), "todo": one.todo} for one in plan.conflicts],
        "problems": list(plan.problems),
        "notes": list(plan.notes),
        "ours": plan.ours,
    }


def _step_json(step: Step) -> dict[str, object]:
    keys: Iterable[str] = ("action", "kind", "host", "name", "id", "waits")
    changes = [asdict(change) for change in step.changes]
    return {**{key: getattr(step, key) for key in keys}, "changes": changes}


if __name__ == "__main__":
    main(outside, flags())
