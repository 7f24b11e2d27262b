"""From where a drill asks: through one Caddy, by name, or through Cloudflare."""

import asyncio
import itertools
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import dns.asyncquery
import dns.exception
import dns.message
import dns.rdatatype

from inventory.catalogue import Catalogue, Service
from inventory.errors import InventoryError
from inventory.resolver import Nameserver
from inventory.secret import Secret
from tasks.drill.exchange import Connection
from tasks.drill.faults import BY_NAME, CLOUDFLARE
from tasks.probe import blind_tls

ANSWER_SECONDS = 1.0  # for a resolver; a resolver that is alive takes milliseconds
NEXT_ADDRESS = 1.0  # seconds until the next of several addresses is tried


@dataclass(kw_only=True)
class Vantage:
    """Either fixed `addresses`, or `resolvers` that are asked for them."""

    name: str
    hostname: str
    tls: ssl.SSLContext = field(repr=False)
    addresses: tuple[str, ...] = ()
    resolvers: tuple[Nameserver, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    _turns: Iterator[int] = field(default_factory=itertools.count, repr=False)

    async def refresh(self) -> None:
        """Ask the resolvers; what was known stays when none answers."""
        asked = [asyncio.create_task(_lookup(r, self.hostname)) for r in self.resolvers]
        for first in asyncio.as_completed(asked):
            if found := await first:
                self.addresses = found
                break
        for task in asked:
            task.cancel()

    async def connect(self) -> Connection:
        """Try the addresses as a browser does, another one first each time. Raises OSError."""
        if not self.addresses:
            raise LookupError(f"no resolver knows {self.hostname}")
        turn = next(self._turns) % len(self.addresses)
        *firsts, last = self.addresses[turn:] + self.addresses[:turn]
        for address in firsts:
            try:
                return await asyncio.wait_for(self._open(address), NEXT_ADDRESS)
            except OSError:  # TimeoutError is one
                continue
        return await self._open(last)

    async def _open(self, address: str) -> Connection:
        return await Connection.open(address, 443, hostname=self.hostname, tls=self.tls)


async def _lookup(server: Nameserver, name: str) -> tuple[str, ...]:
    """The addresses that one resolver knows; none when it does not answer."""
    query = dns.message.make_query(name, dns.rdatatype.A)
    try:
        answer = await _ask(query, server)
    except (dns.exception.DNSException, OSError, EOFError):
        return ()
    return tuple(rdata.address for rrset in answer.answer for rdata in rrset)


async def _ask(query: dns.message.Message, server: Nameserver) -> dns.message.Message:
    where, port = str(server.address), server.port
    if not server.tls:
        return await dns.asyncquery.udp(query, where, timeout=ANSWER_SECONDS, port=port)
    return await dns.asyncquery.tls(
        query, where, timeout=ANSWER_SECONDS, port=port, server_hostname=server.tls
    )


def vantages(catalogue: Catalogue, service: Service) -> list[Vantage]:
    """Every vantage from which `service` can be seen from here. Raises InventoryError."""
    hostname = service.hostname
    found = [
        Vantage(name=e.name, hostname=hostname, tls=blind_tls(), addresses=(str(e.address),))
        for e in catalogue.edges
    ]
    resolvers = tuple(Nameserver(address=host.address) for host in catalogue.resolvers)
    if resolvers:
        found.append(Vantage(name=BY_NAME, hostname=hostname, tls=blind_tls(), resolvers=resolvers))
    if service.is_public and catalogue.site.access.service_token:
        found.append(_through_cloudflare(catalogue, service))
    return found


def _through_cloudflare(catalogue: Catalogue, service: Service) -> Vantage:
    """A service token goes along, so this one alone checks the certificate."""
    return Vantage(
        name=CLOUDFLARE,
        hostname=service.hostname,
        tls=ssl.create_default_context(),
        resolvers=catalogue.site.resolver.forward,
        headers=token_headers(catalogue.site.access.service_token or ""),
    )


def token_headers(reference: str) -> dict[str, str]:
    """The headers of Access's service token, from JSON with client_id and client_secret."""
    try:
        token = json.loads(Secret(reference).reveal())
        return {
            "CF-Access-Client-Id": str(token["client_id"]),
            "CF-Access-Client-Secret": str(token["client_secret"]),
        }
    except (ValueError, KeyError, TypeError) as error:
        raise InventoryError(
            f"{reference}: should be JSON with client_id and client_secret"
        ) from error
