"""Caddy: the reverse proxy on each edge, with the failover of the catalogue."""

from inventory.catalogue import RETRY_WINDOW, Catalogue, HealthCheck, Host, Tls
from tasks.configs.file import SERVICES, Activation, ConfigFile, Render, Tool
from tasks.host import host_side
from tasks.quote import Quoted, token

TLS_PORT = 443
PATIENCE = 15  # seconds until a reloaded Caddy has to answer; a reload takes 0.03 to 0.5

# Caddy keeps its CA and locks under HOME: a validation may leave nothing there.
VALIDATE = """\
HOME="$scratch" XDG_DATA_HOME="$scratch" XDG_CONFIG_HOME="$scratch" \\
    caddy validate --adapter caddyfile --config "$1"
"""


def caddyfile(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    port = catalogue.site.tunnel.caddy_port
    text = render(
        "caddy/Caddyfile.j2",
        address=host.address,
        guests=catalogue.site.guests,
        tunnel_port=port,
        tls=_tls(catalogue.site.tls),
        retry_window=_duration(RETRY_WINDOW),
        services=[
            {
                "name": service.name,
                "hostname": service.hostname,
                "upstreams": catalogue.upstreams_from(host.name, service),
                "check": _check(service.health),
                "long_polls": [f"{path.rstrip('/')}/*" for path in service.long_polls],
                "header_timeout": _duration(service.header_timeout),
                "write_timeout": _duration(service.write_timeout),
                "failover": service.has_failover,
                "public": service.is_public,
                "open": service.access == "open",
            }
            for service in catalogue.web_services
        ],
        page=_page(host, catalogue),
    )
    return ConfigFile(
        name="caddy",
        path=host.paths.caddy,
        text=text,
        tool=Tool(name="caddy", version="caddy version"),
        validate=VALIDATE,
        activation=_activation(port),
    )


def _page(host: Host, catalogue: Catalogue) -> tuple[str, str] | None:
    """(name, folder) of the page, which only the control node has."""
    site = catalogue.site
    if site.page is None or host.name != site.control:
        return None
    return f"{site.page_name}", site.page.directory


def _activation(port: int) -> Activation:
    return Activation(
        name="caddy",
        order=SERVICES,
        command=f"ports='{TLS_PORT} {port}'\n{host_side('reload_caddy.sh')}",
        check=f"systemctl -q is-active caddy && answers http://127.0.0.1:{port}/",
        patience=PATIENCE,
    )


def _tls(tls: Tls) -> Quoted:
    """The value of Caddy's `tls` directive."""
    if tls.mode == "files":
        return Quoted(f"{token(tls.certificate)} {token(tls.key)}")
    if tls.mode == "acme-dns":
        return Quoted(f"{{\n\t\tdns {token(tls.provider)} {{env.{token(tls.token_env)}}}\n\t}}")
    return Quoted("internal")


def _check(health: HealthCheck | None) -> Quoted:
    """The arguments of an active check: path, interval, timeout."""
    assert health is not None, "a web service has a health check"
    words = (health.path, _duration(health.interval), _duration(health.timeout))
    return Quoted(" ".join(map(token, words)))


def _duration(seconds: float) -> str:
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{round(seconds * 1000)}ms"
