"""Listening: at which addresses a host can be asked, and which of them are nobody's business."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from inventory.catalogue import Catalogue, Host, Service

Address = IPv4Address | IPv6Address

# Addresses of a network at home or at a provider; any other that is not ours is the internet's.
LOCAL = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7")
PRIVATE = tuple(ip_network(network) for network in (*LOCAL, "fe80::/10"))
# Behind these are the host itself, its own containers, and the tailnet.
OWN_DEVICES = re.compile(r"(lo|docker0|tailscale\d+|br-[0-9a-f]{12}|veth.*|virbr\d+)(@.*)?")
MAPPING = re.compile(r"(?P<address>\S+):(?P<first>\d+)(-(?P<last>\d+))?->\S+/(?P<how>tcp|udp)")


@dataclass(frozen=True, kw_only=True)
class Listening:
    """What one host listens on: (tcp or udp, address, port). `addresses` are the host's own
    that somebody beyond itself and the tailnet may know."""

    sockets: frozenset[tuple[str, Address, int]] = frozenset()
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """A service that answers beside Caddy, at `address` and `port` of its host.

    `is_public`: to anybody. The port may be another of the service's, to which a path leads.
    """

    service: Service
    address: Address
    port: int
    is_public: bool


def parse(text: str) -> Listening | None:
    """What listening.sh printed; None where it has told nothing."""
    sockets: set[tuple[str, Address, int]] = set()
    addresses: list[Address] = []
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "listens":
            how, _, where = rest.partition(" ")
            address, _, port = where.partition(":")
            sockets.add((how, _of_socket(address), int(port, 16)))
        elif kind == "publishes":
            sockets.update(_published(rest))
        elif kind == "address":
            device, _, address = rest.partition(" ")
            if not OWN_DEVICES.fullmatch(device):
                addresses += _of_device(address)
    if not sockets:
        return None
    return Listening(sockets=frozenset(sockets), addresses=tuple(addresses))


def _of_socket(text: str) -> Address:
    """An address of /proc/net/tcp: 32-bit words, each with its last byte first."""
    words = [bytes.fromhex(text[n : n + 8])[::-1] for n in range(0, len(text), 8)]
    return ip_address(b"".join(words))


def _of_device(text: str) -> list[Address]:
    """The address of a device; none where a tool has told it in words of its own."""
    try:
        return [ip_address(bytes.fromhex(text) if len(text) == 32 else text)]
    except ValueError:
        return []


def _published(text: str) -> Iterator[tuple[str, Address, int]]:
    for mapping in MAPPING.finditer(text):
        address = ip_address(mapping["address"].strip("[]"))
        first = int(mapping["first"])
        for port in range(first, int(mapping["last"] or first) + 1):
            yield mapping["how"], address, port


def published(text: str, container: str) -> list[int]:
    """The ports at which docker publishes one container."""
    lines = (line.split(" ", 2) for line in text.splitlines() if line.startswith("publishes "))
    found = {
        port
        for words in lines
        if len(words) == 3 and words[1] == container
        for how, _, port in _published(words[2])
        if how == "tcp"
    }
    return sorted(found)


def exposures(host: Host, catalogue: Catalogue, listening: Listening) -> Iterator[Exposure]:
    """Every address beyond tailnet and loopback at which a service of `host` listens."""
    allowed = [ip_network(network) for network in catalogue.site.guests]
    for service in catalogue.services.values():
        if host.name not in service.placements:
            continue
        for port in service.ports:
            for address in sorted(_reached(listening, service, port), key=str):
                if address == host.address or any(address in network for network in allowed):
                    continue
                private = any(address in network for network in PRIVATE)
                yield Exposure(service=service, address=address, port=port, is_public=not private)


def _reached(listening: Listening, service: Service, wanted: int) -> set[Address]:
    hows = ("tcp", "udp") if service.kind == "dns" else ("tcp",)
    found: set[Address] = set()
    for how, address, port in listening.sockets:
        if how not in hows or port != wanted or address.is_loopback:
            continue
        if address.is_unspecified:
            # `::` takes IPv4 as well, unless a program says otherwise; few do.
            both = isinstance(address, IPv6Address)
            found.update(a for a in listening.addresses if both or isinstance(a, IPv4Address))
        else:
            found.add(getattr(address, "ipv4_mapped", None) or address)
    return {address for address in found if not address.is_loopback}


def warnings(host: Host, catalogue: Catalogue, listening: Listening | None) -> Iterator[str]:
    """What a plan says of it."""
    for found in exposures(host, catalogue, listening) if listening else ():
        who = "ANYBODY" if found.is_public else "its network"
        yield (
            f"{found.service.name} listens on {found.address}:{found.port} too: {who} "
            f"reaches it there, past Caddy and Access"
        )
