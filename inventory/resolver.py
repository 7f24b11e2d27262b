"""The resolver: whom it asks what the catalogue does not hold, and records of one's own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any

from pydantic import BeforeValidator

from inventory.fields import DnsName, RecordName, Strict, TxtText

DNS, DNS_OVER_TLS = 53, 853  # ports: RFC 1035, RFC 7858


@dataclass(frozen=True, kw_only=True)
class Nameserver:
    """A server that answers DNS, in unbound's notation: `1.1.1.1`, `127.0.0.1@5335`, or over TLS
    `1.1.1.1@853#cloudflare-dns.com`, where `tls` is the name in its certificate.
    """

    address: IPv4Address | IPv6Address
    port: int = DNS
    tls: str = ""

    @classmethod
    def parse(cls, value: Any) -> "Nameserver":
        """Raises ValueError."""
        text = str(value)
        match = re.fullmatch(r"([0-9A-Fa-f.:]+)(?:@([0-9]{1,5}))?(?:#([a-z0-9.-]{1,253}))?", text)
        try:
            address = ip_address(match[1] if match else "")
        except ValueError as error:
            raise ValueError(
                f"{text!r} is not a nameserver such as 1.1.1.1, 127.0.0.1@5335 or, over TLS, "
                "1.1.1.1@853#cloudflare-dns.com"
            ) from error
        assert match is not None, "an address was found in it"
        tls = match[3] or ""
        port = int(match[2] or (DNS_OVER_TLS if tls else DNS))
        if not 0 < port < 65536:
            raise ValueError(f"{text!r}: there is no port {port}")
        if port == DNS_OVER_TLS and not tls:
            raise ValueError(
                f"{text!r} is asked over TLS, and anybody could pose as it: add the name in its "
                f"certificate, as in {text}#cloudflare-dns.com"
            )
        return cls(address=address, port=port, tls=tls)

    def __str__(self) -> str:
        default = DNS_OVER_TLS if self.tls else DNS
        port = f"@{self.port}" if self.port != default or self.tls else ""
        return f"{self.address}{port}{'#' if self.tls else ''}{self.tls}"


Server = Annotated[Nameserver, BeforeValidator(Nameserver.parse)]


def _record(value: Any) -> Any:
    """One address, or several, stand for themselves."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        return value
    addresses = [ip_address(str(text)) for text in texts]
    return {
        "a": [a for a in addresses if a.version == 4],
        "aaaa": [a for a in addresses if a.version == 6],
    }


@dataclass(frozen=True, kw_only=True)
class Record(Strict):
    """What one name of one's own is answered with: addresses and texts, or those of `cname`."""

    a: tuple[IPv4Address, ...] = ()
    aaaa: tuple[IPv6Address, ...] = ()
    txt: tuple[TxtText, ...] = ()
    cname: DnsName | None = None


@dataclass(frozen=True, kw_only=True)
class Resolver(Strict):
    """`forward` answers all that the catalogue does not hold, `stub_zones` the names below theirs
    (a router's, a domain controller's), and `records` are one's own, beside the catalogue's.
    """

    forward: tuple[Server, ...]
    stub_zones: Mapping[DnsName, tuple[Server, ...]] = field(default_factory=dict)
    records: Mapping[RecordName, Annotated[Record, BeforeValidator(_record)]] = field(
        default_factory=dict
    )

    @property
    def over_tls(self) -> bool:
        return any(server.tls for server in self.forward)

    @property
    def asks_this_host(self) -> bool:
        """Is one of its nameservers on loopback? unbound asks none there unless told to."""
        servers = (*self.forward, *(s for zone in self.stub_zones.values() for s in zone))
        return any(server.address.is_loopback for server in servers)
