"""Services as the real Caddy asks them: hosts without SSH, several fallbacks, h2c."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loopback.edges import Net, alone, needs_root, network
from tests.site import Site

pytestmark = needs_root
V6 = "fd7a:115c:a1e0::10"
ORIGINS = {
    "first": "100.102.55.88 9000",
    "second": "100.76.168.116 9000",
    "third": f"{V6} 9000",
    "plain": f"{V6} 8006",
}


@pytest.fixture
def net(site: Site, tmp_path: Path) -> Iterator[Net]:
    site.change("hosts", "nas", {"hostname": V6, "data": {"ssh": False}})
    base = {"hostname": "app", "port": 9000, "health": {"path": "/up"}}
    apart = {"primary": "vps2", "fallback": ["unraid", "nas"]}
    grpc = {"hostname": "grpc", "port": 8006, "hosts": ["nas"], "upstream": {"scheme": "h2c"}}
    alone(site, {"app": base | apart, "grpc": base | grpc})
    with network(site, tmp_path, ORIGINS) as made:
        yield made


def test_a_service_at_an_ipv6_address_is_asked_over_h2c(net: Net):
    heard = net.ask("vps1", "https://grpc.home.example/x")
    assert heard.body == "plain grpc.home.example /x HTTP/2.0"
    assert heard.headers["x-served-by"] == f"[{V6}]:8006"


def who(net: Net) -> str:
    heard = net.ask("vps1", "https://app.home.example/")
    return heard.headers.get("answers", f"{heard.status}")


def test_each_fallback_answers_once_those_before_it_are_dead_and_no_read_is_lost(net: Net):
    """The fallbacks in their order, in the moment that one dies: no health check has seen it."""
    assert who(net) == "first"
    net.lose("100.102.55.88")
    assert [who(net) for _ in range(30)] == ["second"] * 30
    heard = net.ask("vps1", "https://app.home.example/", "-d", "x")
    assert heard.headers["answers"] == "second", "what was never sent may be sent again"
    net.lose("100.76.168.116")
    assert [who(net) for _ in range(30)] == ["third"] * 30
