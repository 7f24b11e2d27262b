"""caddy: what each edge's Caddy runs – its order of upstreams, its view, its doors."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from inventory.catalogue import Catalogue, Host, Service
from tasks.checks import parts
from tasks.checks.finding import Finding, Status
from tasks.checks.holding import Holder, holder_of
from tasks.checks.service import sightings
from tasks.checks.survey import Survey
from tasks.configs.caddy import ADMIN_SOCKET
from tasks.observe import Question, Reply
from tasks.way import is_healthy

ADMIN_PORT = 2019  # Caddy's own, where an earlier version of ours had it
CONFIG, AUTHORITY, METRICS, LISTENERS = "caddy config", "caddy ca", "caddy metrics", "listeners"
TRUSTED = "what Caddy believes"
GAUGE = 'caddy_reverse_proxy_upstreams_healthy{upstream="'
# What observe.sh tells of the doors that Caddy trusts, where nobody else can come in.
CLOSED = {"admin-api": "socket 700 600", "tunnel-listener": "guarded"}
LOOPBACK = ("127.", "[::1]", "::1")

Order = tuple[str, ...]


def questions(host: Host, catalogue: Catalogue) -> Iterator[Question]:
    if not host.is_edge:
        return
    yield Question(name=CONFIG, words=("admin", ADMIN_SOCKET, "/config/"))
    yield Question(name=METRICS, words=("admin", ADMIN_SOCKET, "/metrics"))
    yield Question(name=LISTENERS, words=("listeners",))
    port = str(catalogue.site.tunnel.caddy_port)
    yield Question(name=TRUSTED, words=("trusted", ADMIN_SOCKET, port))
    if catalogue.site.tls.mode == "internal":
        yield Question(name=AUTHORITY, words=("admin", ADMIN_SOCKET, "/pki/ca/local"))


def root_of(reply: Reply) -> str | None:
    """The certificate of Caddy's own CA, PEM."""
    try:
        return str(json.loads(reply.text)["root_certificate"]) if reply.ok else None
    except (ValueError, KeyError, TypeError):
        return None


def judge(survey: Survey) -> Iterator[Finding]:
    for edge in survey.edges:
        running = _config(survey.reply(edge.name, CONFIG))
        yield _runs(survey, edge.name, running is not None)
        if running is not None:
            yield from _orders(survey, edge, orders_of(running))
        yield from _views(survey, edge)
        yield from _doors(survey, edge)
        yield from _trusted(survey, edge.name)


def _config(reply: Reply) -> Mapping[str, Any] | None:
    try:
        told = json.loads(reply.text) if reply.ok else None
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def _runs(survey: Survey, edge: str, answers: bool) -> Finding:
    reply, unit = survey.reply(edge, CONFIG), survey.unit_state(edge, "caddy")
    seen = "running" if answers else "its admin API does not answer"
    if unit not in ("active", None):
        seen = f"unit caddy is {unit}"
    elif reply.is_missing:
        seen = reply.text
    broken = Status.SKIPPED if reply.is_missing else Status.FAILED
    held = None if answers else _held(survey, edge)
    port = f"port {held.port} is held by {held}" if held else ""
    return Finding(
        check="caddy",
        subject=f"Caddy on {edge}",
        vantage=edge,
        status=Status.OK if seen == "running" else broken,
        seen=seen,
        expected="running",
        host=edge,
        hop=f"caddy {edge}",
        why=port,
        todo=f"on {edge}: take the port from {held}, then systemctl restart caddy"
        if held
        else f"on {edge}: systemctl status caddy; journalctl -u caddy -n 50",
        part=parts.caddy(edge),
        needs=(parts.host(edge),),
    )


def _held(survey: Survey, edge: str) -> Holder | None:
    """Who holds a port that Caddy needs."""
    ports = (443, survey.catalogue.site.tunnel.caddy_port)
    found = (holder_of(survey, edge, port, "caddy") for port in ports)
    return next((holder for holder in found if holder), None)


def orders_of(config: Mapping[str, Any]) -> Mapping[str, frozenset[Order]]:
    """Hostname -> the orders of upstreams that its handlers ask in."""
    found: dict[str, set[Order]] = {}
    servers = config.get("apps", {}).get("http", {}).get("servers", {})
    for server in servers.values():
        for route in server.get("routes", []):
            for name in (n for match in route.get("match", []) for n in match.get("host", [])):
                found.setdefault(name, set()).update(_upstreams(route))
    return {name: frozenset(orders) for name, orders in found.items()}


def _upstreams(part: Any) -> Iterator[Order]:
    """Every order of upstreams inside a part of Caddy's config."""
    if isinstance(part, list):
        for one in part:
            yield from _upstreams(one)
    elif isinstance(part, dict):
        if part.get("handler") == "reverse_proxy":
            yield tuple(str(u.get("dial", "")) for u in part.get("upstreams", []))
        for one in (part.get("handle"), part.get("routes")):
            yield from _upstreams(one)


def _orders(
    survey: Survey, edge: Host, running: Mapping[str, frozenset[Order]]
) -> Iterator[Finding]:
    for service in (each for each in survey.web_services if each.placements):
        wanted = survey.catalogue.upstreams_from(edge.name, service)
        known = set(survey.catalogue.orders_from(edge.name, service)) - {wanted}
        found = running.get(service.hostname, frozenset()) - known
        yield Finding(
            check="caddy",
            subject=f"order of {service.name} on {edge.name}",
            vantage=edge.name,
            status=Status.OK if found == {wanted} else Status.FAILED,
            seen=" or ".join(" then ".join(order) for order in sorted(found)) or "no such site",
            expected=" then ".join(wanted),
            service=service.name,
            host=edge.name,
            hop=f"caddy {edge.name}",
            todo="python runbooks/deploy.py shows the difference, --apply mends it",
            part=parts.order(service.name, edge.name),
            needs=(parts.host(edge.name), parts.caddy(edge.name)),
        )


def _views(survey: Survey, edge: Host) -> Iterator[Finding]:
    """Does Caddy hold for healthy what is healthy? It looks only every 10 s."""
    reply = survey.reply(edge.name, METRICS)
    if not reply.ok:
        return
    down = set(_held_down(reply.text))
    for service in survey.web_services:
        upstreams = survey.catalogue.upstreams_from(edge.name, service)
        for host, upstream in zip(service.order_from(edge.name), upstreams, strict=True):
            yield _view(survey, edge.name, service, host, held_down=upstream in down)


def _held_down(metrics: str) -> Iterator[str]:
    for line in metrics.splitlines():
        if line.startswith(GAUGE) and line.endswith("} 0"):
            yield line.removeprefix(GAUGE).partition('"')[0]


def _view(survey: Survey, edge: str, service: Service, host: str, *, held_down: bool) -> Finding:
    answer = sightings(survey, service, host).get(edge)
    wrong = held_down and answer is not None and is_healthy(service, answer)
    return Finding(
        check="caddy",
        subject=parts.view(edge, service.name, host),
        vantage=edge,
        status=Status.WARN if wrong else Status.OK,
        seen="held for down, though it answers" if wrong else "as it is",
        expected="held for healthy",
        service=service.name,
        host=edge,
        hop=f"caddy {edge}",
        todo="wait 30 s: Caddy goes back after two good health checks",
        part=parts.view(edge, service.name, host),
        needs=(parts.host(edge), parts.caddy(edge)),
    )


def _doors(survey: Survey, edge: Host) -> Iterator[Finding]:
    """Caddy listens on the tailnet and on loopback; what is the edge's own, on loopback only."""
    reply = survey.reply(edge.name, LISTENERS)
    tunnel = survey.catalogue.site.tunnel
    ours = {443: str(edge.address), 80: str(edge.address)}
    loopback = {ADMIN_PORT, tunnel.metrics_port}
    if survey.catalogue.other_edges(edge):
        ours[tunnel.caddy_port] = str(edge.address)
    else:
        loopback.add(tunnel.caddy_port)
    open_doors = [
        f"{address}:{port}"
        for address, port in _listening(reply.text if reply.ok else "")
        if not address.startswith(LOOPBACK)
        and (port in loopback or (port in ours and address != ours[port]))
    ]
    admin = survey.admin.get(edge.name)
    if admin is not None and admin.status is not None and not open_doors:
        open_doors = [f"{edge.address}:{ADMIN_PORT}"]
    yield Finding(
        check="caddy",
        subject=f"open doors of {edge.name}",
        vantage=edge.name,
        status=_door_status(reply, open_doors),
        seen=", ".join(open_doors) if reply.ok else reply.text,
        expected=f"443 and the tunnel's on {edge.address} only, admin and metrics on loopback only",
        host=edge.name,
        hop=f"caddy {edge.name}",
        todo=f"on {edge.name}: ss -ltnp; who listens there? default_bind in the Caddyfile",
        needs=(parts.host(edge.name),),
    )


def _trusted(survey: Survey, edge: str) -> Iterator[Finding]:
    """What every local user could reach: to change Caddy, or to pose as Cloudflare."""
    reply = survey.reply(edge, TRUSTED)
    told = dict(line.partition(" ")[::2] for line in reply.text.splitlines())
    for name, wanted in CLOSED.items():
        seen = told.get(name)
        status = Status.OK if seen == wanted else Status.WARN
        yield Finding(
            check="caddy",
            subject=f"{name} on {edge}",
            vantage=edge,
            status=status if seen else Status.SKIPPED,
            seen=f"{seen}" if seen else reply.text[:60] or "not told",
            expected=f"{wanted}, for root and its own user alone",
            host=edge,
            hop=f"caddy {edge}",
            todo="python runbooks/deploy.py --apply; is nft there?",
            needs=(parts.host(edge), parts.caddy(edge)),
        )


def _door_status(reply: Reply, open_doors: list[str]) -> Status:
    if open_doors:
        return Status.FAILED
    return Status.OK if reply.ok else Status.SKIPPED


def _listening(text: str) -> Iterator[tuple[str, int]]:
    """(address, port) of each line of `ss -Hltn` or `netstat -ltn`."""
    for line in text.splitlines():
        words = line.split()
        if len(words) < 4:
            continue
        address, _, port = words[3].rpartition(":")
        if port.isdigit():
            yield address, int(port)
