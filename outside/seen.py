"""What there is at Cloudflare, as the API tells it: read here, and nowhere changed."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from outside.client import NotAnswered

Json = Mapping[str, Any]

ADDRESSES = ("A", "AAAA", "CNAME")  # where one of these is, no CNAME can come


def _text(value: Any) -> Any:
    """Absent, null and empty are one to the API."""
    return "" if value is None else value


def _host(value: Any) -> Any:
    return value.lower().rstrip(".") if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_text)]
HostName = Annotated[str, BeforeValidator(_host)]


class Thing(BaseModel, frozen=True):
    """Anything with an id. `told` is all that the API says of it."""

    id: str
    told: dict[str, Any] = Field(default_factory=dict, repr=False)

    @classmethod
    def every(cls, told: list[Json]) -> "tuple[Any, ...]":
        return tuple(cls.of(one) for one in told)

    @classmethod
    def of(cls, told: Json) -> Any:
        """Raises NotAnswered where it is not as the API describes it."""
        try:
            return cls.model_validate({**told, "told": dict(told)})
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_input=False)[0]
            key = ".".join(map(str, wrong["loc"]))
            raise NotAnswered(
                f"the API tells of a {cls.__name__} without a {key} that can be read"
            ) from error


class Zone(Thing, frozen=True):
    """A domain at Cloudflare, and the account that it is in."""

    class _Account(BaseModel, frozen=True):
        id: str

    name: str
    status: Text = ""
    paused: bool | None = None
    account: _Account


class Record(Thing, frozen=True):
    """One DNS record."""

    type: str
    name: HostName
    content: HostName = ""
    proxied: bool | None = None
    ttl: float = 1
    comment: Text = ""
    meta: dict[str, Any] = Field(default_factory=dict)

    @property
    def is_anothers(self) -> bool:
        """It belongs to another product of Cloudflare's, which would put it back."""
        return any(self.meta.get(f"managed_by_{who}") for who in ("apps", "argo_tunnel"))


class Policy(Thing, frozen=True):
    """A policy: reusable, or of one application alone."""

    name: Text = ""
    decision: Text = ""
    include: list[dict[str, Any]] = Field(default_factory=list)
    exclude: list[dict[str, Any]] = Field(default_factory=list)
    require: list[dict[str, Any]] = Field(default_factory=list)
    reusable: bool | None = None


class App(Thing, frozen=True):
    """An Access application; one that is not self-hosted has no domain."""

    name: Text = ""
    type: Text = ""
    aud: Text = ""
    domain: HostName = ""
    destinations: list[dict[str, Any]] | None = None
    policies: list[Policy] | None = None
    session_duration: Text = ""

    @property
    def places(self) -> tuple[str, ...]:
        """`host` or `host/path` of what it guards, sorted."""
        named = {_host(one["uri"]) for one in self.destinations or () if one.get("uri")}
        return tuple(sorted(named or ({self.domain} if self.domain else set())))

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(place.partition("/")[0] for place in self.places))


class ServiceToken(Thing, frozen=True):
    """A service token, without its secret."""

    name: Text = ""
    client_id: Text = ""
    enabled: bool | None = None
    expires_at: datetime | None = None


class TunnelSeen(Thing, frozen=True):
    """The tunnel; `config_src` is absent in older answers."""

    name: Text = ""
    account_tag: Text = ""
    config_src: Text = ""
    remote_config: bool | None = None
    deleted_at: datetime | None = None
    status: Text = ""

    @property
    def is_remote(self) -> bool:
        """The dashboard owns its ingress, and config.yml counts for nothing."""
        return self.config_src == "cloudflare" or (not self.config_src and bool(self.remote_config))


class Connector(Thing, frozen=True):
    """One process that runs the tunnel: a replica. Its id is the connectorId of its /ready."""

    version: Text = ""
    conns: list[dict[str, Any]] | None = None

    @property
    def alive(self) -> list[dict[str, Any]]:
        """Its connections; one that is pending is gone, and still told of for some minutes."""
        return [conn for conn in self.conns or () if not conn.get("is_pending_reconnect")]

    @property
    def words(self) -> str:
        places = sorted({str(conn.get("colo_name")) for conn in self.alive})
        origins = sorted({str(conn.get("origin_ip")) for conn in self.alive})
        return f"{self.id} ({self.version}, from {', '.join(origins)} to {', '.join(places)})"


class Seen(BaseModel, frozen=True):
    """Everything that a plan is made from. `until` is when the token ends."""

    zone: Zone
    tunnel: TunnelSeen | None
    connectors: tuple[Connector, ...] = ()
    records: tuple[Record, ...]
    apps: tuple[App, ...]
    policies: tuple[Policy, ...]
    service_tokens: tuple[ServiceToken, ...]
    until: datetime | None = None

    def records_at(self, host: str) -> tuple[Record, ...]:
        return tuple(record for record in self.records if record.name == host)

    def apps_at(self, host: str) -> tuple[App, ...]:
        """The applications that guard the whole of `host`."""
        return tuple(app for app in self.apps if host in app.places)


def rules(told: list[dict[str, Any]]) -> tuple[str, ...]:
    """Rules as a multiset of texts: their order, and the case of an address, mean nothing."""
    return tuple(sorted(json.dumps(one, sort_keys=True).lower() for one in told))


def words_of(told: list[dict[str, Any]]) -> Iterator[str]:
    """Rules as an operator reads them."""
    for rule in told:
        for kind, value in rule.items():
            named = ", ".join(map(str, value.values())) if isinstance(value, dict) else str(value)
            yield f"{kind.replace('_', ' ')} {named}".strip()
