"""Make a site in a folder, and a git repository, of its own.

It begins with the YAML of this checkout; with --from it is the site of that
checkout, moved with the history of its files. Nothing there is changed.
"""

import shlex
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from runbooks.flags import parser

EPILOG = """\
exit status: 0 the site is there, 2 nothing was written. The other runbooks
take it by --config DIR/config.yaml, or by $TWINEDGE_CONFIG.
"""


def flags() -> ArgumentParser:
    made = parser(__doc__ or "", epilog=EPILOG, inventory=False)
    made.add_argument("folder", type=Path, metavar="DIR", help="where; new, or empty")
    made.add_argument(
        "--from", dest="source", type=Path, metavar="CHECKOUT",
        help="move the site of this checkout, with its history",
    )  # fmt: skip
    return made


if __name__ == "__main__":
    flags().parse_args()  # what ends here needs nothing of what follows

from inventory.errors import Exit
from inventory.source import ROOT
from operations.init import make_site
from runbooks.cli import main
from runbooks.lines import say, tell, tell_command


def init(arguments: Namespace) -> int:
    source = arguments.source.expanduser() if arguments.source else None
    site = make_site(
        arguments.folder.expanduser(), checkout=source or ROOT, history=source is not None
    )
    say(f"{site.folder} is a site of its own", style="green")
    for name in site.files:
        tell("", name)
    if source:
        tell("history", f"{site.brought} commits came along; a deploy knows those of {source}")
        tell("", f"{source} may go back to the product's own YAML: git restore, git pull")
    else:
        tell("then", f"say who you are in {site.folder / 'inventory/defaults.yaml'}")
    tell_command("next", f"export TWINEDGE_CONFIG={shlex.quote(str(site.config))}")
    folder = shlex.quote(str(site.folder))
    tell_command(
        "", f"git -C {folder} remote add origin URL && git -C {folder} push -u origin HEAD"
    )
    tell_command("", "python runbooks/deploy.py")
    return Exit.OK


if __name__ == "__main__":
    main(init, flags())
