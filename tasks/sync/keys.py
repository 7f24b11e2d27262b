"""The sync's SSH keys: made on the hosts, only their public halves travel.

What a key may do is one program, `gate`, for the syncs that its host shares with the
other; host keys are pinned.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nornir.core.task import Result, Task

from inventory.catalogue import Catalogue, Host
from tasks import release, shell
from tasks.configs.sync import folder_of_keys
from tasks.host import host_side
from tasks.live import SyncKeys, parse_sync_keys
from tasks.quote import shell as word
from tasks.release import EOF

TIMEOUT = 20.0  # seconds of silence


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The lines that have to stand on one host."""

    authorized: tuple[str, ...]
    known: tuple[str, ...]


def _preamble(host: Host) -> str:
    return (
        f"keys={word(folder_of_keys(host))}\nuser={word(host.user)}\n"
        f"{host_side('write.sh', 'sync_keys.sh')}\n"
    )


def look_script(host: Host) -> str:
    """The script that prints what `parse_sync_keys` reads, changing nothing."""
    return f"(\n{_preamble(host)}look\n)\n"


def make(task: Task, host: Host) -> Result:
    """Nornir task: the host's SyncKeys, once a key has been made where there is none."""
    return Result(host=task.host, result=_read(task, host, "make_key\nlook\n"))


def install(task: Task, host: Host, wanted: Wanted) -> Result:
    """Nornir task: put the lines of `wanted` in place of our earlier ones."""
    script = _here("install_known", wanted.known)
    script += _here("install_authorized", wanted.authorized)
    _read(task, host, script)
    return Result(host=task.host, changed=True)


def _here(verb: str, lines: Iterable[str]) -> str:
    text = "".join(f"{line}\n" for line in lines)
    return f"{verb} <<'{EOF}'\n{text}{EOF}\n"


def _read(task: Task, host: Host, verbs: str) -> SyncKeys:
    output = shell.run(task, _preamble(host) + verbs, timeout=TIMEOUT, sudo=host.sudo)
    if output.status:
        raise release.Refused(f"the sync's keys: {output.stderr.strip() or output.stdout.strip()}")
    return parse_sync_keys(release.printed(host, output))


def peers(catalogue: Catalogue, host: str) -> tuple[str, ...]:
    """The hosts that `host` shares a sync with."""
    return tuple(dict.fromkeys(sync.peer_of(host) for sync in catalogue.syncs_of(host)))


def wanted(catalogue: Catalogue, host: Host, found: Mapping[str, SyncKeys]) -> Wanted:
    """The lines for `host`, from what its peers have."""
    names = peers(catalogue, host.name)
    return Wanted(
        authorized=tuple(
            _authorized(host, catalogue.hosts[name], found[name].public or "") for name in names
        ),
        known=tuple(f"{name} {key}" for name in names for key in found[name].host_keys),
    )


def _authorized(host: Host, peer: Host, public: str) -> str:
    sudo = "sudo -n " if host.sudo else ""
    command = f'{sudo}{host.paths.sync} gate {peer.name} \\"$SSH_ORIGINAL_COMMAND\\"'
    return f'restrict,from="{peer.address}",command="{command}" {public} twinedge-sync:{peer.name}'


def is_in_place(catalogue: Catalogue, host: Host, found: Mapping[str, SyncKeys]) -> bool:
    keys = found[host.name]
    if keys.public is None or any(found[p].public is None for p in peers(catalogue, host.name)):
        return False
    lines = wanted(catalogue, host, found)
    return (keys.authorized, keys.known) == (lines.authorized, lines.known)
