"""unbound: the catalogue's names for the tailnet, on every resolver alike."""

from inventory.catalogue import Catalogue, Host, Sync
from tasks.configs import sync
from tasks.configs.file import SERVICES, Activation, ConfigFile, Render
from tasks.quote import shell as word
from tasks.tools import UNBOUND

RELOAD = "systemctl reload-or-restart unbound"


def records(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    own = _with_own_records(host, catalogue)
    text = render(
        "resolver/unbound.conf.j2",
        address=host.address,
        domain=catalogue.site.domain,
        guests=catalogue.site.guests,
        records=[
            (name, address)
            for name, addresses in catalogue.records.items()
            for address in addresses
        ],
        includes=[f"{sync.records(host, one)}/*.conf" for one in own],
        forward=catalogue.site.resolver.forward,
    )
    return ConfigFile(
        name="resolver",
        path=host.paths.resolver,
        text=text,
        tool=UNBOUND,
        validate='unbound-checkconf "$1"',
        activation=_activation(host, own),
        folders=tuple(f for one in own for f in (one.directory, sync.records(host, one))),
    )


def _activation(host: Host, own: list[Sync]) -> Activation:
    """Of own records unbound reads the copies that the sync's program has made."""
    copies = f"{word(host.paths.sync)} records && " if own else ""
    return Activation(
        name="resolver",
        order=SERVICES,
        command=f"{copies}{RELOAD}",
        check="systemctl -q is-active unbound",
    )


def _with_own_records(host: Host, catalogue: Catalogue) -> list[Sync]:
    return [one for one in catalogue.syncs_of(host.name) if sync.holds_records(catalogue, one)]
