"""How services want to be asked, as the real Caddy understands what we render for it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.site import Site
from tests.unit.test_configs import rendered


def proxies(tree: object) -> Iterator[dict[str, Any]]:
    """Every reverse proxy in an adapted config, wherever it stands."""
    if isinstance(tree, dict):
        if tree.get("handler") == "reverse_proxy":
            yield tree
        for inner in tree.values():
            yield from proxies(inner)
    elif isinstance(tree, list):
        for inner in tree:
            yield from proxies(inner)


def adapted(site: Site, folder: Path) -> list[dict[str, Any]]:
    """What vps1's Caddy would do, by Caddy's own adapter, which has nothing to warn of."""
    file = folder / "Caddyfile"
    file.write_text(rendered(site, "vps1")["caddy"].text or "")
    command = ["caddy", "adapt", "--adapter", "caddyfile", "--config", str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert '"warn"' not in done.stderr, done.stderr
    return list(proxies(json.loads(done.stdout)))


def of(found: list[dict[str, Any]], *dials: str) -> list[dict[str, Any]]:
    return [p for p in found if {u["dial"] for u in p["upstreams"]} == set(dials)]


@pytest.mark.parametrize(
    ("upstream", "tls"),
    [
        ({"scheme": "https"}, {}),
        ({"scheme": "https", "trust": "insecure"}, {"insecure_skip_verify": True}),
        (
            {"scheme": "https", "trust": "/etc/caddy/nas.pem", "server_name": "nas.lan"},
            {"ca": {"provider": "file", "pem_files": ["/etc/caddy/nas.pem"]},
             "server_name": "nas.lan"},
        ),
        ({"path": "/app"}, None),
        ({"host": "nas.lan:8443"}, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("service", "dials", "blocks"),
    [
        ("organizr", ("100.102.55.88:80", "100.67.88.109:80"), 4),
        ("plex", ("100.76.168.116:32400",), 1),
    ],
)  # fmt: skip
def test_every_block_asks_as_the_service_wants_to_be_asked(
    site: Site, tmp_path: Path, upstream: dict[str, str], tls: dict[str, Any] | None,
    service: str, dials: tuple[str, ...], blocks: int,
):  # fmt: skip
    (tmp_path / "nas.pem").touch()
    site.change("services", f"services.{service}.upstream", upstream)
    found = of(adapted(site, tmp_path), *dials)
    assert len(found) >= blocks
    for proxy in found:
        assert proxy["transport"].get("tls") == tls
        assert proxy.get("rewrite", {}).get("uri", "") == (
            f"{upstream['path']}{{http.request.uri}}" if "path" in upstream else ""
        )
        wanted = upstream.get("host") or ("{http.request.hostport}" if tls is not None else None)
        assert proxy["headers"]["request"]["set"].get("Host") == (wanted and [wanted])
        check = proxy.get("health_checks", {}).get("active")
        if check:
            assert check["uri"].startswith(f"{upstream.get('path', '')}/api/v2/ping")
            assert check.get("headers", {}).get("Host", [None])[0] == upstream.get("host")
    others = [p for p in adapted(site, tmp_path) if p not in found]
    assert others and not any("tls" in p["transport"] or "rewrite" in p for p in others)
