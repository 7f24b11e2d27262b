"""Which ingress rule of a tunnel's configuration a request falls under, as cloudflared has it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, kw_only=True)
class OriginRequest:
    """How a rule's origin is talked to; `audiences` is None where no Access token is required."""

    server_name: str | None = None
    ca_pool: str | None = None
    no_tls_verify: bool = False
    host_header: str | None = None
    connect_timeout: float = 30.0
    audiences: frozenset[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One ingress rule: requests for `hostname` whose path `path` finds go to `service`."""

    hostname: str
    path: str
    service: str
    origin: OriginRequest

    @property
    def catches_all(self) -> bool:
        return self.hostname in ("", "*") and not self.path

    @property
    def fixed_status(self) -> int | None:
        kind, _, status = self.service.partition(":")
        return int(status) if kind == "http_status" else None

    def matches(self, host: str, path: str) -> bool:
        return self._matches_host(host) and re.search(self.path, path) is not None

    def _matches_host(self, host: str) -> bool:
        if self.hostname in ("", "*", host):
            return True
        return self.hostname.startswith("*.") and host.endswith(self.hostname[1:])


def find_rule(rules: Sequence[Rule], host: str, path: str) -> Rule:
    """The first rule that matches; the last one always does. The case of `host` counts."""
    name = re.sub(r":\d+$", "", host)
    return next(rule for rule in rules if rule.matches(name, path))


def read_rules(told: Any, common: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The rules of a file's `ingress`, `common` being its originRequest; raises ValueError."""
    if not isinstance(told, list) or not told or not all(isinstance(r, dict) for r in told):
        raise ValueError("ingress: missing, or not a list of rules")
    rules = tuple(_rule(rule, common, number) for number, rule in enumerate(told))
    if not rules[-1].catches_all:
        raise ValueError("ingress: the last rule must match all (no hostname, no path)")
    for number, rule in enumerate(rules[:-1]):
        if rule.catches_all:
            raise ValueError(f"ingress rule {number} matches all but is not the last")
    return rules


def seconds(text: Any, key: str) -> float:
    """The seconds in a Go duration such as `1m30s`; raises ValueError."""
    if not isinstance(text, str) or not re.fullmatch(f"(?:{_DURATION.pattern})+", text):
        raise ValueError(f'{key}: {text!r} is not a duration such as "30s"')
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text))


def _rule(told: Mapping[str, Any], common: Mapping[str, Any], number: int) -> Rule:
    where = f"ingress rule {number}"
    service = told.get("service")
    if not isinstance(service, str) or not re.match(r"https?://[^/]+$|http_status:\d{3}$", service):
        raise ValueError(
            f"{where}: service {service!r} is none that the lab's stand-in can reach"
            " (http://HOST:PORT, https://HOST:PORT, http_status:CODE)"
        )
    path = str(told.get("path") or "")
    try:
        re.compile(path)
    except re.error as error:
        raise ValueError(f"{where}: path {path!r}: {error}") from error
    return Rule(
        hostname=str(told.get("hostname") or ""),
        path=path,
        service=service,
        origin=_origin_request(told.get("originRequest") or {}, common, where),
    )


def _origin_request(own: Mapping[str, Any], common: Mapping[str, Any], where: str) -> OriginRequest:
    told = {**common, **own}
    return OriginRequest(
        server_name=told.get("originServerName") or None,
        ca_pool=told.get("caPool") or None,
        no_tls_verify=bool(told.get("noTLSVerify", False)),
        host_header=told.get("httpHostHeader") or None,
        connect_timeout=seconds(told.get("connectTimeout", "30s"), f"{where}: connectTimeout"),
        # Only the rule's own: at the top level cloudflared does not enforce it.
        audiences=_audiences(own.get("access") or {}, where),
    )


def _audiences(access: Mapping[str, Any], where: str) -> frozenset[str] | None:
    if not access.get("required"):
        return None
    tags = access.get("audTag", [])
    if not isinstance(tags, list):
        raise ValueError(f"{where}: access.audTag is not a list")
    return frozenset(str(tag) for tag in tags)
