"""The program that a stand-in's key runs: the questions of a whole verify, and no other.

It is rendered from the catalogue, so that whoever asks can say nothing at all, and begins
with an id by which a stand-in knows the answers for those to its own questions.
"""

import hashlib
from collections.abc import Sequence

from nornir.core.task import Result, Task

from inventory.catalogue import Catalogue, Host
from tasks import observe, release, shell
from tasks.checks.questions import ASKERS, questions
from tasks.configs.file import ConfigFile, Render
from tasks.quote import Quoted

NAME = "look"
LIMIT = 5.0  # seconds of each question
ID = "look "  # what the line with the id begins with


def program(
    host: Host, catalogue: Catalogue, render: Render, files: Sequence[ConfigFile]
) -> ConfigFile:
    """The config, of a host with these other `files`; none where nobody stands in."""
    nothing = ConfigFile(name=NAME, path=host.look, text=None, mode=0o755)
    if not catalogue.site.schedule.juniors:
        return nothing
    asked = script(host, catalogue, (*files, nothing))
    text = render(
        "look/look.sh.j2",
        script=Quoted(
            shell.asking_who(str(host.own_address), f"echo '{ID}{id_of(asked)}'\n{asked}")
        ),
    )
    return ConfigFile(name=NAME, path=host.look, text=text, mode=0o755)


def script(host: Host, catalogue: Catalogue, files: Sequence[ConfigFile]) -> str:
    """All that a verify asks of `host`, whose managed files are `files`."""
    return observe.script(host, files, questions(ASKERS, host, catalogue), LIMIT)


def id_of(script: str) -> str:
    return hashlib.sha256(script.encode()).hexdigest()[:16]


def look(
    task: Task, host: Host, catalogue: Catalogue, files: Sequence[ConfigFile], limit: float
) -> Result:
    """Nornir task: the host's Observation, by the key of a stand-in.

    Raises Refused where the host's look is not the one that this checkout would write.
    """
    silence = max(limit, LIMIT) + observe.GRACE
    output = shell.look(task, timeout=silence)
    text = release.printed(host, output)
    if not text.startswith(f"{ID}{id_of(script(host, catalogue, files))}\n"):
        raise release.Refused(
            f"the look on {host.name} is of another inventory or version than this checkout: "
            "git pull here, or deploy from the control node"
        )
    return Result(
        host=task.host,
        result=observe.parse(text, files, sent=output.sent, received=output.received),
    )
