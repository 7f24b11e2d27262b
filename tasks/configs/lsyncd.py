"""lsyncd: the daemon that notices changes in the synced directories of an edge."""

from pathlib import PurePosixPath

from inventory.catalogue import Catalogue, Host
from tasks.configs.file import SERVICES, Activation, ConfigFile, Render
from tasks.quote import shell as word
from tasks.tools import LSYNCD

# By the files that are there, since a revert runs it, too: what is gone is stopped while systemd
# still knows it. A unit of that name may be left below (Debian's init script).
COMMAND = """\
if [ ! -e {unit} ]; then
    systemctl stop lsyncd
    rm -f {wants}
    systemctl daemon-reload || exit 1
    systemctl reset-failed lsyncd 2>/dev/null
    [ ! -e {config} ] || systemctl start lsyncd
    exit
fi
[ "$(systemctl show --value -p NeedDaemonReload lsyncd)" = no ] || systemctl daemon-reload || exit 1
systemctl -q is-enabled lsyncd || systemctl -q enable lsyncd || exit 1
systemctl reset-failed lsyncd 2>/dev/null
systemctl restart lsyncd
"""


def activation(host: Host) -> Activation:
    unit = PurePosixPath(host.paths.lsyncd_unit)
    wants = unit.parent / "multi-user.target.wants" / unit.name
    return Activation(
        name="lsyncd",
        order=SERVICES,
        command=COMMAND.format(unit=word(unit), wants=word(wants), config=word(host.paths.lsyncd)),
        check=f"[ ! -e {word(unit)} ] || systemctl -q is-active lsyncd",
    )


# Loads the config and leaves before a sync starts.
VALIDATE = """\
printf 'dofile("%s")\\nos.exit(0)\\n' "$1" > "$scratch/check.lua"
lsyncd -nodaemon "$scratch/check.lua"
"""


def config(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    syncs = catalogue.syncs_of(host.name)
    text = render(
        "lsyncd/lsyncd.conf.lua.j2",
        program=host.paths.sync,
        syncs=[
            {
                "name": sync.name,
                "directory": sync.directory,
                "source": f"{sync.directory}/",
                "left_out": sync.left_out,
            }
            for sync in syncs
        ],
    )
    return ConfigFile(
        name="lsyncd",
        path=host.paths.lsyncd,
        text=text,
        tool=LSYNCD,
        validate=VALIDATE,
        activation=activation(host),
        folders=tuple(sync.directory for sync in syncs),
    )


def unit(host: Host, _: Catalogue, render: Render) -> ConfigFile:
    """A unit of our own: Debian ships an init script that never restarts lsyncd."""
    text = render("systemd/lsyncd.service.j2", config=host.paths.lsyncd, program=host.paths.sync)
    return ConfigFile(
        name="lsyncd-unit", path=host.paths.lsyncd_unit, text=text, activation=activation(host)
    )
