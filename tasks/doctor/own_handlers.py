"""What is inside of own lines, handler by handler: what may not be, and what of ours does not
hold there."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from inventory.catalogue import Catalogue, Host, Service
from inventory.front import unsettable
from inventory.rules.front import leads_past, unshowable

MARK = "own_lines"
ANSWERING = {"static_response", "file_server", "reverse_proxy", "error"}
KNOWN = ANSWERING | {
    *("copy_response", "copy_response_headers", "encode", "headers", "intercept", "log_append"),
    *("request_body", "rewrite", "subroute", "vars"),
}
INSTEAD = {
    "authentication": "; front.basic_auth keeps the hash out of the Caddyfile, which all may read",
    "templates": "; what a page says would be carried out on the edge",
}
# The visitor as Caddy knows him, and what he asked for.
TRUE = {
    *("{http.vars.client_ip}", "{http.request.host}", "{http.request.hostport}"),
    *("{http.request.scheme}", "{http.vars.visitor_proto}"),
}
TRANSPORT = {
    *("protocol", "tls", "versions", "compression", "keep_alive", "dial_timeout"),
    *("response_header_timeout", "expect_continue_timeout", "read_timeout", "write_timeout"),
}
TLS = {"insecure_skip_verify", "server_name", "ca"}
SECURITY = {
    *("strict-transport-security", "x-content-type-options", "x-frame-options"),
    "referrer-policy",
}


@dataclass(frozen=True, kw_only=True)
class Own:
    """One place of own lines, in front of one service, and the routes that Caddy makes of it.
    Their first handler is our mark.
    """

    service: Service
    place: str
    routes: Sequence[Mapping[str, Any]]

    @property
    def key(self) -> str:
        return self.place if self.place.startswith("data.") else f"{self.service.name}.{self.place}"

    @property
    def parts(self) -> Iterator[Mapping[str, Any]]:
        """Everything in it that is a mapping, wherever it stands."""
        return (one for one in _mappings(self.routes) if one is not self._marking)

    @property
    def always(self) -> set[str]:
        """The handlers that every request meets."""
        found = (one for one in _unmatched(self.routes) if one is not self._marking)
        return {one["handler"] for one in found}

    @property
    def _marking(self) -> Mapping[str, Any]:
        marking: Mapping[str, Any] = self.routes[0]["handle"][0]
        return marking


def _mappings(part: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, dict | list):
            yield from _mappings(inner)


def _unmatched(routes: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for route in routes:
        for handler in () if "match" in route else route.get("handle", ()):
            yield handler
            yield from _unmatched(handler.get("routes", ()))


# --- what may not be --------------------------------------------------------------------------


def refused(own: Own, edge: Host, catalogue: Catalogue) -> Iterator[str]:
    """What may not be in front of that service on that edge."""
    for found in re.finditer(r"\{(env|file|system)\.[^}]*\}?", json.dumps(own.routes)):
        yield f"{found[0]} tells what is on the edge"
    for part in own.parts:
        if "file(" in json.dumps(part.get("expression", "")):
            yield "file() in an expression asks for any file of the edge; take the matcher `file`"
        for root in _roots(part):
            problem = _unreadable(root, own.service, catalogue)
            if problem:
                yield f"root {root}: {problem}"
        if "handler" in part:
            yield from _misused(part, own.service, edge, catalogue)


def _roots(part: Mapping[str, Any]) -> Iterator[str]:
    """The folders that it looks into; without one of its own it is the mark's, which is none."""
    looks = part.get("handler") in ("vars", "file_server")
    for one in (part if looks else {}, part.get("file")):
        if isinstance(one, dict) and "root" in one:
            yield str(one["root"])


def _unreadable(root: str, service: Service, catalogue: Catalogue) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9_@+.-]+)+", root) or ".." in root.split("/"):
        return "is no folder that could be judged"
    return unshowable(catalogue, service, root)


def _misused(
    part: Mapping[str, Any], service: Service, edge: Host, catalogue: Catalogue
) -> Iterator[str]:
    handler = part["handler"]
    if handler not in KNOWN:
        yield f"{handler} is not for own lines{INSTEAD.get(handler, '')}"
    elif handler == "vars":
        for name in part:
            if name not in ("handler", "root") and (name == MARK or not name.startswith("own_")):
                yield f"vars {name}: a variable of own lines is called own_…"
    elif handler == "file_server" and "fs" in part:
        yield "file_server: fs is not for own lines"
    elif handler == "headers":
        yield from _headers(part, service)
    elif handler == "reverse_proxy":
        yield from _headers(part.get("headers", {}), service, but="Host")
        yield from _upstreams(part, service, edge, catalogue)


def _headers(changes: Mapping[str, Any], service: Service, but: str = "") -> Iterator[str]:
    """Of the headers for the service those that say who asks, unless it is the truth."""
    auth = service.front.forward_auth
    copied = {name.lower() for name in (auth.copied if auth else ())}
    for way in ("set", "add", "replace"):
        for name, values in changes.get("request", {}).get(way, {}).items():
            problem = unsettable(name)
            if name.lower() in copied or "*" in name or "{" in name:
                problem = "names the visitor, which forward_auth does"
            true = way == "set" and all(value in TRUE for value in values)
            if problem and name != but and not true:
                yield f"request header {name} {problem}"


def _upstreams(
    part: Mapping[str, Any], service: Service, edge: Host, catalogue: Catalogue
) -> Iterator[str]:
    if "dynamic_upstreams" in part:
        yield "reverse_proxy: whom it asks has to stand there, as address:port"
    transport = part.get("transport", {})
    strange = {*transport} - TRANSPORT | {*transport.get("tls", {})} - TLS
    if transport.get("protocol", "http") != "http":
        strange.add(transport["protocol"])
    if strange:
        yield f"reverse_proxy: transport {', '.join(sorted(strange))} is not for own lines"
    for upstream in part.get("upstreams", ()):
        dial = upstream.get("dial", "")
        problem = _unaskable(dial, service, edge, catalogue)
        if problem:
            yield f"reverse_proxy {dial}: {problem}"


def _unaskable(dial: str, service: Service, edge: Host, catalogue: Catalogue) -> str:
    """Why own lines of `service` may not ask there, or nothing."""
    address, _, port = dial.rpartition(":")
    hosts = _hosts_at(address.strip("[]"), edge, catalogue)
    if not port.isdigit() or not hosts:
        return (
            "no address and port of a host in the catalogue; a box that nobody logs in to is one, "
            "too, with ssh: false"
        )
    at = {owner for host in hosts for owner in _owners(host, int(port), catalogue)}
    if service.name in at:
        return ""
    own = next((owner for owner in at if owner not in catalogue.services), None)
    problems = (leads_past(service, catalogue.services[name]) for name in sorted(at - {own}))
    return own or next(filter(None, problems), "")


def _hosts_at(address: str, edge: Host, catalogue: Catalogue) -> tuple[str, ...]:
    """The hosts that are asked at an address; loopback is the edge itself."""
    try:
        if address == "localhost" or ip_address(address).is_loopback:
            return (edge.name,)
    except ValueError:
        pass
    names = (*catalogue.hosts, *catalogue.appliances)
    return tuple(name for name in names if catalogue.address_of(name) == address)


def _owners(host: str, port: int, catalogue: Catalogue) -> Iterator[str]:
    """Whose a port is: services by their names, or in words that it is an edge's."""
    for service in catalogue.services.values():
        ports = {service.port, *(route.port for route in service.front.routes.values())}
        if host in service.placements and port in ports:
            yield service.name
    if host in {edge.name for edge in catalogue.edges}:
        tunnel = catalogue.site.tunnel
        own = {443, tunnel.caddy_port, tunnel.metrics_port}
        own |= {80} if catalogue.redirects(catalogue.hosts[host]) else set()
        if port in own:
            yield f"{host}'s own, where Caddys would ask each other in circles"


# --- what of ours does not hold there ---------------------------------------------------------


def effects_of(own: Own) -> Iterator[str]:
    """What own lines switch off, in words."""
    name, done = own.service.name, {part["handler"] for part in own.parts if "handler" in part}
    if own.always & ANSWERING:
        yield f"they answer every request: {name} itself is never asked, nor are its routes"
    elif done & ANSWERING:
        yield f"for what they answer {name} is not asked: no failover, and none of its routes"
    if "reverse_proxy" in done:
        yield "whom they ask has none of our health checks, and nobody is asked in his place"
    if "rewrite" in done:
        yield "they change paths after allow and sign-in have looked at them"
    if own.service.front.security_headers:
        said = {header for part in own.parts for header in _answered(part)}
        for header in sorted(header for header in said if header.lower() in SECURITY):
            yield f"they say {header}, in place of security_headers"


def _answered(part: Mapping[str, Any]) -> Iterator[str]:
    """The headers of the answer that it changes."""
    response = part.get("response", {}) if part.get("handler") == "headers" else {}
    for way in ("set", "add", "replace", "delete"):
        yield from response.get(way, ())
