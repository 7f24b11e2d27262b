"""Every secret that a site names: where, and which of them cannot be had."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from inventory.catalogue import Catalogue
from inventory.errors import InventoryError
from inventory.fields import is_reference
from inventory.load import locate
from inventory.secret import Secret
from inventory.yaml_file import short

FREE = ("text", "name", "title")  # words of the operator's that may look like a reference
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
    for key, text in _references(catalogue.site, "data"):
        renders = key == "data.tunnel.credentials"
        yield Named(place=f"{files['defaults']}: {key}", reference=text, renders=renders)
    for key, text in _references(catalogue.mcp, ""):
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


def _references(part: Any, key: str) -> Iterator[tuple[str, str]]:
    """(dotted key, reference) of all below `part`."""
    if isinstance(part, str):
        if is_reference(part) and key.rpartition(".")[2] not in FREE:
            yield key.removesuffix(".secret"), part
        return
    inner: list[tuple[str, Any]] = []
    if is_dataclass(part):
        inner = [(field.name, getattr(part, field.name)) for field in fields(part)]
    elif isinstance(part, Mapping):
        inner = [(str(name), value) for name, value in part.items()]
    elif isinstance(part, tuple):
        inner = [(str(n), value) for n, value in enumerate(part)]
    for name, value in inner:
        yield from _references(value, f"{key}.{name}" if key else name)
