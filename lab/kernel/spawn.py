"""How the lab starts processes that outlive it: in its control group before anything else."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.kernel.cgroup import Group

# The child keeps the lab's lock open until it is in the group. So `down`, which needs
# the lock, finds every process that a killed `up` has started.
ENTER = 'echo 0 >"$1" && eval "exec $2>&- $3>&-" && shift 3 && exec "$@"'


def spawn(
    argv: Sequence[str], *, group: Group, lock: int, log: Path, keep: Sequence[int] = ()
) -> None:
    """Starts a daemon that is nobody's child; `keep` are descriptors that it holds open.

    Returns when it is in the group.
    """
    entered, entering = os.pipe()
    enter = ["bash", "-c", ENTER, "lab", str(group.procs), str(lock), str(entering)]
    with log.open("ab") as output:
        subprocess.run(
            ["setsid", "--fork", *enter, *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(lock, entering, *keep),
            cwd="/",
            check=True,
        )
    os.close(entering)
    os.read(entered, 1)  # ends when the child has closed its end
    os.close(entered)
