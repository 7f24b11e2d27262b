"""What stands in front of a service, as the Caddyfile's templates want it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from inventory.catalogue import Catalogue, Service
from inventory.front import Front, HeaderWords, Redirect, Route
from tasks.quote import Quoted, caddy_pattern, token

TELLING = ("Server", "X-Powered-By")  # what a service runs on is nobody's business


def below(path: str) -> tuple[str, str]:
    """What Caddy's `path` is told for a path and all below it."""
    folder = path.rstrip("/")
    return folder or "/", f"{folder}/*"


def asked(catalogue: Catalogue) -> Iterator[tuple[str, Service, int | None]]:
    """(name, service, the port of its health check if it is another) of everything that a
    Caddy asks: each web service, and what lies at other ports of it.
    """
    for service in (each for each in catalogue.web_services if each.placements):
        yield service.name, service, None
        others = {route.port for route in service.front.ways.values()} - {None, service.port}
        for port in sorted(port for port in others if port):
            yield f"{service.name}_{port}", replace(service, port=port), service.port


def front(
    service: Service,
    catalogue: Catalogue,
    asking: Callable[[str], Mapping[str, Any]],
    folder: str,
) -> Mapping[str, Any] | None:
    """The values of templates/caddy/front.j2; None where nothing stands in front. `asking`
    gives those of templates/caddy/ask.j2 for the service of that name; passwords lie in `folder`.
    """
    given = service.front
    if not stands(service, catalogue):
        return None
    auth = given.forward_auth
    ways = [_way(path, route, service) for path, route in given.ways.items()]
    return {
        "allow": given.allow,
        "refuse": _words(given.refuse),
        "identity": auth.copied if auth else (),
        "basic_auth": _basic_auth(service, folder),
        "auth": auth
        and {
            "service": asking(auth.service),
            "uri": f"{catalogue.services[auth.service].upstream.path}{auth.asked_at}",
            "copied": auth.copied,
            "free": [p for path in auth.free_paths for p in below(path)],
        },
        "request_headers": tuple(given.request_headers.items()),
        "response_headers": tuple(given.response_headers.items()),
        "security_headers": given.security_headers,
        "secrets": [name for name in TELLING if name not in given.response_headers],
        "encode": given.encode,
        "body_limit": given.body_limit,
        "own": [(place, _lines(text)) for place, text in own_lines(service, catalogue).items()],
        "ways": ways,
        "alone": _way("/", given.alone, service) if given.alone else None,
        "again": [*_again(given, ways, service, catalogue)],
    }


def stands(service: Service, catalogue: Catalogue) -> bool:
    """Is there anything in front of it?"""
    return service.front.stands or bool(own_lines(service, catalogue))


def own_lines(service: Service, catalogue: Catalogue) -> Mapping[str, str]:
    """What an operator wrote himself that stands in front of the service, by its key."""
    given = {"data.caddy": catalogue.site.caddy, "front.caddy": service.front.caddy}
    return {key: text for key, text in given.items() if text is not None}


def without_own_lines(catalogue: Catalogue) -> Catalogue:
    """The catalogue with the places of all own lines, and none in them."""

    def emptied(service: Service) -> Service:
        own = service.front.caddy is not None
        return replace(service, front=replace(service.front, caddy="")) if own else service

    site = replace(catalogue.site, caddy=catalogue.site.caddy and "")
    services = {name: emptied(service) for name, service in catalogue.services.items()}
    return replace(catalogue, site=site, services=services)


def _lines(text: str) -> list[Quoted]:
    return [Quoted(line.rstrip()) for line in text.splitlines() if line.strip()]


def _basic_auth(service: Service, folder: str) -> Mapping[str, Any] | None:
    basic = service.front.basic_auth
    if basic is None:
        return None
    return {
        "users": [(user, password_file(folder, service, user)) for user in basic.users],
        "free": [p for path in basic.open_paths for p in below(path)],
    }


def password_file(folder: str, service: Service, user: str) -> str:
    """The path of what holds the hash of the user's password."""
    return f"{folder}/{service.name}.{user}"


def _way(path: str, route: Route, service: Service) -> Mapping[str, Any]:
    answer = route.respond
    return {
        "paths": ("/",) if path == "/" else below(path),
        "headers": _words(route.headers),
        "strip": path if route.strip else "",
        "name": _name(route, service),
        "root": route.root,
        "redirect": _redirect(route.redirect) if route.redirect else "",
        "status": (answer or route.redirect or Redirect(to="/")).status,
        "body": answer.body if answer else "",
        "type": answer.type if answer else None,
    }


def _words(headers: HeaderWords) -> list[tuple[str, Quoted]]:
    """(header, the expression that finds one of its words)."""
    return [(name, caddy_pattern(*words, any_case=True)) for name, words in headers.items()]


def _name(route: Route, service: Service) -> str:
    """The name of what is asked there, as `asked` has it; empty where nothing is."""
    if route.port:
        return service.name if route.port == service.port else f"{service.name}_{route.port}"
    return route.service or ""


def _redirect(redirect: Redirect) -> Quoted:
    return Quoted(f"{token(redirect.to)}{'{uri}' if redirect.keep_path else ''}")


def _again(
    given: Front, ways: list[Mapping[str, Any]], service: Service, catalogue: Catalogue
) -> Iterator[Mapping[str, Any]]:
    """Whom to ask again after whom, and what to take off the path before."""
    for index, (route, way) in enumerate(zip(given.ways.values(), ways, strict=True), start=1):
        target = catalogue.services[route.service] if route.service else service
        if way["name"] and target.has_failover:
            yield {"asked": f"way_{index}", "name": way["name"], "strip": way["strip"]}
    if service.has_failover:
        yield {"asked": service.name, "name": service.name, "strip": ""}
