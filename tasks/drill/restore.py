"""A drill's part on one host: look, inject behind an armed restore, restore.

Each is a Nornir task of one round trip; the host's side is tasks/host/drill.sh.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from nornir.core.task import Result, Task

from inventory.catalogue import Host
from inventory.errors import Exit
from inventory.secret import redact
from tasks import shell
from tasks.drill.faults import Fault
from tasks.heard import heard
from tasks.host import host_side
from tasks.live import HostState, parse_state
from tasks.quote import shell as word
from tasks.release import BUSY, EOF, Run, preamble, printed
from tasks.way import Way

SCRIPTS = ("write.sh", "release.sh", "drill.sh")
LOOK_TIMEOUT = 20.0  # seconds; every question of a look may take 4
INJECT_TIMEOUT = 60.0
# An inject that nobody waited for (at most 30 s and 5), docker start, 20 s until it is healthy.
RESTORE_TIMEOUT = 75.0


class DrillRefused(shell.HostError):
    """The host did not begin the drill; nothing is broken."""


class NotRestored(shell.HostError):
    """The host says that the fault is still there."""


class NotUndone(shell.HostError):
    """The fault may still be there, and nobody could prove that it is not."""

    status = Exit.NOT_UNDONE

    def __init__(self, host: Host, fault: Fault, reason: str) -> None:
        super().__init__(
            f"THE FAULT IS NOT UNDONE: {fault.words}\n{host.name}: {reason}\n"
            f"undo it by hand:  {by_hand(host)}"
        )


class Ending(Enum):
    """How a fault ended; the words are why its drill is not judged."""

    UNDONE = ""
    BY_ITSELF = "the fault ended by itself, before it was to be undone"
    BEFORE = "the host had ended the fault before it was told to"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a placement answered to a host that asked it."""

    status: int | None
    body: str


@dataclass(frozen=True, kw_only=True)
class DrillState:
    """One host before or after a drill. `armed` is the id of a drill that is not restored.

    Its own restore is due at `armed_until`, by the host's clock.
    """

    host: HostState
    armed: str | None
    armed_until: datetime | None
    has_timer: bool
    replies: tuple[Reply, ...]


def _script() -> str:
    return host_side(*SCRIPTS)


def _speak(task: Task, host: Host, run: Run, script: str, *, timeout: float) -> shell.Output:
    """Run `script` behind the host's side of a drill."""
    return shell.run(task, _program(host, run) + script, timeout=timeout, sudo=host.sudo)


def _program(host: Host, run: Run) -> str:
    return f"{preamble(host, run)}{_script()}\n"


def look(
    task: Task, host: Host, run: Run, *, ways: Sequence[Way] = (), tools: Sequence[str] = ()
) -> Result:
    """Nornir task: the DrillState, with what the host is answered on each of `ways`."""
    questions = "".join(
        f"{n} {' '.join((way.url, *way.curl_flags))}\n" for n, way in enumerate(ways)
    )
    script = "".join(f"tool {name} :\n" for name in tools)
    script += f"look_drill <<'{EOF}'\n{questions}{EOF}\n"
    output = _speak(task, host, run, script, timeout=LOOK_TIMEOUT)
    return Result(host=task.host, result=parse(printed(host, output)))


def parse(text: str) -> DrillState:
    """What `look_drill` printed."""
    lines = [line.partition(" ")[::2] for line in text.splitlines()]
    single = dict(lines)
    armed = single.get("armed", "").split()
    return DrillState(
        host=parse_state(text, []),
        armed=armed[0] if armed else None,
        armed_until=datetime.fromtimestamp(int(armed[1]), UTC) if armed else None,
        has_timer="timer" in single,
        replies=tuple(_reply(rest.partition(" ")[2]) for kind, rest in lines if kind == "asked"),
    )


def _reply(packed: str) -> Reply:
    body, _, status = heard(base64.b64decode(packed)).rpartition("\n")
    return Reply(status=int(status) if status.isdigit() and status != "000" else None, body=body)


def inject(task: Task, host: Host, run: Run, fault: Fault) -> Result:
    """Nornir task: arm the restore on the host, then make the fault. Raises DrillRefused.

    On shell.Unreachable nobody knows whether the fault was made; its restore is armed.
    """
    script = "".join(
        [
            f"inject() {{\n{_all(fault.inject)}}}\ntakes={fault.takes}\n",
            "begin_drill\n",
            _put("undo.sh", "".join(f"{line}\n" for line in fault.undo)),
            _put("healthy.sh", _all(fault.healthy)),
            _put("ended.sh", _all(fault.ended or ("false",))),
            _put("drill.sh", f'{_program(host, run)}"$@"\n'),
            "inject_drill\n",
        ]
    )
    output = _speak(task, host, run, script, timeout=INJECT_TIMEOUT)
    if output.status:
        raise DrillRefused(_failure(output))
    return Result(host=task.host, changed=True)


def restore(task: Task, host: Host, run: Run) -> Result:
    """Nornir task: undo the fault and disarm; harmless when there is nothing to undo.

    Gives the Ending. Raises NotRestored when the host cannot; its timer then goes on trying.
    """
    script = "only_armed=yes\nrestore_drill\n"
    output = _speak(task, host, run, script, timeout=RESTORE_TIMEOUT)
    if output.status:
        raise NotRestored(_failure(output))
    return Result(host=task.host, changed=True, result=_ending(printed(host, output)))


def _ending(text: str) -> Ending:
    kinds = {line.partition(" ")[0] for line in text.splitlines()}
    if "restored" not in kinds:
        return Ending.BEFORE
    return Ending.BY_ITSELF if "ended" in kinds else Ending.UNDONE


def by_hand(host: Host) -> str:
    """The command that undoes a drill, typed at any machine with SSH to the host."""
    sudo = "sudo " if host.sudo else ""
    port = f"-p {host.port} " if host.port != 22 else ""
    remote = f"{sudo}sh {host.paths.state}/drill/drill.sh restore_drill"
    return f"ssh {port}{host.user}@{host.address} {word(remote)}"


def _all(commands: Sequence[str]) -> str:
    """Succeeds when every command does."""
    return " &&\n".join(commands) + "\n"


def _put(name: str, text: str) -> str:
    return f"put_drill {name} <<'{EOF}'\n{base64.encodebytes(text.encode()).decode()}{EOF}\n"


def _failure(output: shell.Output) -> str:
    kinds = [line.partition(" ")[::2] for line in output.stdout.splitlines()]
    if output.status == BUSY:
        locked = [rest for kind, rest in kinds if kind == "locked"]
        return parse_state(f"now 0\nlock {''.join(locked)}", []).lock_words
    reasons = [rest for kind, rest in kinds if kind == "failed"]
    return redact("\n".join(reasons) or output.stderr.strip() or f"exit status {output.status}")
