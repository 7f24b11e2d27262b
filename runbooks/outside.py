"""Bring Cloudflare and Tailscale to what the catalogue says: records, Access,
policies, split DNS.

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
from inventory.schema import SCHEMA
from operations.outside import by_hand, look_outside, open_api, refuse_plan
from operations.tailnet import carry_split_dns, look_split_dns
from outside.client import Api
from outside.plan import Outlook, Step
from outside.tailscale import SplitDns
from runbooks import deploy
from runbooks.cli import Session, main, open_session, working
from runbooks.lines import say, tell, tell_how_to_apply
from runbooks.remember import remembered
from runbooks.transaction import clouds
from runbooks.transaction.rollout import RolloutFailed


def outside(arguments: Namespace) -> int:
    session = open_session(arguments)
    if arguments.host or arguments.role:
        raise UsageError("what is outside is there once for all hosts: no --host, no --role")
    site = session.catalogue.site
    split = None
    if site.tailscale:
        with working("looking at Tailscale"):
            split = look_split_dns(session.catalogue)
    elif site.cloudflare is None and (arguments.apply or arguments.adopt or arguments.release):
        open_api(session.catalogue)
    part = _cloudflare if site.cloudflare else _by_hand
    status = part(arguments, session, split)
    return (_tailnet(arguments, session, split) if split else Exit.OK) or status


def _cloudflare(arguments: Namespace, session: Session, split: SplitDns | None) -> int:
    names = [name for name in arguments.adopt if not split or name != split.domain]
    with clouds.opened(session.catalogue) as (api, token):
        with working("looking at Cloudflare"):
            outlook = look_outside(
                api, token, session.catalogue, adopt=names, release=arguments.release
            )
        if arguments.json:
            print(json.dumps(as_json(outlook) | _split_json(split), indent=2))
        else:
            clouds.show(outlook)
            if outlook.plan.ready and not arguments.apply and (split is None or split.is_done):
                tell_how_to_apply()
        if not arguments.apply:
            return Exit.FAILED if outlook.plan.problems else Exit.OK
        refuse_plan(outlook.plan, many=arguments.many)
        return _apply(api, session, outlook)


def _by_hand(arguments: Namespace, session: Session, split: SplitDns | None) -> int:
    listed = list(by_hand(session.catalogue))
    if arguments.json:
        told = {"schema": SCHEMA, "by_hand": listed}
        print(json.dumps(told | _split_json(split), indent=2))
        return Exit.OK
    say("no API token (data.cloudflare in inventory/defaults.yaml): to be set by hand")
    for name, words in listed:
        tell(name, words)
    return Exit.OK


def _tailnet(arguments: Namespace, session: Session, split: SplitDns) -> int:
    """Split DNS, which leads to the resolvers: after all that they are to answer."""
    if split.is_done:
        _say(arguments, f"split DNS of {split.domain} as wanted: {', '.join(sorted(split.wanted))}")
        return Exit.OK
    _say(arguments, split.words)
    if split.strangers and split.domain not in arguments.adopt:
        strangers = ", ".join(sorted(split.strangers))
        todo = f"python runbooks/outside.py --adopt {split.domain} --apply replaces it"
        _say(arguments, f"{strangers} is no host of ours: {todo}", style="bold red")
        return Exit.FAILED if arguments.apply else Exit.OK
    if arguments.apply:
        with working("changing Tailscale"), remembered(session, "outside") as record:
            carry_split_dns(session.catalogue, split)
            record.conclude(Exit.OK, split.words)
        _say(arguments, split.words, style="green", label="done")
    elif not arguments.json:
        tell_how_to_apply()
    return Exit.OK


def _say(arguments: Namespace, words: str, *, style: str = "", label: str = "tailscale") -> None:
    if not arguments.json:
        tell(label, words, style=style)


def _apply(api: Api, session: Session, outlook: Outlook) -> int:
    steps = list(outlook.plan.ready)
    after = [step for step in steps if not step.turn.is_before_hosts]
    late = _not_as_wanted(session) if after else ""
    if late:
        steps = [step for step in steps if step.turn.is_before_hosts]
        tell("later", f"{late}; a deploy goes on with: {', '.join(s.words for s in after)}")
    clouds.do(session, api, outlook, steps)
    return Exit.FAILED if outlook.plan.conflicts or late else Exit.OK


def _not_as_wanted(session: Session) -> str:
    """Why the hosts' ingress is not as the catalogue says, or not known; "" where it is."""
    try:
        with working("looking at the ingress of every edge"):
            plans = deploy.look(session, deploy.render(session))
    except RolloutFailed as error:
        return f"the ingress could not be looked at ({error})"
    behind = [name for name, plan in plans.items() if plan.touches("cloudflared")]
    return f"the ingress of {', '.join(behind)} is not as the catalogue says" if behind else ""


def as_json(outlook: Outlook) -> dict[str, object]:
    """The plan as other programs read it: no object of Cloudflare's as a whole."""
    plan = outlook.plan
    return {
        "schema": SCHEMA,
        "steps": [_step_json(step, outlook.who.get(step.id)) for step in plan.steps],
        "conflicts": [{**asdict(one), "todo": one.todo} for one in plan.conflicts],
        "problems": list(plan.problems),
        "notes": list(plan.notes),
        "ours": plan.ours,
    }


def _split_json(split: SplitDns | None) -> dict[str, object]:
    if split is None:
        return {}
    named = {key: sorted(getattr(split, key)) for key in ("there", "wanted", "strangers")}
    return {"split_dns": {"domain": split.domain, **named}}


def _step_json(step: Step, who: str | None) -> dict[str, object]:
    keys: Iterable[str] = ("action", "kind", "host", "name", "id", "waits")
    changes = [asdict(change) for change in step.changes]
    return {**{key: getattr(step, key) for key in keys}, "changes": changes, "changed_by": who}


if __name__ == "__main__":
    main(outside, flags())
