"""From the catalogue and what was seen to a plan: pure, and by an allow-list of keys.

Nothing follows from absence alone: what is changed or deleted carries our mark and leads to
our tunnel, and what is made takes no place that something else has.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from inventory.catalogue import Catalogue
from inventory.errors import UsageError
from outside.apps import Apps
from outside.plan import Conflict, Plan, Step
from outside.records import Records
from outside.seen import Seen, words_of
from outside.wanted import Wanted, token_enters, wanted

SOON = timedelta(days=30)
ORDER = {"change": 0, "adopt": 0, "release": 0, "create": 1, "delete": 2}


def make_plan(
    catalogue: Catalogue,
    seen: Seen,
    *,
    service_token: str | None = None,
    adopt: Collection[str] = (),
    release: Collection[str] = (),
    now: datetime,
) -> Plan:
    """`service_token` is the client id of the one that verify enters with; `adopt` and
    `release` are public names. Raises UsageError where there is nothing of that kind.
    """
    token = next((t for t in seen.service_tokens if t.client_id == service_token), None)
    want = wanted(catalogue, token.id if token else None)
    apps = Apps(seen, want, adopt=adopt, release=release)
    records = Records(seen, want, apps, adopt=adopt, release=release)
    found: list[Step | Conflict] = [*apps.plan(), *records.plan(), *apps.going(records)]
    _refuse_in_vain(found, adopt, release)
    steps = [one for one in found if isinstance(one, Step)]
    ends = tuple(_ending(seen, service_token, now))
    problems = [*_problems(catalogue, seen, service_token, known=token is not None)]
    return Plan(
        steps=tuple(sorted(steps, key=lambda s: (s.turn, ORDER[s.action], s.host, s.name))),
        conflicts=tuple(one for one in found if isinstance(one, Conflict)),
        problems=tuple(problems),
        notes=(
            *apps.notes,
            *records.notes,
            *_replicas(catalogue, seen),
            *ends,
            *_notes(seen, want),
        ),
        ending=ends,
        audiences=apps.audiences,
        policies=apps.policy_ids,
        ours=apps.ours + records.ours,
    )


def _refuse_in_vain(
    found: list[Step | Conflict], adopt: Collection[str], release: Collection[str]
) -> None:
    for action, names in (("adopt", adopt), ("release", release)):
        done = {one.host for one in found if isinstance(one, Step) and one.action == action}
        for name in names:
            if name not in done:
                raise UsageError(f"--{action} {name}: there is nothing to {action} at that name")


def _problems(
    catalogue: Catalogue, seen: Seen, service_token: str | None, *, known: bool
) -> Iterator[str]:
    zone, tunnel = seen.zone, seen.tunnel
    if zone.status != "active":
        yield f"the zone {zone.name} is {zone.status or 'of no known status'}, not active"
    if zone.paused:
        yield f"Cloudflare is paused for {zone.name}: no record leads through it, and Access is off"
    if tunnel is None:
        yield (
            f"the account of {zone.name} has no tunnel {catalogue.site.tunnel.id}: is data.tunnel "
            "that of another account?"
        )
    elif tunnel.deleted_at:
        yield f"the tunnel {tunnel.name} was deleted at {tunnel.deleted_at:%d %b %Y %H:%M}"
    elif tunnel.is_remote:
        yield (
            "the dashboard owns the ingress: every replica takes its rules from there, and "
            "config.yml counts for nothing. Make a tunnel with `cloudflared tunnel create`, and "
            "name it in data.tunnel; no tunnel goes back"
        )
    enters = [s.name for s in catalogue.public_services if token_enters(catalogue, s)]
    if service_token and not known and enters:
        yield (
            f"the account has no service token {service_token}, with which verify enters "
            f"{', '.join(enters)}: revoked, or of another account?"
        )


def _ending(seen: Seen, service_token: str | None, now: datetime) -> Iterator[str]:
    """What has ended, is switched off, or ends soon: the API token, and verify's service token."""
    if seen.until and seen.until - now < SOON:
        yield f"the API token ends on {seen.until:%d %b %Y}: make a new one"
    for token in seen.service_tokens:
        if token.client_id != service_token:
            continue
        if token.enabled is False:
            yield f"the service token {token.name} is switched off: verify cannot enter"
        if token.expires_at and token.expires_at - now < SOON:
            yield f"the service token {token.name} ends on {token.expires_at:%d %b %Y}: rotate it"


def _notes(seen: Seen, want: Wanted) -> Iterator[str]:
    for host in want.hosts:
        above = host.removesuffix(f".{seen.zone.name}")
        if "." in above:
            yield f"{host} is two levels below {seen.zone.name}: TLS needs an advanced certificate"
    for record in seen.records:
        if record.name.startswith("*.") and record.content == want.mark.target:
            yield f"{record.name} leads to the tunnel: a name is led there once the ingress has it"
    yield from _shadows(seen, want)


def _replicas(catalogue: Catalogue, seen: Seen) -> Iterator[str]:
    """One process an edge runs the tunnel; `healthy` alone does not say that all do."""
    there = [connector for connector in seen.connectors if connector.alive]
    edges = len(catalogue.edges)
    if len(there) > edges:
        named = "; ".join(connector.words for connector in there)
        yield (
            f"{len(there)} REPLICAS RUN THE TUNNEL, and the catalogue has {edges} edges: does "
            f"somebody else have its credentials? {named}"
        )
    elif len(there) < edges and catalogue.public_services:
        yield f"{len(there)} of {edges} replicas of the tunnel are connected"


def _shadows(seen: Seen, want: Wanted) -> Iterator[str]:
    """Applications that answer for a part of our names, and inherit nothing from ours."""
    for app in seen.apps:
        for place in app.places:
            host, _, path = place.partition("/")
            hit = [name for name in want.hosts if fnmatchcase(name, host)]
            if path and hit:
                lets = {word for p in app.policies or () for word in words_of(p.include)}
                decisions = {policy.decision for policy in app.policies or ()}
                loud = "BYPASSES Access" if "bypass" in decisions else "has rules of its own"
                who = f" for {', '.join(sorted(lets))}" if lets else ""
                yield f"application {app.name!r} {loud} at {place}{who}, whatever ours says"
            elif "*" in host:
                for name in hit:
                    if name not in want.apps:
                        yield f"{name} is open, but application {app.name!r} at {place} guards it"
