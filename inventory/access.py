"""Whom Cloudflare Access lets in to a protected service, and where the clouds' tokens are."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag

from inventory.fields import (
    ApiUrl,
    DnsName,
    Email,
    Flag,
    Hex32,
    Line,
    Name,
    SecretText,
    Session,
    Strict,
    Uuid,
)

Word = Literal["protected", "open", "tailnet"]


@dataclass(frozen=True, kw_only=True)
class Allow(Strict):
    """Any one of these is enough. `groups` are the ids of Access groups."""

    emails: tuple[Email, ...] = ()
    domains: tuple[DnsName, ...] = ()
    groups: tuple[Uuid, ...] = ()

    @property
    def nobody(self) -> bool:
        return not (self.emails or self.domains or self.groups)


@dataclass(frozen=True, kw_only=True)
class Rules(Strict):
    """A protected service's own; what is not given is the site's (`data.access`).

    `service_token`: may verify's token enter? By default it may, where the site names one.
    """

    allow: Allow | None = None
    service_token: Flag | None = None
    session: Session | None = None


def _form(value: Any) -> str:
    return "(rules)" if isinstance(value, dict | Rules) else "(word)"


# A word, or the mapping of a protected service. The tags stand in parentheses, which
# inventory.wording leaves out of the key that it names.
Access = Annotated[
    Annotated[Word, Tag("(word)")] | Annotated[Rules, Tag("(rules)")], Discriminator(_form)
]


@dataclass(frozen=True, kw_only=True)
class ZeroTrust(Strict):
    """Cloudflare Access: the team, the service token that `verify` may enter with, and whom a
    protected service lets in that does not say so itself.
    """

    team: Name
    service_token: SecretText | None = None
    allow: Allow = field(default_factory=Allow)
    session: Session = "24h"  # Cloudflare's own default


@dataclass(frozen=True, kw_only=True)
class Cloudflare(Strict):
    """Where the API token is. The account is the zone's, unless `account` says which."""

    token: SecretText
    account: Hex32 | None = None
    api: ApiUrl = "https://api.cloudflare.com/client/v4"


@dataclass(frozen=True, kw_only=True)
class Tailscale(Strict):
    """Where the credential is: an access token, or beside `client` that OAuth client's secret."""

    token: SecretText
    client: Line | None = None
    api: ApiUrl = "https://api.tailscale.com/api/v2"
