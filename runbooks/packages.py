"""The packages of requirements.txt: a Python without them is told so in one sentence.

Nothing but the standard library is imported here.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from textwrap import fill

NEEDED = ("dns", "httpx", "jinja2", "netmiko", "nornir", "paramiko", "pydantic", "rich", "yaml")
MISSING = 2  # exit status: nothing was touched


def require() -> None:
    """Ends this runbook where one of them cannot be imported."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        checkout = Path(__file__).resolve().parent.parent
        words = (
            f"error: this Python ({sys.executable}) lacks {', '.join(missing)}: run "
            f"{checkout}/script/bootstrap, then {checkout}/.venv/bin/python {sys.argv[0]}"
        )
        sys.stderr.write(
            fill(words, 80, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
            + "\n"
        )
        sys.exit(MISSING)
