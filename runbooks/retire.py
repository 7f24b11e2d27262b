"""Take twinedge off a host that leaves the site, and let the others forget it.

Looks by default: tells what stops, what goes and what remains. --apply acts.
Of a service it tells what a deploy takes away once the YAML has it no more.
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
    made.add_argument("name", metavar="HOST|SERVICE", help="also one that the YAML has no more")
    made.add_argument(
        "--as", dest="kind", choices=("host", "service"), help="where both have the name"
    )
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
from operations.parting import Parting, part
from operations.retire import find, forget, leave, look, refuse_needed, revocations
from runbooks.cli import Session, main, open_session, working
from runbooks.lines import say, tell, tell_how_to_apply
from runbooks.remember import remembered
from runbooks.transaction import begin
from tasks.release import Run
from tasks.retire import Leaving
from tasks.ssh.options import settle


def retire(arguments: Namespace) -> int:
    session = open_session(arguments)
    if arguments.host or arguments.role:
        raise UsageError("a host is forgotten by all of the others: no --host, no --role")
    with working("looking"):
        gone = None if arguments.kind == "service" else find(session, arguments.name)
        if gone and arguments.kind is None and gone.name in session.catalogue.services:
            raise UsageError(f"{gone.name} is a host and a service: --as host, or --as service")
        parting = None if gone or arguments.kind == "host" else part(session, arguments.name)
    if parting:
        return _service(arguments, parting)
    if gone is None:
        known = ", ".join(session.catalogue.hosts)
        say(f"no host of this site knows {arguments.name!r} (hosts: {known}): nothing to do")
        return Exit.OK
    return _host(arguments, session, gone)


def _service(arguments: Namespace, parting: Parting) -> int:
    if arguments.apply or arguments.lost:
        raise UsageError(
            f"{parting.name} is a service, and the YAML is yours: what is not in it goes with "
            "python runbooks/deploy.py --apply. Without a flag this tells what that is"
        )
    for host, words in parting.goes.items():
        _list(host, words)
    if not parting.goes:
        tell(parting.name, "is deployed nowhere")
    _list("needed", parting.needs)
    _list("remains", parting.remains)
    if parting.known:
        also = ", and mend what needs it" if parting.needs else ""
        tell("next", f"take services.{parting.name} out of the YAML{also}")
    tell("next", "python runbooks/deploy.py shows what goes, and --apply takes it away")
    return Exit.OK


def _host(arguments: Namespace, session: Session, gone: Host) -> int:
    refuse_needed(session.catalogue, gone.name)
    run = begin.new_run(arguments, session.catalogue, "retired")
    whole = _with(session, gone)
    if arguments.lost:
        _list("revoke", tuple(revocations(whole.catalogue, gone)))
    else:
        _tell(gone, look(whole, gone, run))
    if not arguments.apply:
        tell_how_to_apply()
        return Exit.OK
    _apply(arguments, whole, gone, run)
    if gone.name in session.catalogue.hosts:
        tell("next", f"take {gone.name} out of the YAML: the next deploy would bring it back")
    tell("next", "python runbooks/deploy.py: the others' configs still name it")
    if gone.tailnet:
        tell("", f"python runbooks/outside.py: split DNS may still lead to {gone.address}")
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
    say(f"{gone.name} is retired", style="green")


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
