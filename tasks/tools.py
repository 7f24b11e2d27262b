"""The programs that twinedge needs on a host: the one table of their least versions."""

from dataclasses import dataclass

DISTRIBUTION = "Debian 12, Ubuntu 24.04 and later have it"


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program on a host; `version` is the command that tells its version.

    `way` says how to come to `least`, the least version that will do, and `without` what
    is missing where it is not installed.
    """

    name: str
    version: str
    least: str
    way: str = DISTRIBUTION
    without: str = "no validation of its config there"

    def is_older(self, version: str) -> bool:
        """Is `version` less than the least? One that is not told is not."""
        numbers = _numbers(version)
        return bool(numbers) and numbers < _numbers(self.least)


# Earlier ones lose a write whose connection was refused: its body does not reach the handler
# of that error (measured: 2.11.3 and less lose it, 2.11.4 and 2.11.7 do not).
CADDY = Tool(
    name="caddy",
    version="caddy version",
    least="2.11.4",
    way="Caddy's own packages have it, https://caddyserver.com/docs/install",
)
# Access at a rule of `ingress`.
CLOUDFLARED = Tool(
    name="cloudflared",
    version="cloudflared --version",
    least="2023.1.0",
    way="Cloudflare's own packages have it, https://pkg.cloudflare.com",
)
UNBOUND = Tool(name="unbound-checkconf", version="unbound -V", least="1.13.1")
# 2.51 has another format of archives.
UNISON = Tool(name="unison", version="unison -version", least="2.52.0")
LSYNCD = Tool(name="lsyncd", version="lsyncd -version", least="2.2.3")
# Rules by the user of a socket, elements with a timeout.
NFT = Tool(
    name="nft",
    version="nft --version",
    least="0.9.8",
    without="a reload of Caddy may lose requests, and its tunnel listener takes every local user",
)
# PrivateIPC, for the box in which a sync runs.
SYSTEMD = Tool(name="systemd-analyze", version="systemd-analyze --version", least="248")
TOOLS = {t.name: t for t in (CADDY, CLOUDFLARED, UNBOUND, UNISON, LSYNCD, NFT, SYSTEMD)}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
