"""Rules of the site data in inventory/defaults.yaml."""

from collections.abc import Iterator

from inventory.catalogue import Catalogue
from inventory.rules.words import unknown_host


def control_is_a_host(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    problem = unknown_host(catalogue, catalogue.site.control)
    if problem:
        yield "data.control", problem


def the_page_has_a_caddy(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    control = catalogue.hosts.get(catalogue.site.control)
    if catalogue.site.page and control and not control.is_edge:
        yield (
            "data.page",
            f"needs a Caddy beside it, but the control node {control.name} is no edge",
        )


def tls_is_complete(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    tls = catalogue.site.tls
    wanted = {
        "internal": (),
        "files": ("certificate", "key"),
        "acme-dns": ("provider", "token_env"),
    }
    for key in ("certificate", "key", "provider", "token_env"):
        given = getattr(tls, key) is not None
        if key in wanted[tls.mode] and not given:
            yield f"data.tls.{key}", f"is missing; mode {tls.mode} needs it"
        if given and key not in wanted[tls.mode]:
            yield f"data.tls.{key}", f"has no meaning with mode {tls.mode}"


def schedule_is_possible(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    schedule = catalogue.site.schedule
    for index, name in enumerate(schedule.hosts):
        problem = unknown_host(catalogue, name)
        if not problem and not catalogue.hosts[name].has_systemd:
            problem = f"{name} has no systemd; python runbooks/schedule.py --cron prints lines"
        if problem:
            yield f"data.schedule.hosts.{index}", problem
    for key, problem in schedule.problems:
        yield f"data.schedule.{key}", problem


def our_ports_are_apart(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """The tunnel's two listeners on an edge, and what stands there already."""
    owners: dict[int, str] = {
        53: "the resolver",
        80: "Caddy",
        443: "Caddy",
        2019: "Caddy's admin API",
    }
    owners |= {edge.port: f"sshd on {edge.name}" for edge in catalogue.edges}
    tunnel = catalogue.site.tunnel
    for key, port in (("caddy_port", tunnel.caddy_port), ("metrics_port", tunnel.metrics_port)):
        if port in owners:
            yield f"data.tunnel.{key}", f"{port} belongs to {owners[port]}"
        owners.setdefault(port, f"data.tunnel.{key}")


def channels_name_services(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for index, channel in enumerate(catalogue.site.alerts.channels):
        for name in channel.services:
            if name not in catalogue.services:
                known = ", ".join(catalogue.services)
                yield (
                    f"data.alerts.channels.{index}.services",
                    f"no service {name!r} (services: {known})",
                )


RULES = (
    control_is_a_host,
    the_page_has_a_caddy,
    tls_is_complete,
    schedule_is_possible,
    our_ports_are_apart,
    channels_name_services,
)
