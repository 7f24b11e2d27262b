"""cloudflared: one replica of the tunnel on each edge, with the same rules on both."""

from inventory.catalogue import Catalogue, Host
from inventory.secret import Secret
from tasks.configs import replica
from tasks.configs.file import SERVICES, Activation, ConfigFile, Render
from tasks.configs.replica import LEFT
from tasks.tools import CLOUDFLARED

# The order of flags matters: with --config after `validate` the real binary prints its
# usage and exits 0 even for a bad file. An unknown key is a warning in place of `OK`.
VALIDATE = """\
said=$(cloudflared tunnel --config "$1" ingress validate 2>&1)
[ "$(printf '%s\\n' "$said" | tail -n 1)" = OK ] || { printf '%s\\n' "$said" >&2; exit 1; }
"""


# The Caddys, as cloudflared alone knows them (`hosts`): its own edge's, then the others'. It
# asks the next address the moment that one refuses (RFC 6724 has loopback first).
CADDY = "caddy.twinedge.internal"
# Seconds for a connection to Caddy, all addresses together. The default of 30 s would hold a
# visitor for as long where this Caddy is down and the other edge is dark.
CONNECT = 5


def origin(catalogue: Catalogue) -> str:
    """Where every rule leads."""
    return f"http://{CADDY}:{catalogue.site.tunnel.caddy_port}"


def hosts(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    """What cloudflared sees as /etc/hosts."""
    others = [other.address for other in catalogue.other_edges(host)]
    return ConfigFile(
        name="cloudflared-hosts",
        path=host.tunnel_hosts,
        text=render("cloudflared/hosts.j2", caddy=CADDY, others=others),
        activation=_activation(catalogue),
    )


def credentials(host: Host, catalogue: Catalogue, _: Render) -> ConfigFile:
    """The tunnel's credentials, as `cloudflared tunnel create` wrote them."""
    return ConfigFile(
        name="cloudflared-credentials",
        path=host.tunnel_credentials(catalogue.site.tunnel.id),
        text=Secret(catalogue.site.tunnel.credentials).reveal() + "\n",
        mode=0o600,
        secret=True,
        activation=_activation(catalogue),
    )


def config(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    site = catalogue.site
    text = render(
        "cloudflared/config.yml.j2",
        tunnel=site.tunnel.id,
        credentials=host.tunnel_credentials(catalogue.site.tunnel.id),
        metrics=f"127.0.0.1:{site.tunnel.metrics_port}",
        caddy=origin(catalogue),
        connect=f"{CONNECT}s",
        team=site.access.team,
        names=[
            {"hostname": name, "audience": s.audience} for name, s in catalogue.public_names.items()
        ],
    )
    return ConfigFile(
        name="cloudflared",
        path=host.paths.cloudflared,
        text=text,
        tool=CLOUDFLARED,
        validate=VALIDATE,
        activation=_activation(catalogue),
    )


def unit(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    """Beside the unit that `cloudflared service install` writes."""
    return ConfigFile(
        name="cloudflared-unit",
        path=f"{host.paths.units}/cloudflared.service.d/twinedge.conf",
        text=render(
            "systemd/cloudflared.conf.j2",
            program=host.paths.caddy_program,
            hosts=host.tunnel_hosts,
            watch=f"{replica.UNIT}.service" if replica.applies(host, catalogue) else None,
        ),
        activation=_activation(catalogue),
    )


def _activation(catalogue: Catalogue) -> Activation:
    """A restart: cloudflared cannot reload, and SIGHUP kills it.

    A release that crashed it may have used up systemd's start limit, hence reset-failed.
    `--no-block`, since the unit is only "started" after the first registration; `check`
    waits for that itself and knows when to give up. One that has left the tunnel on purpose
    finds the new config when it comes back.
    """
    port = catalogue.site.tunnel.metrics_port
    return Activation(
        name="cloudflared",
        order=SERVICES,
        command=f"""\
[ "$(systemctl show --value -p NeedDaemonReload cloudflared)" = no ] || systemctl daemon-reload
systemctl reset-failed cloudflared 2>/dev/null
[ -e {LEFT} ] || systemctl --no-block restart cloudflared
""",
        check=f"[ -e {LEFT} ] || get http://127.0.0.1:{port}/ready",
        patience=45,  # 30 s grace period for what is in flight, then a new registration
    )
