"""The jobs as their hosts tell of them: timers, signs of life, and how a job ended."""

import json
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nornir.core.task import Result, Task

from inventory.catalogue import Host
from tasks import shell
from tasks.configs.schedule import COMMANDS, HEARD, unit_name
from tasks.quote import shell as word

TIMEOUT = 15.0  # seconds of silence of a host

LIST = "systemctl list-timers --all --output=json 'twinedge-*'\n" + "".join(
    f"systemctl show -p Id,Result,ActiveState {unit_name(job, 'service')}\necho\n"
    for job in COMMANDS
)


@dataclass(frozen=True, kw_only=True)
class TimerState:
    """One timer of a host. `result` is systemd's word for how the job ended last."""

    job: str
    next: datetime | None
    last: datetime | None
    result: str
    is_running: bool


def listing(task: Task, host: Host) -> Result:
    """Nornir task: a TimerState for each timer of a job that the host knows."""
    output = shell.run(task, LIST, timeout=TIMEOUT, sudo=host.sudo)
    return Result(host=task.host, result=parse_timers(output.stdout))


def parse_timers(text: str) -> list[TimerState]:
    """What LIST printed: a JSON list, and a block of properties for each service."""
    listed, _, blocks = text.partition("]")
    try:
        timers = {timer["unit"]: timer for timer in json.loads(f"{listed}]")}
    except ValueError:
        timers = {}
    services = {
        found["Id"]: found
        for block in blocks.split("\n\n")
        if "Id" in (found := dict(line.partition("=")[::2] for line in block.splitlines()))
    }
    return [
        _timer(job, timers[unit], services.get(unit_name(job, "service"), {}))
        for job in COMMANDS
        if (unit := unit_name(job, "timer")) in timers
    ]


def _timer(job: str, timer: Mapping[str, object], service: Mapping[str, str]) -> TimerState:
    return TimerState(
        job=job,
        next=_moment(timer.get("next")),
        last=_moment(timer.get("last")),
        result=service.get("Result", "unknown"),
        is_running=service.get("ActiveState") in ("activating", "active"),
    )


def _moment(microseconds: object) -> datetime | None:
    known = isinstance(microseconds, int) and 0 < microseconds < 1 << 62
    return datetime.fromtimestamp(microseconds / 1e6, UTC) if known else None  # type: ignore[operator]


def beat(task: Task, host: Host, sender: str) -> Result:
    """Nornir task: leave a sign of life of `sender` on the host."""
    script = f"mkdir -p {HEARD} && touch {HEARD}/{word(sender)}\n"
    shell.run(task, script, timeout=TIMEOUT, sudo=host.sudo)
    return Result(host=task.host)


def silence(elders: Sequence[str], folder: Path = Path(HEARD)) -> float:
    """Seconds since this host has heard of any of `elders`; since its boot, if of none."""
    ages = [_age(folder / elder) for elder in elders]
    return max(min(ages, default=0.0), 0.0)


def _age(sign: Path) -> float:
    try:
        return time.time() - sign.stat().st_mtime
    except FileNotFoundError:
        return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How systemd saw a job end on this machine: its own word, and the exit status."""

    result: str
    status: int
    began: datetime | None

    @property
    def words(self) -> str:
        if self.result == "timeout":
            return "took too long and was ended"
        if self.result == "exit-code":
            return f"ended with status {self.status} and told the history nothing"
        return f"failed ({self.result})"


def ending(job: str) -> Ending:
    """How the last run of `job` on this machine ended."""
    keys = ("Result", "ExecMainStatus", "ExecMainStartTimestamp")
    flags = [f"-p{key}" for key in keys]
    shown = subprocess.run(
        ["systemctl", "show", "--timestamp=unix", *flags, unit_name(job, "service")],
        capture_output=True, text=True, timeout=TIMEOUT,
    ).stdout  # fmt: skip
    return parse_ending(shown)


def parse_ending(text: str) -> Ending:
    found = dict(line.partition("=")[::2] for line in text.splitlines())
    began = re.fullmatch(r"@(\d+)", found.get("ExecMainStartTimestamp", ""))
    status = found.get("ExecMainStatus", "")
    return Ending(
        result=found.get("Result", "unknown"),
        status=int(status) if status.isdigit() else 0,
        began=datetime.fromtimestamp(int(began[1]), UTC) if began else None,
    )
