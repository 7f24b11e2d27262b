"""One host's transaction: look, stage, commit, confirm, revert, unlock.

Each is a Nornir task of one round trip; the host's side is tasks/host/release.sh.
"""

import base64
import io
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nornir.core.task import Result, Task

from inventory.catalogue import Host
from inventory.secret import redact
from tasks import shell
from tasks.configs.file import ABSENT, ConfigFile
from tasks.heard import heard
from tasks.host import host_side
from tasks.live import HostState, claimed_paths, parse_releases, parse_state
from tasks.member import Member
from tasks.quote import shell as word

LOOK_TIMEOUT = 15.0  # seconds of silence before a host counts as gone
STEP_TIMEOUT = 20  # seconds that one validator or one activation may take
EOF = "TWINEDGE-END"  # ends what is sent inside a script; base64 holds no dash
BUSY = 3  # exit status of the host's script: somebody else is at work


class Busy(shell.HostError):
    """Another run holds the host's lock, or its release is not confirmed yet."""


class Refused(shell.HostError):
    """The host refused a release: a validator, the disk, an activation, a moved world."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What all hosts of one deploy share. `window` is in seconds.

    `id` names the release on every host, and sorts by time; `token` is the lock's. `commit`
    is the site's, `product` the version that renders it, `members` are the site's hosts.
    """

    id: str
    token: str
    holder: str
    commit: str
    product: str
    at: str
    window: int = 120
    keep: int = 10
    break_lock: bool = False
    members: tuple[Member, ...] = ()


def _script() -> str:
    return host_side("write.sh", "release.sh")


def _init(host: Host) -> str:
    return "systemd" if host.has_systemd else "none"


def preamble(host: Host, run: Run) -> str:
    """The assignments that release.sh expects in front of it."""
    values = {
        "state": host.paths.state,
        "init": _init(host),
        "id": run.id,
        "token": run.token,
        "holder": run.holder,
        "window": run.window,
        "lease": run.window,
        "keep": run.keep,
        "step_timeout": STEP_TIMEOUT,
        "break_lock": "yes" if run.break_lock else "no",
    }
    return "".join(f"{name}={word(value)}\n" for name, value in values.items())


def _speak(task: Task, host: Host, script: str, *, timeout: float) -> shell.Output:
    return shell.run(task, script, timeout=timeout, sudo=host.sudo)


def _read(task: Task, host: Host, script: str) -> str:
    """The output of a script that only reads. Raises Refused with the way out."""
    return printed(host, _speak(task, host, script, timeout=LOOK_TIMEOUT))


def printed(host: Host, output: shell.Output) -> str:
    """What a script that only reads has printed. Raises Refused with the way out."""
    if output.status and "sudo:" in output.stderr:
        raise Refused(
            f"{host.user} may not use sudo without a password there ({output.stderr.strip()}): "
            f"a line `{host.user} ALL=(root) NOPASSWD: ALL` in /etc/sudoers.d/twinedge lets it"
        )
    _refuse(output)
    return output.stdout


def look(
    task: Task, host: Host, files: Sequence[ConfigFile], also: str = "", beside: str = ""
) -> Result:
    """Nornir task: the HostState, read without changing anything.

    `also` is a script that prints further lines of it, `beside` one that does so in the
    background, each line in one write.
    """
    text = _read(task, host, look_script(host, files, beside) + also)
    return Result(host=task.host, result=parse_state(text, [config.path for config in files]))


def look_script(host: Host, files: Sequence[ConfigFile], beside: str = "") -> str:
    """The script that prints what `parse_state` reads."""
    tools = {tool.name: tool.version for config in files for tool in config.tools}
    paths = (
        f"{n} {'secret' if config.secret else 'plain'} {config.path}\n"
        for n, config in enumerate(files)
    )
    return (
        f"{_of_look(host)}{_script()}\n{beside}"
        + "".join(f"tool {name} {word(version)} &\n" for name, version in tools.items())
        + f"seen=$(look <<'{EOF}'\n{''.join(paths)}{EOF}\n)\n"
        + 'status=$?\nwait\nsay "$seen"\n[ $status -eq 0 ] || exit $status\n'
    )


def _of_look(host: Host) -> str:
    """The assignments that `look` expects in front of release.sh."""
    values = {
        "state": host.paths.state,
        "init": _init(host),
        "lsyncd_config": host.paths.lsyncd,
    }
    return "".join(f"{name}={word(value)}\n" for name, value in values.items())


def survey(task: Task, host: Host) -> Result:
    """Nornir task: the HostState of what the host's own release claims; no inventory needed."""
    script = f"{_of_look(host)}{_script()}\nclaimed | look\n"
    text = _read(task, host, script)
    return Result(host=task.host, result=parse_state(text, claimed_paths(text)))


def releases(task: Task, host: Host) -> Result:
    """Nornir task: every release that lies on the host, newest first."""
    script = f"state={word(host.paths.state)}\n{_script()}\nlist\n"
    return Result(host=task.host, result=parse_releases(_read(task, host, script)))


def read(task: Task, host: Host, paths: Sequence[str]) -> Result:
    """Nornir task: the text of managed files, one after the other; missing ones are empty."""
    script = "".join(f"cat {word(path)} 2>/dev/null\n" for path in paths) + "true\n"
    return Result(host=task.host, result=_read(task, host, script))


def stage(
    task: Task, host: Host, run: Run, files: Sequence[ConfigFile], state: HostState
) -> Result:
    """Nornir task: lock the host, lay the release beside the live files, validate it.

    Raises Busy or Refused; then nothing of it is left on the host.
    """
    script = _stage_script(host, run, state, _contents(files, state), "end_stage\n")
    _refuse(_speak(task, host, script, timeout=_patience(files)))
    return Result(host=task.host)


def stage_earlier(task: Task, host: Host, run: Run, earlier: str, state: HostState) -> Result:
    """Nornir task: as `stage`, with the files of a release that lies on the host."""
    left = f"left {state.current.commit}\n" if state.current else ""
    script = _stage_script(host, run, state, {}, f"adopt {word(earlier)}\nend_stage\n", left)
    _refuse(_speak(task, host, script, timeout=180.0))
    return Result(host=task.host)


def commit(task: Task, host: Host, run: Run) -> Result:
    """Nornir task: put the staged release in place and activate it; the host undoes a failure.

    The result is the list of activations. Raises Refused when the host undid it, and
    shell.Unreachable when the connection died: then the host goes on by itself and
    reverts within the window.
    """
    script = f"{preamble(host, run)}{_script()}\nstart_commit\n"
    output = _speak(task, host, script, timeout=float(run.window))
    lines = output.stdout.splitlines()
    _refuse(output)
    activated = tuple(
        line.removeprefix("activating ").partition("-")[2]
        for line in lines
        if line.startswith("activating ")
    )
    return Result(host=task.host, changed=True, result=activated)


def confirm(task: Task, host: Host, run: Run) -> Result:
    """Nornir task: disarm the revert; from now on the release stays. Raises Refused."""
    return _verb(task, host, run, "confirm")


def revert(task: Task, host: Host, run: Run) -> Result:
    """Nornir task: back to the release before. Harmless when there is nothing pending."""
    return _verb(task, host, run, "revert", timeout=180.0)


def unlock(task: Task, host: Host, run: Run) -> Result:
    """Nornir task: give up a staged release and the lock."""
    return _verb(task, host, run, "unlock")


def _verb(task: Task, host: Host, run: Run, verb: str, *, timeout: float = 30.0) -> Result:
    output = _speak(task, host, f"{preamble(host, run)}{_script()}\n{verb}\n", timeout=timeout)
    _refuse(output)
    return Result(host=task.host, changed=True, result=output.stdout)


def _stage_script(
    host: Host, run: Run, state: HostState, contents: Mapping[str, str], rest: str, meta: str = ""
) -> str:
    """Take the lock and fill the release, a copy of the script for the host itself in it; `meta`
    are further lines of what it says of itself."""
    script = preamble(host, run) + _script()
    release = {"release.sh": script + '\n"$@"\n', "meta": _meta(run, state) + meta, **contents}
    packed = base64.encodebytes(_pack(release)).decode()
    return f"{script}\nbegin_stage\nunpack <<'{EOF}'\n{packed}{EOF}\n{rest}"


def _pack(contents: Mapping[str, str]) -> bytes:
    """A tar of files that are root's alone: name -> text."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.USTAR_FORMAT) as tar:
        for name, text in contents.items():
            data = text.encode()
            member = tarfile.TarInfo(name)
            member.mode, member.size = 0o600, len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def _patience(files: Iterable[ConfigFile]) -> float:
    """Longest silence of a stage: every validator at its limit, and some for the disk."""
    return 30.0 + sum(STEP_TIMEOUT for config in files if config.validate)


def _meta(run: Run, state: HostState) -> str:
    parent = state.current.id if state.current else "-"
    return (
        f"commit {run.commit}\nproduct {run.product}\n"
        f"by {run.holder}\nat {run.at}\nparent {parent}\n"
        + "".join(f"host {member.line}\n" for member in run.members)
    )


def _contents(files: Sequence[ConfigFile], state: HostState) -> dict[str, str]:
    """The files of a release as release.sh describes them: name -> text."""
    contents, manifest = {}, []
    for n, config in enumerate(files):
        base = state.files[config.path].digest or ABSENT
        manifest.append(
            f"{n} {config.mode:#05o} {config.owner} {config.digest} {base} "
            f"{_activation_name(config)} {config.name} {config.path}\n".replace("0o", "0", 1)
        )
        if config.text is not None:
            contents[f"new/{n}"] = config.text
        if config.validate and config.tool:
            contents |= {f"validate/{n}": config.validate, f"tool/{n}": config.tool.name}
    for activation in {c.activation.name: c.activation for c in files if c.activation}.values():
        name = f"activate/{activation.order}-{activation.name}"
        contents |= {
            f"{name}.run": activation.command.rstrip() + "\n",
            f"{name}.check": activation.check + "\n",
            f"{name}.patience": f"{activation.patience}\n",
        }
    folders = dict.fromkeys(folder for config in files for folder in config.folders)
    contents["folders"] = "".join(f"{folder}\n" for folder in folders)
    contents["manifest"] = "".join(manifest)
    return contents


def _activation_name(config: ConfigFile) -> str:
    return f"{config.activation.order}-{config.activation.name}" if config.activation else "-"


def _refuse(output: shell.Output) -> None:
    if output.status == BUSY:
        raise Busy(_busy(output.stdout))
    if output.status:
        raise Refused(_failure(output))


def _busy(text: str) -> str:
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "locked":
            return parse_state(f"now 0\nlock {rest}", []).lock_words
        if kind == "unconfirmed":
            return f"release {rest.split(' ')[0]} on this host is not confirmed yet"
    return "another run is at work on this host"


def _failure(output: shell.Output) -> str:
    """What the host said was wrong, secrets taken out."""
    reasons = []
    for line in output.stdout.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "failed":
            reasons.append(rest)
        elif kind == "invalid":
            name, _, message = rest.partition(" ")
            reasons.append(f"{name} is refused by the host: {_unpack(message)}")
    said = "\n".join(reasons) or output.stderr.strip() or f"exit status {output.status}"
    return redact(said)


def _unpack(message: str) -> str:
    return heard(base64.b64decode(message)).strip()
