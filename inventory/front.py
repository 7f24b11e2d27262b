"""What stands in front of a service: who may come in, what is said to it, and where paths lead."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from inventory.fields import (
    Below,
    CaddyLines,
    Flag,
    HeaderName,
    HeaderText,
    Line,
    Name,
    Network,
    Path,
    Port,
    RedirectTarget,
    RoutePath,
    SecretText,
    Size,
    Strict,
    Text,
    UrlPath,
    User,
    one_or_many,
)

HeaderChanges = Mapping[HeaderName, HeaderText | None]  # None takes it away
# Header -> texts of which it holds one, in letters of any size; "" is in each that is sent at all.
HeaderWords = Mapping[
    HeaderName,
    Annotated[tuple[Line, ...], Field(min_length=1), BeforeValidator(one_or_many)],
]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """Who signs people in: where it is asked, the headers that it names a visitor in, and what
    of it has to be reachable below the name of each service that asks it.
    """

    uri: str
    copy: tuple[str, ...]
    path: str | None = None


REMOTE = ("Remote-User", "Remote-Groups", "Remote-Email", "Remote-Name")
# As each provider's own documentation has it for Caddy.
PROVIDERS: Mapping[str, Provider] = {
    "authelia": Provider(uri="/api/authz/forward-auth", copy=REMOTE),
    "authentik": Provider(
        uri="/outpost.goauthentik.io/auth/caddy",
        copy=tuple(
            f"X-Authentik-{name}"
            for name in (
                *("Username", "Groups", "Entitlements", "Email", "Name", "Uid", "Jwt"),
                *("Meta-Jwks", "Meta-Outpost", "Meta-Provider", "Meta-App", "Meta-Version"),
            )
        ),
        path="/outpost.goauthentik.io",
    ),
    "tinyauth": Provider(uri="/api/auth/caddy", copy=REMOTE),
}


def _named(key: str) -> BeforeValidator:
    """The one word, or number, that is most often all there is to say: the value of `key`."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str | int) else value)


@dataclass(frozen=True, kw_only=True)
class ForwardAuth(Strict):
    """Each request is asked about at `service` first, which has a failover of its own; what it
    does not answer with success is its answer to the visitor. Paths of `open_paths`, and what
    lies below them, are not asked about.

    `provider` says at which path it is asked and which headers name the visitor; `uri` and
    `copy` say it of one that we don't know.
    """

    service: Name
    provider: Literal["authelia", "authentik", "tinyauth"] | None = None
    uri: UrlPath | None = None
    copy: tuple[HeaderName, ...] | None = None
    open_paths: tuple[Below, ...] = ()

    @property
    def known(self) -> Provider | None:
        return PROVIDERS.get(self.provider or self.service)

    @property
    def asked_at(self) -> str:
        return self.uri or (self.known.uri if self.known else "/")

    @property
    def copied(self) -> tuple[str, ...]:
        return self.copy if self.copy is not None else self.known.copy if self.known else ()

    @property
    def free_paths(self) -> tuple[str, ...]:
        """`open_paths`, and what visitors have to reach to sign in."""
        own = (self.known.path,) if self.known and self.known.path else ()
        return (*own, *self.open_paths)


@dataclass(frozen=True, kw_only=True)
class BasicAuth(Strict):
    """A name and a password, for all but `open_paths` and what lies below them.

    `users` have the bcrypt hash of their password, by reference; `caddy hash-password` makes one.
    """

    users: Annotated[Mapping[User, SecretText], Field(min_length=1)]
    open_paths: tuple[Below, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Redirect(Strict):
    """The visitor is led `to` an address or a path; with `keep_path`, what was asked behind it."""

    to: RedirectTarget
    status: Literal[301, 302, 303, 307, 308] = 302
    keep_path: Flag = False


@dataclass(frozen=True, kw_only=True)
class Respond(Strict):
    """One answer, always the same. `type` is its Content-Type."""

    status: Annotated[int, Field(strict=True, ge=200, le=599)] = 200
    body: Text = ""
    type: HeaderText | None = None


RedirectOrTarget = Annotated[Redirect, _named("to")]
RespondOrStatus = Annotated[Respond, _named("status")]


@dataclass(frozen=True, kw_only=True)
class Route(Strict):
    """Where one path, and all below it, leads: to another `service`, to another `port` of this
    one, to a folder on the edges (`root`), or to an answer of the edge itself. `strip` takes the
    path away before. Only a request that has `headers` is led there, where they are given.
    """

    service: Name | None = None
    port: Port | None = None
    root: Path | None = None
    redirect: RedirectOrTarget | None = None
    respond: RespondOrStatus | None = None
    strip: Flag = False
    headers: HeaderWords = field(default_factory=dict)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which of them it says; one is right."""
        said = ("service", "port", "root", "redirect", "respond")
        return tuple(key for key in said if getattr(self, key) is not None)


@dataclass(frozen=True, kw_only=True)
class Front(Strict):
    """What an edge does with a request before, or in place of, asking the service. With `root`,
    `redirect` or `respond` the edges are all there is of it.

    In this order: whoever comes from outside `allow`, or sends one of the `refuse` headers, is
    refused; `basic_auth`, then `forward_auth`; a body above `body_limit` is refused; the lines of
    `caddy`, as they stand; `routes`, the longest path first.
    """

    allow: tuple[Network, ...] = ()
    refuse: HeaderWords = field(default_factory=dict)
    basic_auth: BasicAuth | None = None
    forward_auth: Annotated[ForwardAuth, _named("service")] | None = None
    request_headers: HeaderChanges = field(default_factory=dict)
    response_headers: HeaderChanges = field(default_factory=dict)
    security_headers: Flag = False
    encode: Flag = False
    body_limit: Size | None = None
    caddy: CaddyLines | None = None
    routes: Mapping[RoutePath, Route] = field(default_factory=dict)
    root: Path | None = None
    redirect: RedirectOrTarget | None = None
    respond: RespondOrStatus | None = None

    @property
    def alone(self) -> Route | None:
        """The answer that the edges give without asking anybody, if they do."""
        route = Route(root=self.root, redirect=self.redirect, respond=self.respond)
        return route if route.kinds else None

    @property
    def stands(self) -> bool:
        """Is there anything in front at all?"""
        return self != Front()

    @property
    def ways(self) -> Mapping[str, Route]:
        """`routes`, the longest path first, and before them what visitors need to sign in."""
        found: dict[str, Route] = {}
        auth = self.forward_auth
        if auth and auth.known and auth.known.path:
            found[auth.known.path] = Route(service=auth.service)
        longest_first = sorted(self.routes.items(), key=lambda item: (-len(item[0]), item[0]))
        return found | dict(longest_first)

    @property
    def services(self) -> Mapping[str, str]:
        """The key by the name of each other service that is asked."""
        found = {route.service: f"routes.{path}" for path, route in self.routes.items()}
        if self.forward_auth:
            found[self.forward_auth.service] = "forward_auth"
        return {name: key for name, key in found.items() if name}

    def turns_away(self, path: str) -> frozenset[int]:
        """The statuses that somebody unknown may get at `path`, in place of the service's."""
        found: set[int] = {403} if self.allow else set()
        if self.basic_auth and not is_below(path, self.basic_auth.open_paths):
            found |= {401}
        if self.forward_auth and not is_below(path, self.forward_auth.free_paths):
            found |= {401, 403, 302, 303, 307}
        return frozenset(found)

    @property
    def problems(self) -> Iterator[tuple[str, str]]:
        """What is wrong with it by itself, as (key, what is wrong)."""
        for name, words in self.refuse.items():
            problem = _ours_to_send(name, words)
            if problem:
                yield f"refuse.{name}", problem
        for path, route in self.routes.items():
            yield from ((f"routes.{path}{k}", problem) for k, problem in _problems(route))
            if path == "/" and route.strip:
                yield "routes./.strip", "has no meaning: / is the front page, and nothing below it"
            if self.alone and route.port:
                yield f"routes.{path}.port", "leads nowhere: the edges themselves are the service"
        if self.alone:
            yield from ((self.alone.kinds[0], problem) for _, problem in _problems(self.alone))
        if self.redirect and self.redirect.to.startswith("/"):
            yield "redirect", "leads in circles: every path leads there; name another address"
        if self.forward_auth:
            yield from _auth_problems(self.forward_auth)
        copied = {name.lower() for name in (self.forward_auth.copied if self.forward_auth else ())}
        for name in self.request_headers:
            problem = "names the visitor, which forward_auth does" if name.lower() in copied else ""
            problem = problem or unsettable(name)
            if problem:
                yield f"request_headers.{name}", problem
        for name in self.response_headers:
            if name.lower() in _FRAMING:
                yield f"response_headers.{name}", "belongs to the connection, not to the service"


AGENT, DRILL_AGENT = "twinedge", "twinedge-drill"  # what our own questions say that they are
_EVERYBODYS = {"accept", "accept-encoding", "content-type", "host"}
_FRAMING = {
    *("connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding"),
    "upgrade",
}


def unsettable(name: str) -> str:
    """Why nobody may set a request header, or nothing."""
    plain = name.lower()
    if plain == "host":
        return "is upstream.host"
    if plain in _FRAMING:
        return "belongs to the connection, not to the service"
    if plain.startswith(("x-forwarded", "cf-")) or plain in ("forwarded", "x-real-ip"):
        return "says who asks and from where, which the edge alone knows"
    return ""


def _ours_to_send(name: str, words: tuple[str, ...]) -> str:
    """Why nobody may be refused for such a header, or nothing."""
    plain = name.lower()
    if plain in _EVERYBODYS | _FRAMING or plain.startswith("sec-websocket-"):
        return "is sent by every client, twinedge's own checks among them"
    ours = [word for word in words if word.lower() in DRILL_AGENT]
    if plain == "user-agent" and ours:
        return f"{ours[0]!r} is in {DRILL_AGENT!r}, as which verify and drills ask"
    return ""


def _problems(route: Route) -> Iterator[tuple[str, str]]:
    kinds = route.kinds
    if len(kinds) != 1:
        said = f"says {' and '.join(kinds)}" if kinds else "leads nowhere"
        yield "", f"{said}: one of service, port, root, redirect, respond"
    elif route.strip and kinds[0] == "respond":
        yield ".strip", "has no meaning for an answer that is always the same"


def _auth_problems(auth: ForwardAuth) -> Iterator[tuple[str, str]]:
    if auth.known is None and (auth.uri is None or auth.copy is None):
        known = ", ".join(PROVIDERS)
        yield (
            "forward_auth.provider",
            f"is missing: {known}; or uri and copy of another kind",
        )


def is_below(path: str, folders: tuple[str, ...]) -> bool:
    """Is `path`, which may have a query, one of `folders` or below it?"""
    return any(path == f or path.startswith((f"{f}/", f"{f}?")) for f in folders)
