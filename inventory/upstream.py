"""How a service itself is asked, where that is not plain HTTP at its root."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from inventory.fields import DnsName, HostHeader, Prefix, Strict, Trust


@dataclass(frozen=True, kw_only=True)
class Upstream(Strict):
    """What each Caddy and each check says to a placement of a service.

    Over https its certificate is checked against `trust`: the CAs of the asking host
    (`system`), the CA in a file on the edges, or none at all (`insecure`); and against
    `server_name`, by default its address. It is asked as `host`, by default by the name that
    the visitor asked for, and below `path`. Over h2c it speaks HTTP/2 without TLS, as gRPC does.
    """

    scheme: Literal["http", "https", "h2c"] = "http"
    trust: Trust = "system"
    server_name: DnsName | None = None
    host: HostHeader | None = None
    path: Prefix = ""

    @property
    def is_https(self) -> bool:
        return self.scheme == "https"

    @property
    def is_h2c(self) -> bool:
        return self.scheme == "h2c"

    @property
    def ca(self) -> str | None:
        """The file on the edges with the CA that signs for the service."""
        return self.trust if self.trust.startswith("/") else None

    @property
    def problems(self) -> Iterator[tuple[str, str]]:
        """Contradictions, as (key, what is wrong)."""
        for key, given in (("trust", self.trust != "system"), ("server_name", self.server_name)):
            if given and not self.is_https:
                yield key, f"has no meaning over {self.scheme}: it goes with scheme: https"
        if self.server_name and self.trust == "insecure":
            yield "trust", "insecure checks no name: leave it out, or leave server_name out"
