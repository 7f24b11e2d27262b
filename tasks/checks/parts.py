"""The names of the edge's parts, by which findings say what they rely on.

A path is made of them, in this order: service, mesh, caddy, tunnel, access, dns.
"""


def host(name: str) -> str:
    return f"host {name}"


def mesh(here: str, there: str) -> str:
    return f"mesh {here} to {there}"


def placement(service: str, on: str, seen_from: str) -> str:
    return f"service {service}@{on} from {seen_from}"


def caddy(edge: str) -> str:
    return f"caddy {edge}"


def order(service: str, edge: str) -> str:
    return f"order of {service} on {edge}"


def view(edge: str, service: str, on: str) -> str:
    return f"{edge}'s view of {service}@{on}"


def route(service: str, edge: str) -> str:
    return f"route {service} through {edge}"


def door(edge: str) -> str:
    return f"port 443 of {edge}"


def by_name(service: str) -> str:
    return f"{service} by its name"


def public_name(hostname: str) -> str:
    return f"public record of {hostname}"


def tunnel(edge: str) -> str:
    return f"tunnel {edge}"


def ingress(edge: str) -> str:
    return f"ingress {edge}"


def resolver(name: str) -> str:
    return f"dns {name}"


def unbound(resolver: str) -> str:
    return f"unbound's configuration on {resolver}"
