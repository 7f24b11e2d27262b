"""The lab's true state of the mesh, as its own `mesh.json` tells it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

# tailscale's keys last 180 days; the lab's were made a month ago.
KEY_DAYS_LEFT = 150
WIREGUARD_PORT = 41641
_FILE = "/run/lab/mesh.json"


class MeshError(Exception):
    """The mesh cannot be told; the text says why in one line."""


@dataclass(frozen=True, kw_only=True)
class MeshHost:
    """A host on the mesh; `port_up` is its own port on the lab's bridge."""

    name: str
    address: str
    port_up: bool
    relayed: bool
    key_expiry: datetime

    @property
    def expired(self) -> bool:
        return self.key_expiry <= datetime.now(UTC)

    @property
    def direct(self) -> str:
        return "" if self.relayed else f"{self.address}:{WIREGUARD_PORT}"


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """The mesh as one of its hosts sees it."""

    domain: str
    resolvers: tuple[str, ...]
    me: MeshHost
    peers: tuple[MeshHost, ...]

    def online(self, peer: MeshHost) -> bool:
        return self.me.port_up and peer.port_up

    def find(self, target: str) -> MeshHost:
        """The host of that name or address; raises MeshError."""
        for host in (self.me, *self.peers):
            if target in (host.name, host.address):
                return host
        raise MeshError(f"lookup {target}: no such host on the lab's mesh")


def read_mesh() -> Mesh:
    """Raises MeshError. LAB_MESH_FILE and LAB_MESH_SELF replace the file and the own name."""
    path = Path(os.environ.get("LAB_MESH_FILE", _FILE))
    name = os.environ.get("LAB_MESH_SELF", os.uname().nodename)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        hosts = {key: _host(key, value) for key, value in told["hosts"].items()}
        domain, resolvers = str(told["domain"]), tuple(told["resolvers"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MeshError(f"{path}: {type(error).__name__}: {error}") from error
    if name not in hosts:
        raise MeshError(f"{path}: no host {name!r} (hosts: {', '.join(sorted(hosts))})")
    me = hosts.pop(name)
    return Mesh(domain=domain, resolvers=resolvers, me=me, peers=tuple(hosts.values()))


def _host(name: str, told: Mapping[str, Any]) -> MeshHost:
    expiry = told.get("key_expiry")
    return MeshHost(
        name=name,
        address=str(told["address"]),
        port_up=bool(told["port_up"]),
        relayed=bool(told.get("relayed", False)),
        key_expiry=_moment(expiry) if expiry else _in_days(KEY_DAYS_LEFT),
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _in_days(days: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
