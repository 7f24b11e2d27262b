"""The deployed cloudflared `config.yml` and credentials, as the lab's connector reads them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.standins.process import Address, StartRefusedError, address
from lab.standins.tunnel.ingress import Rule, read_rules, seconds

# cloudflared's own: it refuses a longer one, only when it is run.
LONGEST_GRACE = 180.0
DEFAULT_GRACE = "30s"
DEFAULT_METRICS = "127.0.0.1:20241"
PROTOCOLS = ("auto", "http2", "quic")
IP_VERSIONS = ("auto", "4", "6")


@dataclass(frozen=True, kw_only=True)
class TunnelConfig:
    """What to connect as, where to tell of it, and where each request goes."""

    tunnel: str
    secret: str
    metrics: Address
    grace: float
    rules: tuple[Rule, ...]


def read_config(path: Path) -> TunnelConfig:
    """Raises StartRefusedError with what cloudflared would stumble over at `tunnel run`."""
    try:
        return _config(_mapping(yaml.safe_load(path.read_text(encoding="utf-8")), "the file"))
    except OSError as error:
        raise StartRefusedError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise StartRefusedError(f"{path}: broken YAML: {' '.join(str(error).split())}") from error
    except ValueError as error:
        raise StartRefusedError(f"{path}: {error}") from error


def _config(told: Mapping[str, Any]) -> TunnelConfig:
    _one_of(told, "protocol", PROTOCOLS)
    _one_of(told, "edge-ip-version", IP_VERSIONS)
    grace = seconds(told.get("grace-period", DEFAULT_GRACE), "grace-period")
    if grace > LONGEST_GRACE:
        raise ValueError(f"grace-period: {told['grace-period']} is over 3m")
    rules = read_rules(
        told.get("ingress"), _mapping(told.get("originRequest") or {}, "originRequest")
    )
    return TunnelConfig(
        tunnel=_text(told, "tunnel"),
        secret=_secret(Path(_text(told, "credentials-file"))),
        metrics=address(str(told.get("metrics", DEFAULT_METRICS))),
        grace=grace,
        rules=rules,
    )


def _secret(path: Path) -> str:
    try:
        told = _mapping(json.loads(path.read_text(encoding="utf-8")), str(path))
    except OSError as error:
        raise ValueError(f"credentials-file: {path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"credentials-file: {path}: broken JSON: {error}") from error
    secret = _text(told, "TunnelSecret")
    try:
        base64.b64decode(secret, validate=True)
    except binascii.Error as error:
        raise ValueError(f"credentials-file: {path}: TunnelSecret is not base64") from error
    return secret


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name}: not a mapping")
    return value


def _text(told: Mapping[str, Any], key: str) -> str:
    value = told.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key}: missing, or not text")
    return value


def _one_of(told: Mapping[str, Any], key: str, known: tuple[str, ...]) -> None:
    if key in told and told[key] not in known:
        raise ValueError(f"{key}: {told[key]!r} is none of {', '.join(known)}")
