"""The watch beside cloudflared on an edge: when its replica leaves the tunnel, and comes back."""

from inventory.catalogue import Catalogue, Host
from tasks.configs.file import SERVICES, Activation, ConfigFile, Render
from tasks.host import host_side
from tasks.quote import Quoted
from tasks.quote import shell as word

UNIT = "twinedge-replica"
RUNTIME = UNIT  # a folder of /run
LEFT = f"/run/{RUNTIME}/left"  # why this edge's replica has left the tunnel on purpose
LEAVING = f"/run/{RUNTIME}/leaving"  # it is about to

# By the files that are there, since a revert runs it, too. Whoever has left then comes back.
COMMAND = """\
if [ ! -e {unit} ]; then
    back=no
    [ ! -e {left} ] || back=yes
    systemctl stop {name}
    systemctl daemon-reload || exit 1
    systemctl reset-failed {name} 2>/dev/null
    [ $back = no ] || systemctl --no-block start cloudflared
    exit
fi
[ "$(systemctl show --value -p NeedDaemonReload {name})" = no ] || systemctl daemon-reload || exit 1
systemctl restart {name}
"""


def applies(host: Host, catalogue: Catalogue) -> bool:
    """Only where another edge can serve instead."""
    return host.is_edge and bool(catalogue.other_edges(host))


def program(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    values = {
        "address": str(host.address),
        "port": str(catalogue.site.tunnel.caddy_port),
        "others": " ".join(str(other.address) for other in catalogue.other_edges(host)),
        "left": LEFT,
        "leaving": LEAVING,
    }
    settings = "".join(f"{name}={word(value)}\n" for name, value in values.items())
    return ConfigFile(
        name="replica",
        path=host.paths.replica,
        text=render(
            "cloudflared/replica.sh.j2",
            settings=Quoted(settings),
            script=Quoted(host_side("address.sh", "replica.sh")),
        ),
        mode=0o755,
        activation=_activation(host),
    )


def unit(host: Host, _: Catalogue, render: Render) -> ConfigFile:
    text = render("systemd/replica.service.j2", runtime=RUNTIME, program=host.paths.replica)
    return ConfigFile(
        name="replica-unit", path=_unit_path(host), text=text, activation=_activation(host)
    )


def _unit_path(host: Host) -> str:
    return f"{host.paths.units}/{UNIT}.service"


def _activation(host: Host) -> Activation:
    unit = word(_unit_path(host))
    return Activation(
        name="replica",
        order=SERVICES,
        command=COMMAND.format(unit=unit, left=word(LEFT), name=UNIT),
        check=f"[ ! -e {unit} ] || systemctl -q is-active {UNIT}",
    )
