"""How the lab's connector finds an origin's addresses, and in which order it asks them: as Go."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from pathlib import Path

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

HOSTS = Path("/etc/hosts")  # the one that this process sees: a unit may have its own


class HostsFile(AbstractResolver):
    """Every address of a name that the file holds, loopback first; other names are DNS's."""

    def __init__(self, path: Path = HOSTS) -> None:
        self._path = path
        self._dns = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises OSError where nobody knows `host`."""
        found = addresses(self._path.read_text(encoding="utf-8"), host)
        if not found:
            return await self._dns.resolve(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in found
        ]

    async def close(self) -> None:
        await self._dns.close()


def addresses(text: str, name: str) -> list[str]:
    """Those of `name` in a hosts file, sorted as RFC 6724 has them here: loopback first."""
    lines = [line.partition("#")[0].split() for line in text.splitlines()]
    found = [words[0] for words in lines if name.lower() in map(str.lower, words[1:])]
    return sorted(found, key=lambda address: not ip_address(address).is_loopback)
