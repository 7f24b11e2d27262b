"""What an earlier release that lies on a host would change there, line by line. Writes nothing."""

import base64
from collections.abc import Iterator, Sequence

from nornir.core.task import Result, Task

from inventory.catalogue import Host
from tasks.configs.file import ConfigFile
from tasks.heard import heard
from tasks.live import LiveFile
from tasks.plan import FileChange
from tasks.quote import shell as word
from tasks.release import printed
from tasks.shell import run

TIMEOUT = 30.0  # seconds of silence

# Of each file that everybody on the host may read: what lies there, and what the release has.
SCRIPT = r"""
packed() { [ -f "$1" ] && base64 < "$1" | tr -d '\n'; printf '\n'; }
texts() { # RELEASE
    while read -r n mode _ _ _ _ _ path; do
        case $mode in *[4567]) ;; *) continue ;; esac
        printf '%s\n' "$path"
        packed "$path"
        if [ "$1" = "$target" ]; then packed "$state/releases/$1/new/$n"; else echo; fi
    done < "$state/releases/$1/manifest"
}
"""


def changes(task: Task, host: Host, target: str, current: str) -> Result:
    """Nornir task: path -> FileChange from what is there to release `target`.

    Without those that not everybody may read, which hold secrets. Raises Refused.
    """
    names = f"state={word(host.paths.state)}\ntarget={word(target)}\ncurrent={word(current)}\n"
    script = f'{names}{SCRIPT}texts "$current"\ntexts "$target"\n'
    told = printed(host, run(task, script, timeout=TIMEOUT, sudo=host.sudo))
    return Result(host=task.host, result=_differing(dict(_changes(told.splitlines()))))


def _differing(read: dict[str, FileChange]) -> dict[str, FileChange]:
    return {path: one for path, one in read.items() if one.live.text != one.config.text}


def _changes(lines: Sequence[str]) -> Iterator[tuple[str, FileChange]]:
    """By path; the later of two of one path is the target's."""
    for path, there, then in zip(*(iter(lines),) * 3, strict=True):
        live = LiveFile(kind="file" if there else "absent", text=_text(there))
        config = ConfigFile(name=path, path=path, text=_text(then))
        yield path, FileChange(config=config, live=live, claimed=None)


def _text(packed: str) -> str | None:
    return heard(base64.b64decode(packed)) if packed else None
