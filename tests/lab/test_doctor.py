"""Real faults in a deploy's way: the doctor names them all, and the deploy refuses them."""

from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab.conftest import runbook, shell
from tests.lab.sites import site_files, with_services, write

SQUATTER = "systemd-run -q --unit=squatter python3 -m http.server 443 --bind 0.0.0.0"


@pytest.fixture
def squatted(lab: Lab) -> Iterator[Lab]:
    """The lab, where something else has Caddy's port on vps1."""
    shell(lab, "vps1", f"systemctl stop caddy && {SQUATTER}")
    wait = "until ss -H -l -t -n 'sport = :443' | grep -q .; do sleep 0.1; done"
    shell(lab, "vps1", wait)
    yield lab
    shell(lab, "vps1", "systemctl stop squatter; systemctl start caddy")


def test_the_doctor_names_a_squatter_a_wrong_host_and_a_missing_secret_at_once(squatted: Lab):
    files = site_files(squatted)
    files["defaults.yaml"]["data"]["tunnel"]["credentials"] = "file:/nowhere/tunnel.json"
    files["hosts.yaml"]["unraid"]["data"] = {"ssh": {"own_address": "100.64.0.99"}}
    write(squatted, "vps2", "/root/ill", files)
    done = runbook(squatted, "doctor", "--config", "/root/ill/config.yaml")
    assert done.returncode == 1, done.stderr
    for words in (
        "data.tunnel.credentials: file:/nowhere/tunnel.json: No such file",
        "port 443, which caddy needs, is held by python3 (squatter.service)",
        "systemctl disable --now squatter.service",
        "100.64.0.99 is not among them",
    ):
        assert words in done.stdout
    moved = with_services(squatted, "vps2", "/root/moved", {"plex": {"hostname": "movies"}})
    deploy = ("--apply", "--allow-dirty", "--allow-older", "--reload-anyway")
    refused = runbook(squatted, "deploy", *deploy, "--config", moved)
    assert refused.returncode == 1
    assert "vps1: port 443, which caddy needs, is held by python3 (squatter" in refused.stderr
    assert "nothing was changed on any host" in refused.stderr
    assert "movies" not in shell(squatted, "vps1", "cat /etc/caddy/Caddyfile")


def test_the_doctor_finds_nothing_in_the_way_of_a_healthy_edge(lab: Lab):
    done = runbook(lab, "doctor")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "FAILED" not in done.stdout
