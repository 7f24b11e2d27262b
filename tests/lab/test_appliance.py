"""A host that nobody logs in to: served, checked and told, with no SSH on it at all."""

from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab import sites
from tests.lab.conftest import DEPLOY, EDGES, runbook, shell, through_caddy

NAS = "/root/sites/nas/config.yaml"


@pytest.fixture
def nas(lab: Lab) -> Iterator[Lab]:
    """The lab, whose unraid has no sshd any more, and is known to the edges as nas.lan."""
    files = sites.site_files(lab)
    files["hosts.yaml"]["unraid"] = {"hostname": "nas.lan", "data": {"ssh": False}}
    sites.write(lab, "vps2", "/root/sites/nas", files)
    address = lab.machines["unraid"].tailnet
    for edge in EDGES:
        shell(lab, edge, f"echo '{address} nas.lan' >>/etc/hosts")
    shell(lab, "unraid", "systemctl stop ssh.socket ssh")
    yield lab
    shell(lab, "unraid", "systemctl start ssh")
    for edge in EDGES:
        shell(lab, edge, "sed '/nas.lan/d' /etc/hosts >/tmp/hosts && cat /tmp/hosts >/etc/hosts")
    assert lab.run("vps2", DEPLOY).returncode == 0


def test_a_host_that_nobody_logs_in_to_is_served_and_checked_from_the_edges(nas: Lab):
    deployed = nas.run("vps2", (*DEPLOY, "--config", NAS))
    assert deployed.returncode == 0, deployed.stderr
    assert "unraid    no SSH: nothing is put there" in deployed.stdout
    for edge in EDGES:
        answer = through_caddy(nas, edge, "plex.edge.test", "/identity")
        assert (answer.status, answer.headers["x-served-by"]) == (200, "nas.lan:32400")
    checked = runbook(nas, "verify", "--config", NAS, "--only", "service,mesh,caddy,host")
    assert checked.returncode == 0, checked.stdout
    assert "unraid (no SSH)" in checked.stdout
    shell(nas, "unraid", "systemctl stop plex radarr sonarr tautulli sabnzbd")
    dead = runbook(nas, "verify", "--config", NAS, "--only", "service,mesh,caddy,host", "--quiet")
    shell(nas, "unraid", "systemctl start plex radarr sonarr tautulli sabnzbd")
    assert dead.returncode == 3, dead.stdout
    (line,) = dead.stdout.splitlines()
    assert line.startswith("UNREACHABLE unraid ") and "broken: host unraid" in line
