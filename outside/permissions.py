"""What a token has to be allowed for each request, in the words of Cloudflare's dashboard's API."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Permission:
    """One permission of a token: `thing` is what it opens, `level` where it is granted."""

    thing: str
    name: str
    level: str

    def words(self, *, write: bool) -> str:
        """As the list of a token's permissions has it."""
        return f"{self.name} {'Write' if write else 'Read'} ({self.level})"


ZONES = Permission(thing="the zone", name="Zone", level="Zone")
RECORDS = Permission(thing="DNS records", name="DNS", level="Zone")
TUNNEL = Permission(thing="the tunnel", name="Cloudflare Tunnel", level="Account")
APPS = Permission(
    thing="Access applications and policies",
    name="Access: Apps and Policies",
    level="Account",
)
SERVICE_TOKENS = Permission(thing="service tokens", name="Access: Service Tokens", level="Account")
AUDIT = Permission(thing="the audit log", name="Account Settings", level="Account")

_BY_PATH = (
    (r"/zones/[^/]+/dns_records\b", RECORDS),
    (r"/zones\b", ZONES),
    (r"/accounts/[^/]+/cfd_tunnel\b", TUNNEL),
    (r"/accounts/[^/]+/access/service_tokens\b", SERVICE_TOKENS),
    (r"/accounts/[^/]+/access/(apps|policies)\b", APPS),
    (r"/accounts/[^/]+/logs/audit\b", AUDIT),
)


def needed(path: str) -> Permission | None:
    """The permission that a request of `path` needs; a token may always verify itself."""
    return next((p for pattern, p in _BY_PATH if re.match(pattern, path)), None)
