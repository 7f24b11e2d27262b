"""The connector's `/ready` and `/metrics`, with cloudflared's paths, statuses and names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from aiohttp import web

PREFIX = "cloudflared_tunnel_"


@dataclass(kw_only=True)
class Readiness:
    """What one connector counts about itself."""

    connector: str
    connections: int = 0
    draining: bool = False
    requests: int = 0
    errors: int = 0
    by_code: Counter[int] = field(default_factory=Counter)

    def application(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.get("/ready", self._ready), web.get("/metrics", self._metrics)])
        return app

    async def _ready(self, _: web.Request) -> web.Response:
        status = 200 if self.connections and not self.draining else 503
        told = {
            "status": status,
            "readyConnections": self.connections,
            "connectorId": self.connector,
        }
        return web.json_response(told, status=status)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(text=self._exposition(), content_type="text/plain")

    def _exposition(self) -> str:
        single = [
            ("ha_connections", "gauge", self.connections),
            ("total_requests", "counter", self.requests),
            ("request_errors", "counter", self.errors),
        ]
        lines = [f"# TYPE {PREFIX}{n} {kind}\n{PREFIX}{n} {value}" for n, kind, value in single]
        lines.append(f"# TYPE {PREFIX}response_by_code counter")
        for code, count in sorted(self.by_code.items()):
            lines.append(f'{PREFIX}response_by_code{{status_code="{code}"}} {count}')
        return "\n".join(lines) + "\n"
