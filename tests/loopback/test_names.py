"""A service under several names, as the real Caddy serves it on the tailnet and to the tunnel."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loopback.edges import Net, alone, needs_root, network
from tests.site import Site

pytestmark = needs_root
SERVED = ("home.example", "tv.home.example", "films.home.net", "any.apps.home.example")


@pytest.fixture
def named(site: Site) -> Site:
    site.change("defaults", "data.domains", ["home.net"])
    films = {
        "hostname": "home.example",
        "aliases": ["tv", "films.home.net", "*.apps"],
        "redirect_from": ["movies", "www.home.net"],
        "http_names": ["films", "films.lan"],
        "port": 9000,
        "health": {"path": "/up"},
        "hosts": ["unraid"],
        "access": "open",
    }
    notes = films | {"hostname": "notes.apps.home.example", "port": 9001}
    notes |= {"aliases": [], "redirect_from": [], "http_names": []}
    alone(site, {"films": films, "notes": notes})
    return site


@pytest.fixture
def net(named: Site, tmp_path: Path) -> Iterator[Net]:
    origins = {"cinema": "100.76.168.116 9000", "paper": "100.76.168.116 9001"}
    with network(named, tmp_path, origins) as made:
        yield made


def test_each_name_is_served_or_leads_to_the_first(net: Net):
    for name in SERVED:
        assert net.ask("vps1", f"https://{name}/x").body == f"cinema {name} /x HTTP/1.1", name
        assert net.through_tunnel(name, "/x").body == f"cinema {name} /x HTTP/1.1", name
    for name in ("films", "films.lan"):
        assert net.ask("vps1", f"http://{name}/x").body == f"cinema {name} /x HTTP/1.1"
        assert net.through_tunnel(name).status == 404, "plain HTTP is for the tailnet alone"
    for name in ("movies.home.example", "www.home.net"):
        for heard in (net.ask("vps1", f"https://{name}/x?y=1"), net.through_tunnel(name, "/x?y=1")):
            assert heard.status == 308
            assert heard.headers["location"] == "https://home.example/x?y=1"
    assert net.ask("vps1", "https://notes.apps.home.example/").headers["answers"] == "paper"
    assert net.through_tunnel("notes.apps.home.example").headers["answers"] == "paper"
    assert net.ask("vps1", "http://tv.home.example/").status == 308, "TLS stays the rule"
