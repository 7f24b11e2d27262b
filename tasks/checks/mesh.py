"""mesh: is every host on the tailnet, and how does it reach the others?"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from inventory.catalogue import Catalogue, Host
from tasks.checks import parts
from tasks.checks.finding import Finding, Status
from tasks.checks.survey import Survey
from tasks.observe import Question, Reply

STATUS, PREFS = "tailscale status", "tailscale prefs"
# tailscale's NetfilterMode: with 0 nothing, with 1 only rules of your own use its filter.
FILTERS = {0: "off", 1: "nodivert", 2: "on"}
FEW = 5  # hosts, each of which pings all others
KEY_NOTICE = timedelta(days=14)  # a key that ends cuts the host off; renewing needs a login
# Of `Health`, what tailscale itself holds for of low severity, and tells in no other way (1.103,
# health/warnings.go and healthmsg).
NOTICES = re.compile(
    r"An update from version .* is available"
    r"|Some peers are advertising routes but --accept-routes is false"
    r"|This is an unstable version of Tailscale"
)
PONG = re.compile(r"^pong from .* via (?P<via>\S+) in (?P<time>\S+)$", re.MULTILINE)
RELAYS = "DERP(", "peer-relay("  # of Tailscale's, and of the tailnet's own
PLAIN = re.compile(r"time=(?P<time>[\d.]+ ?ms)")


def questions(host: Host, catalogue: Catalogue) -> Iterator[Question]:
    yield Question(name=STATUS, words=("as_json", "tailscale", "status", "--json"))
    yield Question(name=PREFS, words=("as_json", "tailscale", "debug", "prefs"))
    for peer in peers(host, catalogue):
        yield Question(name=f"reach {peer.name}", words=("reach", str(peer.address)))


def peers(host: Host, catalogue: Catalogue) -> tuple[Host, ...]:
    """Whom `host` pings: every other one where there are few. Else an edge still does, and so does
    the control node, which asks the resolvers; all others ping the edges, so that the pairs grow
    as the hosts do, and a host with which they share a sync.
    """
    others = tuple(other for other in catalogue.hosts.values() if other.name != host.name)
    if len(others) < FEW or host.is_edge or host.name == catalogue.site.control:
        return others
    synced = {sync.peer_of(host.name) for sync in catalogue.syncs_of(host.name)}
    return tuple(other for other in others if other.is_edge or other.name in synced)


def judge(survey: Survey) -> Iterator[Finding]:
    now = datetime.now(UTC)
    for host in (host for host in survey.hosts if host.name in survey.seen):
        yield _membership(host.name, survey.reply(host.name, STATUS), now)
        yield _filter(host.name, survey.reply(host.name, PREFS))
        for peer in peers(host, survey.catalogue):
            yield _pair(host.name, peer, survey.reply(host.name, f"reach {peer.name}"))


def _membership(host: str, reply: Reply, now: datetime) -> Finding:
    status, seen = membership(reply, now)
    return Finding(
        check="mesh",
        subject=f"{host} on the tailnet",
        vantage=host,
        status=status,
        seen=seen,
        expected="running, no warnings, its key valid",
        host=host,
        hop=f"mesh {host}",
        todo=f"on {host}: tailscale status; a key is renewed in the admin console",
        needs=(parts.host(host),),
    )


def membership(reply: Reply, now: datetime) -> tuple[Status, str]:
    """What `tailscale status --json` says of the host itself."""
    if reply.is_missing:
        return Status.SKIPPED, f"{reply.text}; routes by plain ping only"
    try:
        told: Mapping[str, Any] = json.loads(reply.text)
        me, state = told["Self"], told["BackendState"]
    except (ValueError, KeyError, TypeError):
        return Status.FAILED, f"tailscale status: {reply.text[:60] or 'no answer'}"
    if state != "Running":
        return Status.FAILED, f"tailscale is {state}"
    if me.get("Expired"):
        return Status.FAILED, "its key has expired"
    left = key_left(me.get("KeyExpiry"), now)
    if left is not None and left < KEY_NOTICE:
        return Status.WARN, f"its key ends in {left.days} days"
    told_of = [str(word) for word in told.get("Health") or ()]
    if warnings := [word for word in told_of if not NOTICES.match(word)]:
        return Status.WARN, "; ".join(warnings)
    return Status.OK, "; ".join(("running", *told_of))


def key_left(expiry: object, now: datetime) -> timedelta | None:
    """None for a key that never ends."""
    if not isinstance(expiry, str) or expiry.startswith("0001"):
        return None
    # Go writes nanoseconds, which Python before 3.11 could not read; ours can.
    return datetime.fromisoformat(expiry) - now


def _filter(host: str, reply: Reply) -> Finding:
    mode = filter_mode(reply)
    return Finding(
        check="mesh",
        subject=f"tailscale's filter on {host}",
        vantage=host,
        status=Status.SKIPPED if mode is None else Status.OK if mode == "on" else Status.WARN,
        seen=mode or (reply.text[:60] if reply.is_missing else "tailscale does not tell"),
        expected="on: no packet with a tailnet address comes in beside the tailnet",
        host=host,
        hop=f"mesh {host}",
        todo=f"on {host}: tailscale set --netfilter-mode=on",
        needs=(parts.host(host),),
    )


def filter_mode(reply: Reply) -> str | None:
    """What `tailscale debug prefs` says of its packet filter; None where it says nothing."""
    try:
        return FILTERS.get(json.loads(reply.text)["NetfilterMode"])
    except (ValueError, KeyError, TypeError):
        return None


def _pair(host: str, peer: Host, reply: Reply) -> Finding:
    status, seen = route(reply)
    return Finding(
        check="mesh",
        subject=f"{host} to {peer.name}",
        vantage=host,
        status=status,
        seen=seen,
        expected="a direct answer",
        host=host,
        hop=f"mesh {host} to {peer.name}",
        todo=f"on {host}: tailscale ping {peer.address}; UDP 41641 open on both sides?",
        part=parts.mesh(host, peer.name),
        needs=(parts.host(host), parts.host(peer.name)),
    )


def route(reply: Reply) -> tuple[Status, str]:
    """How a peer was reached: `tailscale ping` tells the way, a plain ping only the time."""
    if pongs := list(PONG.finditer(reply.text)):
        pong = pongs[-1]
        if pong["via"].startswith(RELAYS):
            return Status.WARN, f"relayed by {pong['via']} in {pong['time']}"
        return Status.OK, f"direct in {pong['time']}"
    if reply.ok and (plain := PLAIN.search(reply.text)):
        return Status.OK, f"reached in {plain['time']} (plain ping)"
    if reply.is_missing:
        return Status.SKIPPED, reply.text
    return Status.FAILED, "no answer"
