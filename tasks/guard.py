"""Which Access application guards a name, in the signed words of Cloudflare's own edge.

Asked with `CF-Access-Metadata-Request: true` it answers `CF-Access-Metadata`, a JWT (cloudflared
2026.8, token/token.go). Nobody needs to be known for that, and no API is asked.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

ASK = {"CF-Access-Metadata-Request": "true"}
CERTS = "/cdn-cgi/access/certs"  # of the team's own name

Keys = Mapping[str, RSAPublicKey]


class GuardError(Exception):
    """What was told is not what the team's edge says; the text says why in a few words."""


@dataclass(frozen=True, kw_only=True)
class Guard:
    """The application of a name: its AUD tag, and the team whose it is."""

    audience: str
    team: str


def login_of(team: str) -> str:
    """The host name of a team's login page and keys."""
    return f"{team}.cloudflareaccess.com"


def read_keys(text: str) -> Keys:
    """The team's keys by their ids, from a JSON Web Key Set. Raises GuardError."""
    try:
        return {
            str(key["kid"]): RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
            for key in json.loads(text)["keys"]
            if key.get("kty") == "RSA"
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise GuardError("the team's keys cannot be read") from error


def read(token: str, keys: Keys, host: str) -> Guard:
    """What `token` says of `host`. Raises GuardError where it is not signed by one of `keys`."""
    try:
        signed, _, signature = token.rpartition(".")
        header, payload = (json.loads(_bytes(part)) for part in signed.split("."))
        if header["alg"] != "RS256":
            raise GuardError(f"its word is signed by {header['alg']}")
        keys[header["kid"]].verify(_bytes(signature), signed.encode(), PKCS1v15(), SHA256())
    except (ValueError, KeyError, TypeError) as error:
        raise GuardError("its word cannot be read, or by no key of the team") from error
    except InvalidSignature as error:
        raise GuardError("its word is not signed by the team") from error
    return _guard(payload, host)


def _guard(told: Any, host: str) -> Guard:
    words = told if isinstance(told, dict) else {}
    if words.get("type") != "match" or words.get("hostname") != host:
        raise GuardError("its word is of another name")
    team = str(words.get("auth_domain")).removesuffix(".cloudflareaccess.com")
    return Guard(audience=str(words.get("aud")), team=team)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text))
