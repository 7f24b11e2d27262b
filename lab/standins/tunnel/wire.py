"""The messages between the lab's connector and the lab's edge: one JSON text each."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields

Headers = tuple[tuple[str, str], ...]

# Seconds of silence after which either side asks for a sign of life.
HEARTBEAT = 5.0
HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# A websocket's own handshake, which each hop does anew.
HANDSHAKE = frozenset(
    {
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-version",
    }
)


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """The edge's first word: prove the tunnel's secret with this."""

    nonce: str


@dataclass(frozen=True, kw_only=True)
class Register:
    """The connector's answer."""

    tunnel: str
    connector: str
    proof: str


@dataclass(frozen=True, kw_only=True)
class Registered:
    """Requests may follow from now on."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The edge does not know this tunnel or secret."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Unregister:
    """The connector wants no more requests on this connection."""


@dataclass(frozen=True, kw_only=True)
class Unregistered:
    """No request follows this one."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A visitor's request; `target` is the raw path and query, `client` the visitor's address."""

    id: str
    method: str
    target: str
    host: str
    client: str
    headers: Headers
    upgrade: bool
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The answer to the request of that id; status 101 opens a stream of frames."""

    id: str
    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One websocket message, `kind` being text, binary, ping, pong or close."""

    id: str
    kind: str
    body: bytes


Message = (
    Challenge
    | Register
    | Registered
    | Refused
    | Unregister
    | Unregistered
    | Request
    | Reply
    | Frame
)
_KINDS = {kind.__name__: kind for kind in Message.__args__}


def encode(message: Message) -> str:
    told = {field.name: getattr(message, field.name) for field in fields(message)}
    if "body" in told:
        told["body"] = base64.b64encode(told["body"]).decode()
    return json.dumps({"message": type(message).__name__, **told})


def decode(text: str) -> Message:
    """Raises ValueError where `text` is no message."""
    told = json.loads(text)
    if "body" in told:
        told["body"] = base64.b64decode(told["body"])
    if "headers" in told:
        told["headers"] = tuple((name, value) for name, value in told["headers"])
    try:
        message: Message = _KINDS[told.pop("message")](**told)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a message of the lab's tunnel: {error}") from error
    return message


def proof(secret: str, nonce: str) -> str:
    """What only a holder of the tunnel's secret (base64) can answer to `nonce`."""
    return hmac.new(base64.b64decode(secret), nonce.encode(), hashlib.sha256).hexdigest()


def end_to_end(headers: Iterable[tuple[str, str]], drop: frozenset[str] = frozenset()) -> Headers:
    """`headers` without those that belong to one hop, and without those in `drop`."""
    unwanted = HOP_BY_HOP | HANDSHAKE | drop
    return tuple((name, value) for name, value in headers if name.lower() not in unwanted)
