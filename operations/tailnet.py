"""Split DNS of the tailnet as the catalogue wants it: looked at, carried out."""

from collections.abc import Iterator
from contextlib import contextmanager

from inventory.catalogue import Catalogue
from inventory.errors import UsageError
from outside.tailscale import SplitDns, Tailnet, point, read_credential, split_plan


@contextmanager
def tailnet_of(catalogue: Catalogue) -> Iterator[Tailnet]:
    """Raises UsageError where there is no credential, InventoryError."""
    told = catalogue.site.tailscale
    if told is None:
        raise UsageError("there is no credential: data.tailscale.token in inventory/defaults.yaml")
    tailnet = Tailnet(told.api, read_credential(told.token, told.client), told.client)
    try:
        yield tailnet
    finally:
        tailnet.close()


def look_split_dns(catalogue: Catalogue) -> SplitDns:
    """Raises CloudError or InventoryError."""
    with tailnet_of(catalogue) as tailnet:
        return split_plan(catalogue, tailnet.split_dns())


def carry_split_dns(catalogue: Catalogue, plan: SplitDns) -> None:
    """Raises CloudError."""
    with tailnet_of(catalogue) as tailnet:
        point(tailnet, plan)
