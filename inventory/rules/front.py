"""Rules of what stands in front of services: nothing leads past what another has in front."""

from collections.abc import Iterator

from inventory.catalogue import Catalogue, Service
from inventory.front import Front, is_below
from inventory.rules.paths import unservable

STRICTNESS = ("open", "protected", "tailnet")
SERVED = ("/srv", "/var/www")  # below them lies what an edge may show as files


def fronts_make_sense(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for service in catalogue.services.values():
        if service.kind == "dns" and service.front != Front():
            yield f"{service.name}.front", "has no meaning for dns: no Caddy stands before it"
        for key, problem in service.front.problems:
            yield f"{service.name}.front.{key}", problem
        whole = service.front.redirect
        if whole and f"{whole.to}/".partition("//")[2].startswith(f"{service.hostname}/"):
            yield f"{service.name}.front.redirect", f"{whole.to} leads in circles: it is this name"
        for path, route in service.front.routes.items():
            to = route.redirect.to if route.redirect else ""
            if f"{to}/".startswith(f"{path}/"):
                yield (
                    f"{service.name}.front.routes.{path}.redirect",
                    f"{to} lies at {path} or below it: the visitor would be led in circles",
                )


def checks_ask_the_service_itself(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for service in catalogue.services.values():
        health = service.health.path if service.health else None
        for key in (health, service.probe, service.echo, service.websocket):
            for path, route in service.front.routes.items():
                itself = route.port == service.port
                if key and not itself and is_below(key, (path,)):
                    yield (
                        f"{service.name}.front.routes.{path}",
                        f"{key} is where the service itself is checked: it may not lead elsewhere",
                    )


def other_services_are_asked_as_they_may_be(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for service in catalogue.services.values():
        for name, key in service.front.services.items():
            other = catalogue.services.get(name)
            problem = _unaskable(catalogue, service, name)
            if other and not problem:
                leads = key.startswith("routes.")
                problem = leads_past(service, other) if leads else _cannot_sign_in(service, other)
            if problem:
                yield f"{service.name}.front.{key}", problem


def _unaskable(catalogue: Catalogue, service: Service, name: str) -> str:
    other = catalogue.services.get(name)
    if other is None:
        return f"no service {name!r} (services: {', '.join(sorted(catalogue.services))})"
    if other.kind != "http":
        return f"{name} is no web service"
    if other.front.alone:
        return f"{name} is answered by the edges themselves: there is nobody to ask"
    if other == service:
        return f"{name} is the service itself; its other ports are `port`"
    return ""


def leads_past(service: Service, other: Service) -> str:
    """Would somebody reach `other` below `service` who may not reach it by its own name?"""
    if STRICTNESS.index(other.access) > STRICTNESS.index(service.access):
        return (
            f"{other.name} is {other.access}, and {service.name} is {service.access}: whoever "
            f"may not reach {other.name} by its own name would reach it here"
        )
    for key in ("allow", "refuse", "basic_auth", "forward_auth"):
        theirs = getattr(other.front, key)
        if theirs and theirs != getattr(service.front, key):
            return (
                f"{other.name} has a {key} in front, which would be passed by here: give "
                f"{service.name} the same"
            )
    return ""


def _cannot_sign_in(service: Service, provider: Service) -> str:
    if provider.front.forward_auth:
        asked = provider.front.forward_auth.service
        return f"{provider.name} asks {asked} before it lets anybody in: nobody could sign in there"
    if service.is_public and STRICTNESS.index(provider.access) > STRICTNESS.index(service.access):
        return (
            f"{provider.name} is {provider.access}, and {service.name} is {service.access}: "
            "who comes through Cloudflare could not sign in there"
        )
    return ""


def ports_of_routes_are_their_own(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    owner: dict[tuple[str, int], Service | None] = {
        (edge.name, port): None
        for edge in catalogue.edges
        for port in (443, catalogue.site.tunnel.caddy_port, catalogue.site.tunnel.metrics_port)
    }
    owner |= {(h, s.port): s for s in catalogue.services.values() for h in s.placements}
    for service in catalogue.services.values():
        for path, route in service.front.routes.items():
            taken = [(h, route.port) for h in service.placements if (h, route.port) in owner]
            for host, port in taken:
                other = owner[host, port or 0]
                if other != service:
                    whose = f"{other.name}'s: say service" if other else "the edge's own"
                    yield (
                        f"{service.name}.front.routes.{path}.port",
                        f"{port} on {host} is {whose}",
                    )


def folders_may_be_shown(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for service in catalogue.services.values():
        roots = {f"routes.{path}.root": r.root for path, r in service.front.routes.items()}
        for key, root in {"root": service.front.root, **roots}.items():
            problem = root and unshowable(catalogue, service, root)
            if problem:
                yield f"{service.name}.front.{key}", problem


def unshowable(catalogue: Catalogue, service: Service, folder: str) -> str:
    """Why the edges may not show what lies in `folder` as `service`, or nothing."""
    if not any(folder.startswith(f"{allowed}/") for allowed in SERVED):
        return f"{folder} is no folder below {' or '.join(SERVED)}, where files to show lie"
    for edge in catalogue.edges:
        problem = unservable(catalogue, edge, folder, but=service.name)
        if problem:
            return problem
    return ""


RULES = (
    fronts_make_sense,
    checks_ask_the_service_itself,
    other_services_are_asked_as_they_may_be,
    ports_of_routes_are_their_own,
    folders_may_be_shown,
)
