"""A host that nobody logs in to: an address, and nothing else."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any

from pydantic import BeforeValidator

from inventory.fields import Name, Strict, host_name

KEYS = ("hostname", "groups", "data")  # of its entry in hosts.yaml; of `data`, DATA

DATA = ("ssh", "was")


def _address(value: Any) -> IPv4Address | IPv6Address | str:
    """An address, or a name that the edges resolve themselves. Raises ValueError."""
    text = value if isinstance(value, str) else str(value)
    try:
        return ip_address(text)
    except ValueError:
        pass
    if not isinstance(value, str) or not re.search(r"[a-z]", text.rpartition(".")[2]):
        raise ValueError(f"{text!r} is no address, and no name such as nas.lan")
    return host_name(text)


@dataclass(frozen=True, kw_only=True)
class Appliance(Strict):
    """A box with a web GUI, such as a hypervisor, a NAS or a router: `ssh: false`.

    Nothing is put there and nobody logs in to it. The edges ask its services at `address`: an
    IPv4 or IPv6 address, or a name that they resolve themselves (of MagicDNS, or of the LAN).
    `was` is the name that it had before.
    """

    name: Name
    was: Name | None = None
    address: Annotated[IPv4Address | IPv6Address | str, BeforeValidator(_address)]

    @property
    def words(self) -> str:
        """What every list of hosts says of it."""
        return "no SSH: nothing is put there; the edges ask its services"


def at_port(address: object, port: int) -> str:
    """`address:port`, as a URL and a Caddyfile have it."""
    return f"{bracketed(address)}:{port}"


def bracketed(address: object) -> str:
    """An address as it stands in a URL."""
    return f"[{address}]" if ":" in str(address) else str(address)
