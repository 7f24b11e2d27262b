"""Every secret that a site names: where, and which of them cannot be had."""

from collections.abc import Iterator
from dataclasses import dataclass

from inventory.catalogue import Catalogue
from inventory.errors import InventoryError
from inventory.load import locate
from inventory.references import references
from inventory.secret import Secret
from inventory.yaml_file import short

LOGIN = "connection_options.netmiko.extras"


@dataclass(frozen=True, kw_only=True)
class Named:
    """One reference and the key that wants it; `renders`: no config can be made without it."""

    place: str
    reference: str
    renders: bool

    @property
    def trouble(self) -> str:
        """Why it cannot be had; "" where it can. A command is run for it."""
        try:
            Secret(self.reference).reveal()
        except InventoryError as error:
            return str(error)
        return ""


def named(catalogue: Catalogue) -> Iterator[Named]:
    """All of them, each key once."""
    files = {key: short(path) for key, path in vars(locate(catalogue.config)).items()}
    for key, text in references(catalogue.site, "data"):
        renders = key == "data.tunnel.credentials"
        yield Named(place=f"{files['defaults']}: {key}", reference=text, renders=renders)
    for service in catalogue.services.values():
        for key, text in references(
            service.front.basic_auth, f"services.{service.name}.front.basic_auth"
        ):
            yield Named(place=f"{files['services']}: {key}", reference=text, renders=True)
    for key, text in references(catalogue.mcp, ""):
        yield Named(place=f"{files['mcp']}: {key}", reference=text, renders=True)
    asked = dict.fromkeys(host.login.passphrase for host in catalogue.hosts.values())
    for reference in filter(None, asked):
        place = f"{files['defaults']}: {LOGIN}.passphrase"
        yield Named(place=place, reference=reference, renders=False)


def refuse_missing(catalogue: Catalogue) -> None:
    """Raise InventoryError with every secret that no config can be made without and nobody has."""
    missing = [
        f"{one.place}: {trouble}"
        for one in named(catalogue)
        if one.renders and (trouble := one.trouble)
    ]
    if missing:
        raise InventoryError("\n".join(missing))
