"""The sync's own program on a host, and the table of what it keeps alike."""

from pathlib import PurePosixPath

from inventory.catalogue import Catalogue, Host, Sync
from tasks.configs import lsyncd
from tasks.configs.file import ConfigFile, Render
from tasks.host import host_side
from tasks.quote import Quoted
from tasks.quote import shell as word
from tasks.tools import SYSTEMD, UNISON

# A service that is stopped on purpose stays stopped. Not `docker kill -s HUP`: docker takes any
# signal for a stop on purpose, and does not start such a container after a reboot any more; nor
# does a paused one stay paused.
ACTIONS = {
    ("systemd", "reload"): "systemctl try-reload-or-restart {unit}",
    ("systemd", "restart"): "systemctl try-restart {unit}",
    ("docker", "reload"): "[ -z \"$(docker ps -q -f name='^{unit}$')\" ] || "
    "docker exec {unit} sh -c 'kill -HUP 1'",
    ("docker", "restart"): "[ -z \"$(docker ps -q -f name='^{unit}$')\" ] || docker restart {unit}",
}


# The program: what it begins with, what is only defined, and the words it is called with.
PARTS = (
    "sync.sh",
    "sync_box.sh",
    "sync_inside.sh",
    "sync_run.sh",
    "sync_settle.sh",
    "sync_records.sh",
    "sync_gate.sh",
)


def home(host: Host) -> str:
    """Where a host keeps the sync's memory, backups and conflicts: outside of any tree."""
    return f"{host.paths.state}/sync"


def program(host: Host, _: Catalogue, render: Render) -> ConfigFile:
    text = render(
        "sync/sync.sh.j2",
        table=host.paths.sync_table,
        script=Quoted("".join(map(host_side, PARTS))),
    )
    return ConfigFile(
        name="sync",
        path=host.paths.sync,
        text=text,
        mode=0o755,
        tool=UNISON,
        uses=(SYSTEMD,),
        validate='sh -n "$1"',
        activation=lsyncd.activation(host),
    )


def table(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    text = render(
        "sync/table.sh.j2",
        here=host.name,
        home=home(host),
        syncs=[_row(host, catalogue, sync) for sync in catalogue.syncs_of(host.name)],
    )
    return ConfigFile(
        name="sync-table", path=host.paths.sync_table, text=text, activation=lsyncd.activation(host)
    )


def _row(host: Host, catalogue: Catalogue, sync: Sync) -> dict[str, object]:
    peer = catalogue.hosts[sync.peer_of(host.name)]
    return {
        "name": sync.name,
        "directory": sync.directory,
        "owner": sync.owner,
        "runner": sync.runner,
        "peer": peer.name,
        "login": peer.user,
        "address": peer.address,
        "port": peer.port,
        "after": after(host, catalogue, sync),
        "records": records(host, sync) if holds_records(catalogue, sync) else "",
        "reload": _reload(host, catalogue, sync),
        "set_aside": "\n".join(map(unison_pattern, sync.left_out)),
    }


def holds_records(catalogue: Catalogue, sync: Sync) -> bool:
    """Is this a directory in which the operator keeps DNS records of their own?"""
    return sync.service is not None and catalogue.services[sync.service].kind == "dns"


def records(host: Host, sync: Sync) -> str:
    """Where unbound reads the copies of own records that have been checked."""
    return f"{PurePosixPath(host.paths.resolver).with_suffix('')}/{sync.name}"


def _reload(host: Host, catalogue: Catalogue, sync: Sync) -> str:
    """What makes new records known, on either side; a restart is not for one's own edits."""
    wanted = holds_records(catalogue, sync) and sync.after == "reload"
    return after(host, catalogue, sync) if wanted else ""


def after(host: Host, catalogue: Catalogue, sync: Sync) -> str:
    """What `host` does once it has received changes of `sync`, as a command; "" for nothing."""
    if not sync.acts_on_service or sync.service is None:
        return sync.after
    service = catalogue.services[sync.service]
    manager = catalogue.manager_of(service, host.name)
    return ACTIONS[manager, sync.after].format(unit=word(service.unit))


def unison_pattern(pattern: str) -> str:
    """An exclude pattern in unison's words.

    A slash within it or before it means a path from the top of the tree; unison's
    leading `*` passes over names with a dot in front.
    """
    name = pattern.removesuffix("/")
    if "/" in name:
        return f"Path {name.lstrip('/')}"
    return f"Name {{,.}}{name}" if name.startswith("*") else f"Name {name}"


def folder_of_keys(host: Host) -> str:
    return str(PurePosixPath(host.paths.sync_table).parent)
