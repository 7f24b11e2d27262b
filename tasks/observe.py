"""One look at one host for all checks: the questions, the round trip, the answers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nornir.core.task import Result, Task

from inventory.catalogue import Host
from tasks import release, shell
from tasks.configs.file import ConfigFile
from tasks.host import host_side, in_trees
from tasks.live import HostState, parse_state
from tasks.quote import shell as word

LOOK = "look"  # the question that tasks.release asks, for drift and locks
GRACE = 3.0  # seconds of silence beyond the questions' own limit
MISSING = 127  # a shell's exit status for a tool that is not there


@dataclass(frozen=True, kw_only=True)
class Question:
    """One `job` of observe.sh: a name to find the answer by, and a command's words."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One question's exit status and output."""

    status: int
    text: str

    @property
    def ok(self) -> bool:
        return self.status == 0

    @property
    def is_missing(self) -> bool:
        """The host lacks the tool; `text` names it."""
        return self.status == MISSING


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Everything that one look at a host told.

    `clock_ahead` is how far the host's clock is ahead of the controller's, in seconds:
    the least and the most that the round trip leaves open.
    """

    state: HostState
    replies: Mapping[str, Reply]
    clock_ahead: tuple[float, float]

    def reply(self, name: str) -> Reply:
        return self.replies.get(name) or Reply(status=1, text="was not asked")


def script(
    host: Host, files: Sequence[ConfigFile], questions: Sequence[Question], limit: float
) -> str:
    """The whole script of one look. `limit` is each question's own, in seconds."""
    untooled = [replace(config, tool=None, uses=()) for config in files]  # versions take their time
    jobs = "".join(
        f"job {word(q.name)} {' '.join(word(part) for part in q.words)}\n" for q in questions
    )
    return (
        f"limit={math.ceil(limit)}\n"
        f"look_for_release() {{\n{release.look_script(host, untooled)}}}\n"
        f"{in_trees()}{host_side('listening.sh')}{host_side('unbound.sh')}"
        f"{host_side('observe.sh')}\n"
        f"job {LOOK} look_for_release\n{jobs}report\n"
    )


def observe(
    task: Task,
    host: Host,
    files: Sequence[ConfigFile],
    questions: Sequence[Question],
    limit: float,
) -> Result:
    """Nornir task: the host's Observation, in one round trip, changing nothing."""
    output = shell.run(
        task, script(host, files, questions, limit), timeout=limit + GRACE, sudo=host.sudo
    )
    text = release.printed(host, output)
    return Result(
        host=task.host, result=parse(text, files, sent=output.sent, received=output.received)
    )


def parse(text: str, files: Sequence[ConfigFile], *, sent: float, received: float) -> Observation:
    """The Observation that observe.sh printed between `sent` and `received`.

    Raises release.Refused when the host's state could not be read.
    """
    replies = dict(_replies(text))
    state = replies.get(LOOK)
    if state is None or not state.ok:
        raise release.Refused(
            f"cannot read the host's state: {state.text if state else 'no answer'}"
        )
    first, last = (line.split(" ")[1] for line in text.splitlines() if line[:6] == "clock ")
    return Observation(
        state=parse_state(state.text, [config.path for config in files]),
        replies=replies,
        clock_ahead=(_clock(last)[0] - received, _clock(first)[1] - sent),
    )


def _clock(text: str) -> tuple[float, float]:
    """The earliest and latest time that `date +%s.%N` meant; not all tools know %N."""
    seconds, _, nanoseconds = text.partition(".")
    if nanoseconds.isdigit():
        return float(text), float(text)
    return float(seconds), float(seconds) + 1


def _replies(text: str) -> Iterator[tuple[str, Reply]]:
    for section in ("\n" + text).split("\n@ ")[1:]:
        header, _, rest = section.partition("\n")
        status, _, name = header.partition(" ")
        lines = [line[1:] for line in rest.split("\n") if line.startswith(" ")]
        yield name, Reply(status=int(status), text="\n".join(lines).rstrip("\n"))
