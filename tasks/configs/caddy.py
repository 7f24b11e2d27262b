"""Caddy: the reverse proxy on each edge, with the failover of the catalogue."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from inventory.catalogue import Catalogue, Host, Service, Tls
from inventory.errors import InventoryError
from inventory.secret import Secret
from inventory.upstream import Upstream
from tasks.configs.caddy_front import (
    asked,
    below,
    front,
    password_file,
    stands,
    without_own_lines,
)
from tasks.configs.file import SERVICES, Activation, ConfigFile, Render
from tasks.configs.replica import LEAVING, LEFT
from tasks.host import host_side
from tasks.quote import Quoted, caddy_pattern, token
from tasks.quote import shell as word
from tasks.tools import CADDY, NFT

TLS_PORT = 443
RUNTIME = "twinedge-caddy"  # a folder of /run, of Caddy's user alone
ADMIN_SOCKET = f"/run/{RUNTIME}/admin.sock"
PATIENCE = 15  # seconds until a reloaded Caddy has to answer; a reload takes 0.03 to 0.5

# Caddy keeps its CA and locks under HOME: a validation may leave nothing there.
# A placeholder of a file that is not in place yet would be an empty password.
VALIDATE = """\
hash=$(printf '$2a$14$%053d' 0)
sed "s|{file\\.$passwords/[^}]*}|$hash|" "$1" > "$scratch/Caddyfile" || exit 1
HOME="$scratch" XDG_DATA_HOME="$scratch" XDG_CONFIG_HOME="$scratch" \\
    caddy validate --adapter caddyfile --config "$scratch/Caddyfile"
"""


def caddyfile(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    bare = without_own_lines(catalogue)
    return ConfigFile(
        name="caddy",
        path=host.paths.caddy,
        text=_text(host, catalogue, render),
        bare=_text(host, bare, render) if bare != catalogue else None,
        tool=CADDY,
        validate=f"passwords={word(_passwords(host))}\n{VALIDATE}",
        activation=_activation(host, catalogue),
    )


def _text(host: Host, catalogue: Catalogue, render: Render) -> str:
    port = catalogue.site.tunnel.caddy_port

    def asking(name: str) -> Mapping[str, Any]:
        return _asking(host, catalogue, name, catalogue.services[name], None)

    return render(
        "caddy/Caddyfile.j2",
        admin=ADMIN_SOCKET,
        address=host.address,
        guests=catalogue.site.guests,
        others=[other.address for other in catalogue.other_edges(host)],
        absent=[PurePosixPath(path) for path in (LEFT, LEAVING)],
        tunnel_port=port,
        tls=_tls(catalogue.site.tls),
        asked=[
            _asking(host, catalogue, name, service, health_port)
            for name, service, health_port in asked(catalogue)
        ],
        services=[
            {
                "name": service.name,
                "hostname": service.hostname,
                **_sites(service, port),
                "failover": service.has_failover,
                "public": service.is_public,
                "open": service.access == "open",
                "front": front(service, catalogue, asking, _passwords(host)),
            }
            for service in catalogue.web_services
        ],
        fronts=any(stands(service, catalogue) for service in catalogue.web_services),
        page=_page(host, catalogue),
        redirects=catalogue.redirects(host),
    )


def _asking(
    host: Host, catalogue: Catalogue, name: str, service: Service, health_port: int | None
) -> Mapping[str, Any]:
    """The values of templates/caddy/ask.j2."""
    return {
        "name": name,
        "upstreams": catalogue.upstreams_from(host.name, service),
        **_rounds(catalogue.upstreams_from(host.name, service)),
        "shared": _shared(service),
        **_asked(service.upstream),
        "health_port": health_port,
        "long_polls": [p for path in service.long_polls for p in below(path)],
        "header_timeout": _duration(service.header_timeout),
        "write_timeout": _duration(service.write_timeout),
        "failover": service.has_failover,
    }


def passwords(host: Host, catalogue: Catalogue) -> Iterator[ConfigFile]:
    """The hashes of those who come in by a password: a file each, which Caddy reads by itself.
    They stand in no config, not even in the one that Caddy tells its admin socket.
    """
    for service in catalogue.web_services:
        basic = service.front.basic_auth
        for user, reference in (basic.users if basic else {}).items():
            yield ConfigFile(
                name=f"caddy-password-{service.name}-{user}",
                path=password_file(_passwords(host), service, user),
                text=_hash(reference),
                owner="root:caddy",
                mode=0o640,
                secret=True,
                activation=_activation(host, catalogue),
            )


def _hash(reference: str) -> str:
    """The bcrypt hash that `reference` leads to. Raises InventoryError."""
    text = Secret(reference).reveal().strip()
    if not re.fullmatch(r"\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}", text):
        raise InventoryError(f"{reference}: is no bcrypt hash; `caddy hash-password` makes one")
    return text


def _passwords(host: Host) -> str:
    """The folder of the hashes, beside the Caddyfile."""
    return f"{host.paths.caddy.rpartition('/')[0]}/twinedge-passwords"


def warnings(host: Host, catalogue: Catalogue) -> Iterator[str]:
    """What a plan says of an edge whose Caddy cannot have port 80."""
    service = catalogue.on_port_80(host)
    if host.is_edge and service:
        yield (
            f"{service.name} has port 80 on {host.name}: http:// and any name leads to it there, "
            "and not to https://; give it another port"
        )


def program(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    """What Caddy's unit runs beside it, also when an operator says `systemctl reload caddy`."""
    text = render(
        "caddy/caddy.sh.j2",
        settings=Quoted(_settings(host, catalogue)),
        script=Quoted(host_side("address.sh", "caddy.sh")),
    )
    return ConfigFile(
        name="caddy-program",
        path=host.paths.caddy_program,
        text=text,
        mode=0o755,
        tool=CADDY,
        uses=(NFT,),
        validate='sh -n "$1"',
        activation=_activation(host, catalogue),
    )


def unit(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    return ConfigFile(
        name="caddy-unit",
        path=f"{host.paths.units}/caddy.service.d/twinedge.conf",
        text=render("systemd/caddy.conf.j2", runtime=RUNTIME, program=host.paths.caddy_program),
        activation=_activation(host, catalogue),
    )


def _settings(host: Host, catalogue: Catalogue) -> str:
    """The assignments that caddy.sh expects in front of it."""
    values = {
        "config": host.paths.caddy,
        "address": str(host.address),
        "port": str(catalogue.site.tunnel.caddy_port),
        "others": ", ".join(str(other.address) for other in catalogue.other_edges(host)),
        "socket": ADMIN_SOCKET,
    }
    return "".join(f"{name}={word(value)}\n" for name, value in values.items())


def _page(host: Host, catalogue: Catalogue) -> tuple[str, str] | None:
    """(name, folder) of the page, which only the control node has."""
    site = catalogue.site
    if site.page is None or host.name != site.control:
        return None
    return f"{site.page_name}", site.page.directory


def _activation(host: Host, catalogue: Catalogue) -> Activation:
    """With everything that it needs in itself: a revert takes the program away first."""
    port = catalogue.site.tunnel.caddy_port
    ports = f"{TLS_PORT} {port}{' 80' if catalogue.redirects(host) else ''}"
    settings = f"{_settings(host, catalogue)}ports={word(ports)}\n"
    settings += f"program={word(host.paths.caddy_program)}\n"
    return Activation(
        name="caddy",
        order=SERVICES,
        command=f"{settings}{host_side('caddy.sh')}{host_side('reload_caddy.sh')}",
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


def _sites(service: Service, port: int) -> Mapping[str, Quoted]:
    """The addresses of its sites: on the tailnet, for the tunnel, and of names that lead to it.

    `hostname` comes last: an earlier version finds out by `://NAME {` that a release knows it.
    """
    served, leading = (*service.aliases, service.hostname), service.redirect_from
    return {
        "sites": _addresses("https", served),
        "tunnel_sites": _addresses("http", served, f":{port}"),
        "leading": _addresses("https", leading),
        "tunnel_leading": _addresses("http", leading, f":{port}"),
        "plain": _addresses("http", service.http_names),
    }


def _addresses(scheme: str, names: Sequence[str], port: str = "") -> Quoted:
    return Quoted(", ".join(f"{scheme}://{token(name)}{port}" for name in names))


def _shared(service: Service) -> Quoted:
    """The arguments of a failover block: path, interval, timeout, status and body of the active
    check, and how long a websocket lives.
    """
    health = service.health
    assert health is not None, "a web service has a health check"
    path = f"{service.upstream.path}{health.path}"
    words = (path, _duration(health.interval), _duration(health.timeout), health.status)
    life = token(_duration(service.stream_timeout or 0))
    return Quoted(" ".join([*map(token, words), caddy_pattern(health.body), life]))


def _asked(upstream: Upstream) -> Mapping[str, Any]:
    """How each block asks. Caddy would give an https upstream its address for a name."""
    asked_as = token(upstream.host) if upstream.host else "{hostport}"
    return {
        "https": upstream.is_https,
        "h2c": upstream.is_h2c,
        "insecure": upstream.trust == "insecure",
        "ca": upstream.ca,
        "server_name": upstream.server_name,
        "rewrite": Quoted(f"{token(upstream.path)}{{uri}}") if upstream.path else "",
        "asked_as": Quoted(asked_as) if upstream.host or upstream.is_https else "",
        "checked_as": upstream.host,
    }


def _rounds(upstreams: tuple[str, ...]) -> Mapping[str, Sequence[Any]]:
    """Whom the last try asks once one has failed: those behind it in line, those before it,
    itself. Of two, both rounds begin with the fallback.
    """
    first, *later = [(*upstreams[n:], *upstreams[:n]) for n in range(1, len(upstreams) + 1)]
    return {"after_first": first, "after_later": later if len(later) > 1 else []}


def _duration(seconds: float) -> str:
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{round(seconds * 1000)}ms"
