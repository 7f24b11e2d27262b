"""How the lab's services become containers, as text, and which settings are refused."""

import shlex
from pathlib import Path

import pytest
import yaml

from inventory.load import load_catalogue
from lab import managed
from lab.errors import LabError
from lab.image.containers import create
from lab.options import SITE
from lab.settings import OriginSettings, Settings
from lab.state import CHECKOUT
from lab.topology import Origin, of_site


def line(**settings: object) -> list[str]:
    origin = Origin(
        service="sabnzbd", kind="http", host="unraid", unit="sab", port=8080, manager="docker",
        health="/api?mode=version", runs=Settings(**settings),
    )  # fmt: skip
    text = create(origin, address="100.76.168.116", python=Path("/p"), seen=[Path("/checkout")])
    return shlex.split(text)


def test_a_container_has_the_policy_the_timeout_and_the_check_of_its_site():
    words = line(restart="always", stop_timeout=50, health_interval=3)
    joined = " ".join(words)
    assert "--name sab --hostname sabnzbd --restart always --stop-timeout 50" in joined
    assert "curl -fsS -m 2 'http://100.76.168.116:8080/api?mode=version'" in words
    assert "--network host" in joined and "-p" not in words


@pytest.mark.parametrize(
    ("listen", "published"),
    [("all", "0.0.0.0"), ("tailnet", "100.76.168.116"), ("loopback", "127.0.0.1")],
)
def test_behind_a_bridge_the_port_is_published_where_the_site_says(listen, published):
    words = line(network="bridge", listen=listen)
    assert words[words.index("-p") + 1] == f"{published}:8080:8080"
    assert words[words.index("--listen") + 1] == "0.0.0.0:8080"


def test_a_service_without_a_health_check_has_none_in_docker_either():
    assert "--health-cmd" not in line(health_interval=0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"networks": "host"}, "plex: no setting 'networks' (listen, stop_timeout"),
        ({"network": "nat"}, "plex: network is 'nat', should be host, bridge"),
        ({"stop_timeout": "5s"}, "plex: stop_timeout is '5s', should be like 10"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_right_ones(tmp_path, settings, said):
    (tmp_path / "origins.yaml").write_text(yaml.safe_dump({"services": {"plex": settings}}))
    with pytest.raises(LabError) as refused:
        OriginSettings(tmp_path / "config.yaml").of("plex")
    assert said in str(refused.value)


def test_a_site_without_settings_is_run_as_usual(tmp_path):
    assert OriginSettings(tmp_path / "config.yaml").of("plex") == Settings()


def test_a_copy_of_a_site_differs_in_how_services_run_and_in_nothing_else(tmp_path):
    site = CHECKOUT / SITE
    managed.copy(site, "docker", tmp_path / "copy")
    copied = load_catalogue(tmp_path / "copy" / "config.yaml")
    original = load_catalogue(site)
    assert copied.services == original.services and copied.site == original.site
    assert {host.manager for host in copied.hosts.values()} == {"docker"}
    origins = {f"{o.service}@{o.host}": o for o in of_site(tmp_path / "copy/config.yaml").origins}
    assert origins["organizr@vps2"].is_container and not origins["dns@vps1"].is_container
    assert origins["uptime-kuma@vps1"].runs.network == "bridge"
