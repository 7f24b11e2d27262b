"""The one account of the stand-in: its zone, tokens, tunnels, and who changed what."""

from __future__ import annotations

import itertools
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lab.standins.cloudflare.answer import Json

EVERYTHING = frozenset(
    f"{name} {verb}"
    for name in (
        *("Zone", "DNS", "Cloudflare Tunnel", "Account Settings"),
        *("Access: Apps and Policies", "Access: Service Tokens"),
    )
    for verb in ("Read", "Write")
)
LOOKING = frozenset(name for name in EVERYTHING if name.endswith("Read"))


@dataclass(kw_only=True)
class Token:
    """One API token, and who it acts for in the audit log."""

    kind: str = "user"
    may: frozenset[str] = EVERYTHING
    status: str = "active"
    expires_on: datetime | None = None
    actor: str = "operator@home.example"


@dataclass(kw_only=True)
class Account:
    """Everything that the API tells of. Ids count up, so that a run is like the next."""

    id: str = "0a" * 16
    zone_id: str = "0b" * 16
    zone: str = "home.example"
    zone_status: str = "active"
    paused: bool = False
    tokens: dict[str, Token] = field(default_factory=dict)
    records: dict[str, Json] = field(default_factory=dict)
    apps: dict[str, Json] = field(default_factory=dict)
    policies: dict[str, Json] = field(default_factory=dict)
    service_tokens: dict[str, Json] = field(default_factory=dict)
    tunnels: dict[str, Json] = field(default_factory=dict)
    connections: dict[str, list[Json]] = field(default_factory=dict)
    configurations: dict[str, Json] = field(default_factory=dict)
    audit: list[Json] = field(default_factory=list)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def at(self) -> str:
        return f"{self.now():%Y-%m-%dT%H:%M:%SZ}"

    def new_hex(self) -> str:
        return f"{next(self._numbers):032x}"

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=next(self._numbers) | 0x4000 << 64 | 0x8000 << 48))

    def remember(self, actor: str, method: str, path: str, resource: str) -> str:
        """A line of the audit log; gives its id."""
        entry = {
            "id": self.new_hex(),
            "account": {"id": self.id, "name": "lab"},
            "action": {"result": "success", "time": self.at(), "type": method.lower()},
            "actor": {"context": "api_token", "email": actor, "type": "user"},
            "raw": {"method": method, "status_code": 200, "uri": path},
            "resource": {"id": resource, "product": path.split("/")[3], "type": "object"},
        }
        self.audit.append(entry)
        return str(entry["id"])

    # --- what is there from the beginning ----------------------------------------------

    def zone_object(self) -> Json:
        return {
            "id": self.zone_id,
            "name": self.zone,
            "status": self.zone_status,
            "paused": self.paused,
            "type": "full",
            "account": {"id": self.id, "name": "lab"},
            "owner": {"id": self.id, "name": "lab", "type": "organization"},
            "plan": {"id": "0f" * 16, "name": "Free Website", "price": 0, "legacy_id": "free"},
            "meta": {"step": 2, "custom_certificate_quota": 0, "page_rule_quota": 3},
            "name_servers": ["ada.ns.example", "bob.ns.example"],
            "development_mode": 0,
            "created_on": "2024-01-01T00:00:00Z",
            "modified_on": "2024-01-01T00:00:00Z",
            "activated_on": "2024-01-01T00:00:00Z",
        }

    def add_tunnel(self, tunnel: str, name: str = "edge", source: str = "local") -> None:
        self.tunnels[tunnel] = {
            "id": tunnel,
            "account_tag": self.id,
            "name": name,
            "config_src": source,
            "remote_config": source == "cloudflare",
            "connections": [],
            "conns_active_at": None,
            "conns_inactive_at": self.at(),
            "created_at": self.at(),
            "deleted_at": None,
            "metadata": {},
            "status": "inactive",
            "tun_type": "cfd_tunnel",
        }
        self.connections[tunnel] = []
        if source == "cloudflare":
            self.take_over(tunnel)

    def take_over(self, tunnel: str) -> None:
        """What the dashboard does when it is asked to manage the tunnel."""
        self.tunnels[tunnel] |= {"config_src": "cloudflare", "remote_config": True}
        self.configurations[tunnel] = {
            "account_id": self.id,
            "tunnel_id": tunnel,
            "version": 0,
            "source": "cloudflare",
            "created_at": self.at(),
            "config": {"ingress": [{"service": "http_status:404"}]},
        }

    def connect(self, tunnel: str, connector: str, address: str, places: str = "fra07") -> None:
        """A replica has connected, four times."""
        conns = [
            {
                "id": self.new_uuid(),
                "uuid": self.new_uuid(),
                "client_id": connector,
                "client_version": "2026.8.0",
                "colo_name": f"{places}",
                "origin_ip": address,
                "opened_at": self.at(),
                "is_pending_reconnect": False,
            }
            for _ in range(4)
        ]
        client = {
            "id": connector,
            "version": "2026.8.0",
            "arch": "linux_amd64",
            "features": ["ha-origin"],
            "run_at": self.at(),
            "conns": conns,
        }
        self.connections[tunnel].append(client)
        self.tunnels[tunnel] |= {"status": "healthy", "conns_active_at": self.at()}

    def add_service_token(self, name: str, client: str, *, days: int = 365) -> str:
        made = self.new_uuid()
        self.service_tokens[made] = {
            "id": made,
            "client_id": client,
            "name": name,
            "duration": "8760h",
            "enabled": True,
            "expires_at": f"{self.now() + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}",
        }
        return made

    def new_secret(self) -> str:
        return f"cfast_{secrets.token_hex(16)}"
