"""lsyncd: the daemon that notices changes in the synced directories of an edge."""

from inventory.catalogue import Catalogue, Host
from tasks.configs.file import SERVICES, Activation, ConfigFile, Render
from tasks.tools import LSYNCD

ACTIVATION = Activation(
    name="lsyncd",
    order=SERVICES,
    command="""\
[ "$(systemctl show --value -p NeedDaemonReload lsyncd)" = no ] || systemctl daemon-reload || exit 1
systemctl -q is-enabled lsyncd || systemctl -q enable lsyncd || exit 1
systemctl reset-failed lsyncd 2>/dev/null
systemctl restart lsyncd
""",
    check="systemctl -q is-active lsyncd",
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
        activation=ACTIVATION,
        folders=tuple(sync.directory for sync in syncs),
    )


def unit(host: Host, _: Catalogue, render: Render) -> ConfigFile:
    """A unit of our own: Debian ships an init script that never restarts lsyncd."""
    text = render("systemd/lsyncd.service.j2", config=host.paths.lsyncd, program=host.paths.sync)
    return ConfigFile(
        name="lsyncd-unit", path=host.paths.lsyncd_unit, text=text, activation=ACTIVATION
    )
