"""Whatever stands in front of a service together, as the real Caddy understands it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.load import load_catalogue
from tests.site import Site
from tests.unit.test_configs import rendered
from tests.unit.test_front import AUTH


def _whole(route: dict[str, Any]) -> dict[str, Any]:
    """The route without `strip`, which means nothing at the front page."""
    return {key: value for key, value in route.items() if key != "strip"}


PATHS = ("/a", "/a/b", "/c")
OPTIONAL = {
    "allow": st.just(["203.0.113.0/24"]),
    "forward_auth": st.builds(
        lambda name, paths: {**AUTH, "provider": name, "open_paths": paths},
        st.sampled_from(["authelia", "authentik", "tinyauth"]),
        st.lists(st.sampled_from(PATHS), unique=True),
    ),
    "refuse": st.just({"User-Agent": ["bot", "`{$HOME}` (x|y)"], "X-Bad": ""}),
    "request_headers": st.just({"X-One": "a {1} 'b'", "X-Two": None}),
    "response_headers": st.just({"Server": "x", "Content-Security-Policy": "default-src 'self'"}),
    "security_headers": st.booleans(),
    "encode": st.booleans(),
    "body_limit": st.just("5MB"),
    "routes": st.dictionaries(
        st.sampled_from((*PATHS, "/")),
        st.sampled_from(
            [
                {"service": "radarr", "headers": {"X-Token": "", "Accept": ["json", "{x} `a`"]}},
                {"service": "radarr", "strip": True},
                {"service": "uptime-kuma"},
                {"port": 4321, "strip": True},
                {"root": "/srv/files", "strip": True},
                {"redirect": {"to": "https://new.example", "keep_path": True}, "strip": True},
                {"respond": {"body": '/{"a": "{}"}', "status": 404, "type": "application/json"}},
            ]
        ),
    ).map(lambda routes: {p: _whole(r) if p == "/" else r for p, r in routes.items()}),
}
FRONTS = st.fixed_dictionaries({}, optional=OPTIONAL)


def handlers(part: Any, under: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """(the matchers above it, handler) of all in a part of a config, in their order."""
    if isinstance(part, list):
        for one in part:
            yield from handlers(one, under)
    elif isinstance(part, dict):
        under = (*under, json.dumps(part.get("match", "")))
        if "handler" in part:
            yield " ".join(under), part
        for key in ("handle", "routes"):
            yield from handlers(part.get(key), under)


def asks(handler: dict[str, Any], address: str) -> bool:
    return any(up["dial"] == address for up in handler.get("upstreams", []))


@given(front=FRONTS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nothing_is_asked_before_who_stands_in_front_and_nothing_again_that_was_not(
    site: Site, tmp_path: Path, front: dict[str, Any]
):
    entry = {"hostname": "auth", "port": 9091, "health": {"path": "/"}, "hosts": ["unraid"]}
    site.change("services", "services.auth", {**entry, "access": "open"})
    site.change("services", "services.organizr.front", front)
    stands = load_catalogue(site.config).services["organizr"].front.stands
    file = tmp_path / "Caddyfile"
    file.write_text(rendered(site, "vps1")["caddy"].text or "")
    command = ["caddy", "adapt", "--adapter", "caddyfile", "--config", str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert '"warn"' not in done.stderr, done.stderr
    servers = json.loads(done.stdout)["apps"]["http"]["servers"].values()
    ours = [
        (kind, [one for r in routes if "organizr.home" in json.dumps(r) for one in handlers(r)])
        for server in servers
        for kind, routes in (
            ("asked", server["routes"]),
            ("again", server.get("errors", {}).get("routes", [])),
        )
    ]
    seen = 0
    for kind, found in ours:
        for n, (under, handler) in enumerate(found):
            if not asks(handler, "100.102.55.88:80"):
                continue
            seen += 1
            before = [one for _, one in found[:n]]
            if kind == "again":
                assert not stands or "asked" in under
                continue
            refusals = [b for b in before if b.get("status_code") == 403]
            assert len(refusals) == len([*front.get("allow", ()), *front.get("refuse", ())])
            if front.get("forward_auth"):
                assert any(asks(b, "100.76.168.116:9091") for b in before)
    assert seen >= 4
