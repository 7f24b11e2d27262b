"""The two-way sync: how it goes, whether it works, what lost a conflict.

status      each direction: last transfer, lag, queue, errors
verify      sends a file each way, times it, and compares both trees
conflicts   lists what lost; --id shows one's difference, --choose settles it
repair      lists what differs; --apply --rule brings both sides together

Nothing is ever lost: what is replaced is kept on its host.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from runbooks.flags import parser

VERBS = ("status", "verify", "conflicts", "repair")
EPILOG = """\
exit status: 0 all that was asked is true, 1 something failed or is not well,
2 nothing was touched (usage or inventory).
"""


def flags() -> ArgumentParser:
    made = parser(__doc__ or "", epilog=EPILOG)
    made.add_argument("what", choices=VERBS)
    made.add_argument(
        "--sync", action="append", default=[], metavar="NAME", help="only this one (repeatable)"
    )
    made.add_argument("--json", action="store_true", help="as JSON on standard output")
    settling = made.add_argument_group("conflicts")
    settling.add_argument("--id", metavar="STAMP", help="show this one's difference")
    settling.add_argument(
        "--choose",
        choices=("kept", "current"),
        help="settle it: what was kept goes back into the tree, or what is there stays",
    )
    joining = made.add_argument_group("repair")
    joining.add_argument("--rule", metavar="newer|HOST", help="who wins where the sides differ")
    joining.add_argument("--apply", action="store_true", help="do it")
    return made


if __name__ == "__main__":
    flags().parse_args()  # what ends here needs nothing of what follows

from inventory.catalogue import Sync
from inventory.errors import Exit, UsageError
from inventory.schema import SCHEMA
from runbooks.cli import Session, main, open_session, refuse_unknown
from runbooks.lines import out
from runbooks.twoway.canary import verify
from runbooks.twoway.conflicts import conflicts
from runbooks.twoway.repair import repair
from runbooks.twoway.sides import Answer
from runbooks.twoway.standing import status

FLAGS_OF = {"conflicts": ("id", "choose"), "repair": ("rule", "apply")}


def sync(arguments: Namespace) -> int:
    refuse_usage(arguments)
    out.stderr = arguments.json  # standard output is the JSON's alone
    session = open_session(arguments)
    answers = answer(arguments, session, chosen(arguments, session))
    if arguments.json:
        print(json.dumps([{"schema": SCHEMA} | each.as_json() for each in answers], indent=1))
    return Exit.OK if all(each.ok for each in answers) else Exit.FAILED


def refuse_usage(arguments: Namespace) -> None:
    """Flags that mean nothing here. Raises UsageError."""
    if arguments.host or arguments.role:
        raise UsageError("a sync needs both of its hosts; --sync NAME chooses one")
    for verb, names in FLAGS_OF.items():
        given = [f"--{name}" for name in names if getattr(arguments, name)]
        if given and verb != arguments.what:
            raise UsageError(f"{', '.join(given)}: of {verb} only, not of {arguments.what}")
    if arguments.choose and not arguments.id:
        raise UsageError("--choose needs --id STAMP: which conflict?")


def chosen(arguments: Namespace, session: Session) -> Sequence[Sync]:
    known = session.catalogue.syncs
    refuse_unknown("sync", arguments.sync, known)
    if not known:
        raise UsageError("the inventory has no sync")
    return [one for name, one in known.items() if name in (arguments.sync or known)]


def answer(arguments: Namespace, session: Session, syncs: Sequence[Sync]) -> list[Answer]:
    if arguments.what == "status":
        return status(session, syncs)
    if arguments.what == "verify":
        return verify(session, syncs)
    if arguments.what == "conflicts":
        return conflicts(session, syncs, stamp=arguments.id, choose=arguments.choose)
    return repair(session, syncs, rule=arguments.rule, apply=arguments.apply)


if __name__ == "__main__":
    main(sync, flags())
