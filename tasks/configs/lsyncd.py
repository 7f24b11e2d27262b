"""lsyncd: the daemon that keeps the synced directories of the two edges alike."""

from pathlib import PurePosixPath

from inventory.catalogue import Catalogue, Host, Sync
from tasks.configs.file import Activation, ConfigFile, Render, Tool

ACTIVATION = Activation(
    name="lsyncd",
    order=40,
    command="""\
systemctl daemon-reload && systemctl -q enable lsyncd || exit 1
systemctl reset-failed lsyncd 2>/dev/null
systemctl restart lsyncd
""",
    check="systemctl -q is-active lsyncd",
)

# One connection to the peer is kept and shared: a transfer costs 0.2 s less.
SSH_OPTIONS = (
    "-o BatchMode=yes -o ConnectTimeout=5 -o ServerAliveInterval=5 "
    "-o ControlMaster=auto -o ControlPath=/run/lsyncd-%C -o ControlPersist=60"
)

# Loads the config and leaves before a sync starts.
VALIDATE = """\
printf 'dofile("%s")\\nos.exit(0)\\n' "$1" > "$scratch/check.lua"
lsyncd -nodaemon "$scratch/check.lua"
"""


def beside(sync: Sync) -> str:
    """Where rsync keeps half files and backups: outside the tree, on its file system."""
    directory = PurePosixPath(sync.directory)
    return str(directory.parent / f".{directory.name}.sync")


def config(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    text = render(
        "lsyncd/lsyncd.conf.lua.j2",
        rsh=f"ssh -i {catalogue.site.sync.key_file} {SSH_OPTIONS}",
        syncs=[
            {
                "source": f"{sync.directory}/",
                "target": f"root@{catalogue.hosts[sync.peer_of(host.name)].address}"
                f":{sync.directory}/",
                "exclude": sync.exclude,
                "temp": f"{beside(sync)}/tmp",
                "backup": f"{beside(sync)}/backup",
                "chown": f"{sync.owner}:{sync.owner}",
            }
            for sync in catalogue.syncs_of(host.name)
        ],
    )
    return ConfigFile(
        name="lsyncd",
        path=host.paths.lsyncd,
        text=text,
        tool=Tool(name="lsyncd", version="lsyncd -version"),
        validate=VALIDATE,
        activation=ACTIVATION,
        folders=_folders(host, catalogue),
    )


def unit(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    """A unit of our own: Debian ships an init script that never restarts lsyncd."""
    text = render(
        "systemd/lsyncd.service.j2",
        config=host.paths.lsyncd,
        directories=_folders(host, catalogue),
    )
    return ConfigFile(
        name="lsyncd-unit", path=host.paths.lsyncd_unit, text=text, activation=ACTIVATION
    )


def _folders(host: Host, catalogue: Catalogue) -> tuple[str, ...]:
    return tuple(
        path
        for sync in catalogue.syncs_of(host.name)
        for path in (sync.directory, f"{beside(sync)}/tmp", f"{beside(sync)}/backup")
    )
