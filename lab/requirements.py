"""What the lab needs of the machine, checked before anything is touched."""

import os
import re
import shutil
import sys

from lab.errors import LabError
from lab.state import State

PROGRAMS = {
    "unshare": "util-linux", "nsenter": "util-linux", "setsid": "util-linux",
    "mount": "mount", "ip": "iproute2", "tc": "iproute2", "apt-get": "apt",
}  # fmt: skip


def check(state: State) -> None:
    """Raises LabError with the one thing that is missing."""
    if sys.platform != "linux":
        raise LabError("the lab needs Linux; on another system, run it in a Linux VM")
    if os.geteuid() != 0:
        raise LabError("the lab needs root; `sudo .venv/bin/python -m lab ...`")
    for program, package in PROGRAMS.items():
        if not shutil.which(program):
            raise LabError(f"no {program} on this machine; `apt-get install {package}`")
    if not state.python.exists():
        raise LabError(f"no {state.python}; `script/bootstrap` makes it")
    if not re.fullmatch(r"[A-Za-z0-9._+/-]+", str(state.checkout)):
        raise LabError(f"the checkout's path has special characters ({state.checkout}); move it")
    if not re.fullmatch(r"[a-z0-9-]{1,20}", state.id):
        raise LabError(f"TWINEDGE_LAB is '{state.id}'; use 1 to 20 of a-z, 0-9 and -")
