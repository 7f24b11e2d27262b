"""unbound: the catalogue's names for the tailnet, on every resolver alike."""

from inventory.catalogue import Catalogue, Host
from tasks.configs.file import SERVICES, Activation, ConfigFile, Render, Tool

ACTIVATION = Activation(
    name="resolver",
    order=SERVICES,
    command="systemctl reload-or-restart unbound",
    check="systemctl -q is-active unbound",
)


def records(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    own_records = _own_records(host, catalogue)
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
        includes=[f"{directory}/*.conf" for directory in own_records],
        forward=catalogue.site.resolver.forward,
    )
    return ConfigFile(
        name="resolver",
        path=host.paths.resolver,
        text=text,
        tool=Tool(name="unbound-checkconf", version="unbound -V"),
        validate='unbound-checkconf "$1"',
        activation=ACTIVATION,
        folders=tuple(own_records),
    )


def _own_records(host: Host, catalogue: Catalogue) -> list[str]:
    """The synced directories in which the operator keeps records of their own."""
    return [
        sync.directory
        for sync in catalogue.syncs_of(host.name)
        if sync.service and catalogue.services[sync.service].kind == "dns"
    ]
