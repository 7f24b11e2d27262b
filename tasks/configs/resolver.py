"""unbound: the catalogue's names for the tailnet, on every resolver alike."""

from inventory.catalogue import Catalogue, Host, Sync
from inventory.names import is_below
from tasks.configs import sync
from tasks.configs.file import SERVICES, Activation, ConfigFile, Render
from tasks.quote import shell as word
from tasks.tools import UNBOUND

RELOAD = "systemctl reload-or-restart unbound"
RESTART = "systemctl restart unbound"  # only at its start does it read `tls-cert-bundle` (1.17.1)


CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"  # Debian's and Ubuntu's, of `ca-certificates`


def records(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    own, site = _with_own_records(host, catalogue), catalogue.site
    wildcards, domains = catalogue.wildcards, site.all_domains
    exact = {n: found for n, found in catalogue.exact_records.items() if n not in wildcards}
    named = (*exact, *catalogue.own_records)
    text = render(
        "resolver/unbound.conf.j2",
        address=host.address,
        domains=domains,
        zones=[domain for domain in domains if domain not in wildcards],
        wildcards=wildcards,
        through_caddy=catalogue.through_caddy,
        apart=[name for name in named if any(is_below(name, parent) for parent in wildcards)],
        guests=site.guests,
        records=[(name, address) for name, addresses in exact.items() for address in addresses],
        includes=[f"{sync.records(host, one)}/*.conf" for one in own],
        own=catalogue.own_records,
        resolver=site.resolver,
        ca_bundle=CA_BUNDLE,
    )
    return ConfigFile(
        name="resolver",
        path=host.paths.resolver,
        text=text,
        tool=UNBOUND,
        validate=_validate(site.resolver.over_tls),
        activation=_activation(host, own, RESTART if site.resolver.over_tls else RELOAD),
        folders=tuple(f for one in own for f in (one.directory, sync.records(host, one))),
    )


def _validate(over_tls: bool) -> str:
    """unbound ends at its start where the bundle is missing; its checkconf does not look."""
    check = 'unbound-checkconf "$1"'
    missing = f"{CA_BUNDLE} is missing; install ca-certificates"
    return (
        f"[ -r {CA_BUNDLE} ] || {{ echo {word(missing)}; exit 1; }}; {check}" if over_tls else check
    )


def _activation(host: Host, own: list[Sync], command: str) -> Activation:
    """Of own records unbound reads the copies that the sync's program has made."""
    copies = f"{word(host.paths.sync)} records && " if own else ""
    return Activation(
        name="resolver",
        order=SERVICES,
        command=f"{copies}{command}",
        check="systemctl -q is-active unbound",
    )


def _with_own_records(host: Host, catalogue: Catalogue) -> list[Sync]:
    return [one for one in catalogue.syncs_of(host.name) if sync.holds_records(catalogue, one)]
