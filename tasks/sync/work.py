"""What the sync runbook asks of a host and does there; the host's side is sync_look.sh."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass

from nornir.core.task import Result, Task

from inventory.catalogue import Host, Sync
from tasks import release, shell
from tasks.checks.sync import left_out
from tasks.configs.sync import home
from tasks.heard import heard
from tasks.host import host_side, in_trees
from tasks.quote import shell as word

# Unison's words for what a side had done, eight columns wide.
DEEDS = {"new file": "made", "new dir": "made", "new link": "made", "props": "mode changed"}
OVERRULED = re.compile(r"(.{8}) (====>|<====) (.{8})   (.+?)(?:  )?")

Tree = Mapping[str, str]  # path -> kind, mode and digest


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One file that lost a conflict, or (without a path) how the conflict went."""

    stamp: str
    host: str
    path: str = ""
    size: int = 0
    how: str = ""


def ask(task: Task, host: Host, sync: Sync, *verb: object, timeout: float = 30.0) -> Result:
    """Nornir task: the output of one verb of sync_look.sh. Raises Refused."""
    names = {"home": home(host), "name": sync.name, "directory": sync.directory}
    front = "".join(f"{key}={word(value)}\n" for key, value in names.items())
    command = " ".join(word(part) for part in verb)
    script = f"{front}{host_side('write.sh')}{in_trees()}{host_side('sync_look.sh')}\n{command}\n"
    return run(task, host, script, timeout)


def run(task: Task, host: Host, script: str, timeout: float = 90.0) -> Result:
    """Nornir task: the output of a script that has to succeed. Raises Refused."""
    output = shell.run(task, script, timeout=timeout, sudo=host.sudo)
    if output.status:
        said = (output.stderr.strip() or output.stdout.strip()).splitlines()
        raise release.Refused(said[-1] if said else f"exit status {output.status}")
    return Result(host=task.host, result=output.stdout)


def listing(task: Task, host: Host, sync: Sync) -> Result:
    """Nornir task: the Tree of one side."""
    text = ask(task, host, sync, "listing", *left_out(sync.left_out), timeout=60.0).result
    rows = (line.rsplit(" ", 1) for line in text.splitlines())
    return Result(host=task.host, result={_decoded(path): what for what, path in rows})


def kept(text: str, host: str) -> list[Kept]:
    """What `conflicts` of sync_look.sh printed."""
    found = []
    for line in text.splitlines():
        stamp, size, encoded = line.split(" ")
        if size == "how":
            found.append(Kept(stamp=stamp, host=host, how=heard(base64.b64decode(encoded))))
        else:
            found.append(
                Kept(stamp=stamp, host=host, path=heard(base64.b64decode(encoded)), size=int(size))
            )
    return found


def story(text: str, runner: str, peer: str) -> list[str]:
    """How a conflict went, a sentence a path, from unison's lines; the runner stands left."""
    return [_told(line, runner, peer) for line in text.splitlines() if line.strip()]


def _told(line: str, runner: str, peer: str) -> str:
    found = OVERRULED.fullmatch(line)
    if not found:
        return line.strip()
    left, arrow, right, path = found.groups()
    ours, theirs = (_deed(state.strip()) for state in (left, right))
    winner = runner if arrow == "====>" else peer
    return f"{path!r}: {ours} on {runner}, {theirs} on {peer}: {winner} won"


def _deed(state: str) -> str:
    return DEEDS.get(state) or ("changed" if state.startswith("chgd") else state)


def differences(one: Tree, other: Tree) -> list[str]:
    """The paths in which two sides differ."""
    return sorted(path for path in {*one, *other} if one.get(path) != other.get(path))


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode(errors="replace")
