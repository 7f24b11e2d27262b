"""What each service of the catalogue answers where it is asked for its health."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class HealthPage:
    """A health endpoint: asked with `query`, it answers 200 with `body`."""

    path: str
    body: str
    content_type: str = JSON
    query: Mapping[str, str] = field(default_factory=dict)

    def answers(self, path: str, query: Mapping[str, str]) -> bool:
        return path == self.path and all(query.get(k) == v for k, v in self.query.items())


@dataclass(frozen=True, kw_only=True)
class Imitation:
    """How one service behaves; `index_everywhere` answers unknown paths with the index page."""

    title: str
    health: tuple[HealthPage, ...]
    index_everywhere: bool = False


_OK = json.dumps({"status": "OK"})
_PONG = json.dumps({"response": {"result": "success", "message": None, "data": "pong"}})
_PLEX = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<MediaContainer size="0" claimed="1" version="1.41.0"></MediaContainer>'
)
_KNOWN: Mapping[str, Imitation] = {
    "organizr": Imitation(title="Organizr", health=(HealthPage(path="/api/v2/ping", body=_PONG),)),
    "uptime-kuma": Imitation(
        title="Uptime Kuma",
        health=(
            HealthPage(
                path="/api/entry-page",
                body=json.dumps({"type": "entryPage", "entryPage": "dashboard"}),
            ),
        ),
        index_everywhere=True,
    ),
    "antigravity-manager": Imitation(
        title="Antigravity Manager",
        health=(
            HealthPage(path="/healthz", body=json.dumps({"status": "ok"})),
            HealthPage(path="/health", body=json.dumps({"status": "ok"})),
        ),
    ),
    "plex": Imitation(
        title="Plex", health=(HealthPage(path="/identity", body=_PLEX, content_type="text/xml"),)
    ),
    "radarr": Imitation(title="Radarr", health=(HealthPage(path="/ping", body=_OK),)),
    "sonarr": Imitation(title="Sonarr", health=(HealthPage(path="/ping", body=_OK),)),
    "tautulli": Imitation(
        title="Tautulli",
        health=(
            HealthPage(path="/status", body=json.dumps({"result": "success", "message": "Ok"})),
        ),
    ),
    "sabnzbd": Imitation(
        title="SABnzbd",
        health=(
            HealthPage(
                path="/api", query={"mode": "version"}, body=json.dumps({"version": "4.3.3"})
            ),
        ),
    ),
}


def imitation(name: str) -> Imitation:
    """The behaviour of the service of that name; any other name gets a plain `/healthz`."""
    plain = HealthPage(path="/healthz", body="ok", content_type="text/plain")
    return _KNOWN.get(name) or Imitation(title=name, health=(plain,))
