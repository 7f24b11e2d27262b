"""Take twinedge off a host that leaves the site, and let the others forget it.

Looks by default: tells what stops, what goes and what remains. --apply acts.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from runbooks.flags import parser

EPILOG = """\
exit status: 0 all that was asked is true, 1 something failed and is left as
far as it got (run the same again), 2 nothing was touched (usage or
inventory).
"""


def flags() -> ArgumentParser:
    made = parser(__doc__ or "", epilog=EPILOG)
    made.add_argument("name", metavar="HOST", help="which; also one that is not in the YAML now")
    made.add_argument("--apply", action="store_true", help="do it")
    made.add_argument(
        "--lost", action="store_true", help="it cannot be reached: only the others forget it"
    )
    made.set_defaults(window=120, keep=10, break_lock=False)
    return made


if __name__ == "__main__":
    flags().parse_args()  # what ends here needs nothing of what follows

from nornir.core.inventory import Host as NornirHost

from inventory.catalogue import Host
from inventory.errors import Exit, UsageError
from operations.retire import find, forget, leave, look, refuse_needed, revocations
from runbooks.cli import Session, main, open_session, out, tell, working
from runbooks.remember import remembered
from runbooks.transaction import begin
from tasks.release import Run
from tasks.retire import Leaving
from tasks.ssh.options import settle


def retire(arguments: Namespace) -> int:
    session = open_session(arguments)
    if arguments.host or arguments.role:
        raise UsageError("a host is forgotten by all of the others: no --host, no --role")
    refuse_needed(session.catalogue, arguments.name)
    with working("looking"):
        gone = find(session, arguments.name)
    if gone is None:
        known = ", ".join(session.catalogue.hosts)
        out.print(f"no host of this site knows {arguments.name!r} (hosts: {known}): nothing to do")
        return Exit.OK
    run = begin.new_run(arguments, session.catalogue, "retired")
    whole = _with(session, gone)
    if arguments.lost:
        _list("revoke", tuple(revocations(whole.catalogue, gone)))
    else:
        _tell(gone, look(whole, gone, run))
    if not arguments.apply:
        flag = " --lost" if arguments.lost else ""
        tell("to apply", f"python runbooks/retire.py {gone.name}{flag} --apply")
        return Exit.OK
    _apply(arguments, whole, gone, run)
    if gone.name in session.catalogue.hosts:
        tell("next", f"take {gone.name} out of the YAML: the next deploy would bring it back")
    tell("next", "python runbooks/deploy.py: the others' configs still name it")
    return Exit.OK


def _apply(arguments: Namespace, session: Session, gone: Host, run: Run) -> None:
    with remembered(session, "retire", run.id) as record:
        if not arguments.lost:
            record.step(f"taking twinedge off {gone.name}")
            leave(session, gone, run)
        record.step("letting the others forget it")
        forgotten = forget(session, gone)
        record.conclude(Exit.OK, f"{gone.name} is no host of this site any more")
    for host, known in forgotten.items():
        tell(host, f"has forgotten {gone.name}{f': {known}' if known else ''}")
    out.print(f"{gone.name} is retired", style="green")


def _with(session: Session, gone: Host) -> Session:
    """The session, in which `gone` can be logged in to as well."""
    if gone.name in session.catalogue.hosts:
        return session
    known = session.nornir.inventory.hosts
    like = next(iter(known.values()))
    known[gone.name] = NornirHost(
        name=gone.name, hostname=str(gone.address), groups=like.groups, defaults=like.defaults
    )
    catalogue = replace(session.catalogue, hosts={**session.catalogue.hosts, gone.name: gone})
    settle(session.nornir.inventory, catalogue)
    return replace(session, catalogue=catalogue)


def _tell(gone: Host, found: Leaving) -> None:
    _list("stops", found.stops)
    _list("goes", found.goes)
    _list("remains", found.remains)
    if not found.goes and not found.stops:
        tell(gone.name, "has nothing of twinedge's")


def _list(label: str, lines: Sequence[str]) -> None:
    for n, line in enumerate(lines):
        tell(label if n == 0 else "", line)


if __name__ == "__main__":
    main(retire, flags())
