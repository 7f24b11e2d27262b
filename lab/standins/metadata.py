"""Which application is in front of a name, signed as the team's edge signs it."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

ASKED, TOLD = "CF-Access-Metadata-Request", "CF-Access-Metadata"
CERTS = "/cdn-cgi/access/certs"
KEY_ID = "lab"


class Signer:
    """A team's key, made at the start of its edge."""

    def __init__(self) -> None:
        self._key = generate_private_key(public_exponent=65537, key_size=2048)

    def certs(self) -> dict[str, Any]:
        """The public half, as a JSON Web Key Set."""
        numbers = self._key.public_key().public_numbers()
        key = {"kid": KEY_ID, "kty": "RSA", "alg": "RS256", "use": "sig"}
        return {"keys": [key | {"e": _number(numbers.e), "n": _number(numbers.n)}]}

    def metadata(self, host: str, *, team: str, audience: str) -> str:
        """The JWT that tells of the application at `host`."""
        told = {
            "type": "match",
            "hostname": host,
            "auth_domain": f"{team}.cloudflareaccess.com",
            "aud": audience,
            "app_hostname": host,
            "iat": int(time.time()),
        }
        parts = [{"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}, told]
        signed = ".".join(_text(json.dumps(part).encode()) for part in parts)
        return f"{signed}.{_text(self._key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8))
