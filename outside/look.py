"""Reading what is at Cloudflare: whole, or not at all."""

import json
from collections.abc import Iterator

from inventory.catalogue import Catalogue
from inventory.errors import InventoryError
from inventory.secret import Secret
from outside.client import Api, CloudError, Rejected
from outside.seen import App, Connector, Policy, Record, Seen, ServiceToken, TunnelSeen, Zone
from outside.token import standing

# What a page may hold at the most, each list its own.
ZONES, RECORDS, APPS, POLICIES, TOKENS = 50, 5000, 1000, 100, 1000


class NoZone(CloudError):
    """No zone that the token may read holds the domain."""


def look(api: Api, token: str, catalogue: Catalogue) -> Seen:
    """Everything that a plan needs. Raises CloudError where any of it cannot be read."""
    zone = _zone(api, catalogue)
    account = zone.account.id
    access = f"/accounts/{account}/access"
    tunnel = _tunnel(api, account, catalogue.site.tunnel.id)
    return Seen(
        zone=zone,
        until=standing(api, token, account).expires_on,
        tunnel=tunnel,
        connectors=_connectors(api, account, tunnel) if tunnel else (),
        records=Record.every(api.every(f"/zones/{zone.id}/dns_records", per_page=RECORDS)),
        apps=App.every(api.every(f"{access}/apps", per_page=APPS)),
        policies=Policy.every(api.every(f"{access}/policies", per_page=POLICIES)),
        service_tokens=_service_tokens(api, access, catalogue),
    )


def client_id(reference: str) -> str:
    """The public half of verify's service token. Raises InventoryError."""
    try:
        return str(json.loads(Secret(reference).reveal())["client_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise InventoryError(
            f"{reference}: should be JSON with client_id and client_secret"
        ) from error


def _service_tokens(api: Api, access: str, catalogue: Catalogue) -> tuple[ServiceToken, ...]:
    """Asked for where one enters: a token of ours need not be allowed to see them else."""
    if catalogue.site.access.service_token is None:
        return ()
    every: tuple[ServiceToken, ...] = ServiceToken.every(
        api.every(f"{access}/service_tokens", per_page=TOKENS)
    )
    return every


def _zone(api: Api, catalogue: Catalogue) -> Zone:
    """The zone of the domain: its own, or that of a domain above it."""
    for name in _domains(catalogue.site.domain):
        for zone in Zone.every(api.every("/zones", per_page=ZONES, name=name)):
            wanted = catalogue.site.cloudflare and catalogue.site.cloudflare.account
            if wanted in (None, zone.account.id):
                found: Zone = zone
                return found
    raise NoZone(
        f"no zone that the token may read holds {catalogue.site.domain}: is it of another account, "
        "or is the token made for other zones?"
    )


def _domains(domain: str) -> Iterator[str]:
    labels = domain.split(".")
    for n in range(max(len(labels) - 1, 1)):
        yield ".".join(labels[n:])


def _tunnel(api: Api, account: str, tunnel: str) -> TunnelSeen | None:
    """None where the account has none of that id."""
    try:
        found: TunnelSeen = TunnelSeen.of(api.get(f"/accounts/{account}/cfd_tunnel/{tunnel}"))
    except Rejected as error:
        if error.http_status == 404:
            return None
        raise
    return found


def _connectors(api: Api, account: str, tunnel: TunnelSeen) -> tuple[Connector, ...]:
    """Asked for by themselves: those in the tunnel's own object are announced to go."""
    told = api.get(f"/accounts/{account}/cfd_tunnel/{tunnel.id}/connections")
    every: tuple[Connector, ...] = Connector.every(told or [])
    return every
