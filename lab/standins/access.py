"""Who may pass the lab's edge: the policy file, and Cloudflare Access's answers to the rest."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from aiohttp import web

ID_HEADER = "CF-Access-Client-Id"
SECRET_HEADER = "CF-Access-Client-Secret"
TOKEN_HEADER = "Cf-Access-Jwt-Assertion"


class PolicyError(Exception):
    """The policy file cannot be read; the text says why in one line."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The edge's own knowledge: its one tunnel, its one service token, what is protected."""

    tunnel: str
    secret: str
    client_id: str
    client_secret: str
    protected: tuple[str, ...]
    open: tuple[str, ...]
    team: str
    audiences: Mapping[str, str]

    def protects(self, host: str) -> bool:
        return _any(self.protected, host) and not _any(self.open, host)

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Whether both halves of the service token are right."""
        pairs = ((ID_HEADER, self.client_id), (SECRET_HEADER, self.client_secret))
        return all(
            hmac.compare_digest(headers.get(name, "").encode(), expected.encode())
            for name, expected in pairs
        )

    def denial(self, host: str, headers: Mapping[str, str]) -> web.Response | None:
        """Access's answer to who may not pass; None for who may."""
        if not self.protects(host) or self.knows(headers):
            return None
        if ID_HEADER in headers or SECRET_HEADER in headers:
            return web.Response(status=403, text="Forbidden: not a valid service token\n")
        login = f"https://{self.team}.cloudflareaccess.com/cdn-cgi/access/login/{host}"
        return web.Response(status=302, headers={"Location": login})

    def token(self, host: str) -> str | None:
        """What the tunnel is shown as proof that Access let the visitor in."""
        return f"standin:{self.audiences.get(host, '')}" if self.protects(host) else None


def read_policy(path: Path) -> Policy:
    """Raises PolicyError."""
    try:
        return _policy(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PolicyError(f"{path}: not a policy: {type(error).__name__}: {error}") from error


def _policy(told: Mapping[str, Any]) -> Policy:
    return Policy(
        tunnel=told["tunnel"]["id"],
        secret=told["tunnel"]["secret"],
        client_id=told["service_token"]["client_id"],
        client_secret=told["service_token"]["client_secret"],
        protected=tuple(told.get("protected", ["*"])),
        open=tuple(told.get("open", [])),
        team=told["team"],
        audiences=told.get("aud", {}),
    )


def _any(patterns: tuple[str, ...], host: str) -> bool:
    return any(fnmatchcase(host, pattern) for pattern in patterns)
