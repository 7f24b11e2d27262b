"""The flags that runbooks share. They need argparse and no more.

So a runbook can parse its flags before it brings in what its work needs: `--help` and
nonsense end there, at a tenth of the start.
"""

import argparse
import os
from pathlib import Path
from typing import NoReturn

from inventory.source import ROOT
from runbooks.packages import require


class ShowVersion(argparse.Action):
    """`--version`: git is asked only when somebody wants to know."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from inventory.version import version

        print(f"twinedge {version()}")
        parser.exit()


def parser(
    description: str, *, epilog: str = "", inventory: bool = True
) -> argparse.ArgumentParser:
    """The flags that every runbook has, and those of all that read an inventory.

    Ends in one sentence where the packages are missing that the work will need.
    """
    require()
    made = argparse.ArgumentParser(
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--debug", action="store_true", help="show the traceback of an error")
    made.add_argument(
        "--version", action=ShowVersion, nargs=0, help="which twinedge this is, and of which commit"
    )
    if inventory:
        _add_inventory_flags(made)
    return made


def _add_inventory_flags(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--host", action="append", default=[], metavar="NAME", help="only this host (repeatable)"
    )
    made.add_argument(
        "--role", action="append", default=[], metavar="ROLE", help="only this role (repeatable)"
    )
    made.add_argument(
        "--config",
        type=Path,
        default=Path(os.environ.get("TWINEDGE_CONFIG") or ROOT / "config.yaml"),
        metavar="FILE",
        help="Nornir's settings (default: $TWINEDGE_CONFIG or config.yaml of the checkout)",
    )


def add_change_flags(flags: argparse.ArgumentParser) -> None:
    """The flags of every runbook that changes hosts."""
    flags.add_argument("--apply", action="store_true", help="make the changes")
    flags.add_argument(
        "--window",
        type=_seconds,
        default=120,
        metavar="SECONDS",
        help="a host that is not confirmed by then goes back by itself, the second edge 10 s "
        "later (default: 120)",
    )
    flags.add_argument(
        "--keep",
        type=_count,
        default=10,
        metavar="N",
        help="releases kept on a host (default: 10)",
    )
    flags.add_argument(
        "--canary",
        metavar="NAME",
        help="the edge that goes first (default: the one that is primary for fewest services)",
    )
    flags.add_argument(
        "--break-lock", action="store_true", help="take the lock from a run that is gone"
    )
    flags.add_argument(
        "--reload-anyway",
        action="store_true",
        help="reload Caddy although a primary is down (a reload forgets that it is)",
    )
    flags.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="NAME",
        help="this service may be worse afterwards than before (repeatable)",
    )


def add_diff_flag(flags: argparse.ArgumentParser) -> None:
    """Of every runbook that shows a plan of files."""
    flags.add_argument(
        "--diff", action="store_true", help="show every line that changes, in a pager on a terminal"
    )


def _seconds(text: str) -> int:
    value = int(text)
    if not 10 <= value <= 3600:
        raise argparse.ArgumentTypeError("should be 10 to 3600 seconds")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 2 <= value <= 1000:
        raise argparse.ArgumentTypeError("should be 2 to 1000, or there is nothing to go back to")
    return value


def add_source_flags(made: argparse.ArgumentParser) -> None:
    """From which checkouts may be deployed."""
    made.add_argument(
        "--allow-dirty", action="store_true", help="deploy from a dirty or unpushed checkout"
    )
    made.add_argument(
        "--allow-older", action="store_true", help="deploy a commit older than a host's"
    )
