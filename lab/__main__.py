"""The lab's command line: up, down, status, exec and fault."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from lab.api import Lab
from lab.errors import LabError, UsageError
from lab.fault_kinds import listed
from lab.options import Options, site_file
from lab.requirements import check


def main(argv: Sequence[str]) -> int:
    """Exit status 0: done; 1: it could not be done; 2: there is no such thing to do."""
    asked = _parser().parse_args(argv)
    lab = Lab.for_checkout()
    try:
        check(lab.state)
        return int(asked.act(lab, asked))
    except UsageError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 130


def up(lab: Lab, asked: argparse.Namespace) -> int:
    from rich.console import Console  # not at the top: `exec` must start at once

    options = Options.asked(
        lab.state,
        site=site_file(asked.site) if asked.site else None,
        distribution=asked.distribution,
        package=asked.package,
        manager=asked.manager,
    )
    console = Console(stderr=True, highlight=False)
    with console.status("looking") as status:

        def say(text: str) -> None:
            status.update(text)
            if not console.is_terminal:
                console.print(f"lab: {text}")

        lab.up(say, options)
    print(f"lab {lab.state.id} is up: {', '.join(lab.machines)}")
    return 0


def down(lab: Lab, asked: argparse.Namespace) -> int:
    lab.down(purge=asked.purge)
    print(f"lab {lab.state.id} is down")
    return 0


def status(lab: Lab, _: argparse.Namespace) -> int:
    from rich.console import Console

    from lab.status import show

    return 0 if show(lab, Console()) else 1


def execute(lab: Lab, asked: argparse.Namespace) -> int:
    words = asked.words[1:] if asked.words[:1] == ["--"] else asked.words
    if not words:
        raise UsageError("which command? `python -m lab exec HOST -- COMMAND...`")
    here = Path.cwd()
    folder = here if here.is_relative_to(lab.state.checkout) else lab.state.checkout
    command = lab.command(asked.host, words, folder=folder)
    os.execve(command[0], command, lab.environment)


def start_fault(lab: Lab, asked: argparse.Namespace) -> int:
    options = {
        "seconds": asked.seconds,
        "milliseconds": asked.milliseconds,
        "status": asked.status,
        "other": asked.other,
    }
    print(f"started: {lab.fault(asked.kind, asked.subject, **options)}")
    return 0


def end_fault(lab: Lab, asked: argparse.Namespace) -> int:
    if asked.kind == "all":
        ended = lab.heal()
    elif asked.subject:
        ended = lab.end_fault(asked.kind, asked.subject, other=asked.other)
    else:
        raise UsageError("end which fault? `fault end KIND SUBJECT` or `fault end all`")
    print("\n".join(f"ended: {fault}" for fault in ended) or "no such fault is in force")
    return 0


def list_faults(lab: Lab, _: argparse.Namespace) -> int:
    print("\n".join(map(str, lab.faults)) or "no faults")
    return 0


class ShowVersion(argparse.Action):
    """`--version`: that of the checkout whose lab this is."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from inventory.version import version  # not at the top: `exec` must start at once

        print(f"twinedge {version()}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__import__("lab").__doc__)
    parser.add_argument("--version", action=ShowVersion, nargs=0, help="which twinedge this is")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _up(_command(commands, "up", up, "boot every host that is not up"))
    ending = _command(commands, "down", down, "end the lab and everything in it")
    ending.add_argument("--purge", action="store_true", help="the cached software layer too")
    _command(commands, "status", status, "show every host; exit 0 when all run")
    executing = _command(commands, "exec", execute, "run a command on a host, in the checkout")
    executing.add_argument("host", metavar="HOST")
    executing.add_argument("words", metavar="-- COMMAND", nargs=argparse.REMAINDER)
    fault = commands.add_parser(
        "fault",
        help="break something, or end that",
        epilog=f"kinds, on a service@host or on a host:\n{listed()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _faults(fault.add_subparsers(required=True, metavar="VERB"))
    return parser


def _up(starting: argparse.ArgumentParser) -> None:
    """What may be asked of a new lab: lab/options.py. One that is up keeps what it has."""
    starting.add_argument(
        "--site", type=Path, metavar="FILE", help="config.yaml of the site (default: lab/site)"
    )
    starting.add_argument(
        "--distribution",
        metavar="[HOST=]NAME,...",
        help="`trixie` (Debian 13), of all hosts or of those named (default: this machine's own)",
    )
    starting.add_argument(
        "--package",
        metavar="[HOST=]NAME,...",
        help="`caddy`: the hosts have Debian's own package of Caddy, too",
    )
    starting.add_argument(
        "--manager",
        choices=("systemd", "docker"),
        help="how services run on every host (default: as the site says)",
    )


def _faults(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    start = _command(verbs, "start", start_fault, "start a fault")
    start.add_argument("kind", metavar="KIND")
    start.add_argument("subject", metavar="SUBJECT", help="service@host, or a host")
    start.add_argument("--seconds", type=float, help="of slow and slow-start")
    start.add_argument("--milliseconds", type=float, help="of latency")
    start.add_argument("--status", type=int, help="of refuse-name")
    start.add_argument("--from", dest="other", metavar="HOST", help="partition from it only")
    end = _command(verbs, "end", end_fault, "end a fault, or all")
    end.add_argument("kind", metavar="KIND|all")
    end.add_argument("subject", metavar="SUBJECT", nargs="?")
    end.add_argument("--from", dest="other", metavar="HOST")
    _command(verbs, "list", list_faults, "what is broken now")


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    act: object,
    meaning: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=meaning, description=meaning)
    parser.set_defaults(act=act)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
