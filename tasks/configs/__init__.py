"""The configs that twinedge manages: one builder and one row each.

To add one: a builder `(host, catalogue, render) -> ConfigFile`, a template, a row.
"""

from collections.abc import Callable

from inventory.catalogue import Catalogue, Host
from tasks.configs import caddy, cloudflared, lsyncd, mcp, replica, resolver, schedule, sync
from tasks.configs.file import ConfigFile, Render

Builder = Callable[[Host, Catalogue, Render], ConfigFile]
Condition = Callable[[Host, Catalogue], bool]


def _on_edges(host: Host, _: Catalogue) -> bool:
    return host.is_edge


def _on_resolvers(host: Host, catalogue: Catalogue) -> bool:
    return host in catalogue.resolvers


def _where_synced(host: Host, catalogue: Catalogue) -> bool:
    return bool(catalogue.syncs_of(host.name))


def _with_systemd(host: Host, _: Catalogue) -> bool:
    return host.has_systemd


def _everywhere(_: Host, __: Catalogue) -> bool:
    return True


ROWS: tuple[tuple[Builder, Condition], ...] = (
    (resolver.records, _on_resolvers),
    (caddy.program, _on_edges),
    (caddy.unit, _on_edges),
    (caddy.caddyfile, _on_edges),
    (cloudflared.credentials, _on_edges),
    (cloudflared.hosts, _on_edges),
    (cloudflared.config, _on_edges),
    (cloudflared.unit, _on_edges),
    (replica.program, replica.applies),
    (replica.unit, replica.applies),
    (sync.program, _where_synced),
    (sync.table, _where_synced),
    (lsyncd.config, _where_synced),
    (lsyncd.unit, _where_synced),
    *((unit, _with_systemd) for unit in schedule.UNITS),
    (mcp.servers, _everywhere),
)


def build(host: Host, catalogue: Catalogue, render: Render) -> tuple[ConfigFile, ...]:
    """Every config of `host`, in the order in which they are put in place."""
    rows = (row(host, catalogue, render) for row, applies in ROWS if applies(host, catalogue))
    passwords = caddy.passwords(host, catalogue) if host.is_edge else ()
    return (*passwords, *rows, *mcp.clients(host, catalogue, render))
