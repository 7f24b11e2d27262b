"""A path that belongs on a mount which is not there is refused before anything is written."""

import pytest

from runbooks.transaction import begin
from tests.runbook import Runbook
from tests.site import Site
from tests.unit.fakehosts import SHELLS, FakeHosts

SHARE = {"mcp": "/mnt/pool/appdata/mcp.json", "state": "/mnt/pool/appdata/twinedge"}
FSTAB = (
    "# /srv was on sdb\n/dev/sda1 / ext4 rw 0 1\nUUID=2 {} ext4 {} 0 2\nUUID=3 none swap sw 0 0\n"
)


@pytest.fixture
def shared(site: Site) -> Site:
    """A site whose media host keeps everything on a share that is not there yet."""
    site.change("hosts", "unraid.data.paths", SHARE)
    return site


@pytest.mark.parametrize("shell", SHELLS)
def test_a_host_whose_array_is_stopped_is_refused_and_nothing_is_written(
    deploy: Runbook, hosts: FakeHosts, shared: Site, shell: str
):
    hosts["unraid"].use_shell(shell)
    for done in (deploy(), deploy("--apply")):
        assert done.status == 1
        assert "unraid: /mnt/pool is not mounted" in done.err
        assert "start the array" in done.err and "nothing was changed on any host" in done.err
    assert not hosts["unraid"].path("/mnt/pool").exists()
    assert not hosts["vps1"].path("/etc/caddy/Caddyfile").exists()


def test_once_the_array_is_started_the_deploy_goes_on(
    deploy: Runbook, hosts: FakeHosts, shared: Site
):
    hosts["unraid"].root.memory("/mnt/pool")
    assert deploy("--apply").status == 0
    assert hosts["unraid"].path(SHARE["mcp"]).exists()


def test_an_array_that_stops_after_the_look_is_refused_by_the_host_itself(
    deploy: Runbook, hosts: FakeHosts, shared: Site, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(begin, "refuse_certain", lambda _: None)
    done = deploy("--apply")
    assert done.status == 1
    assert f"/mnt/pool is not mounted, and {SHARE['state']}" in done.err
    assert not hosts["unraid"].path("/mnt/pool").exists()


def test_a_disk_of_fstab_that_is_not_mounted_is_refused_too(
    deploy: Runbook, hosts: FakeHosts, site: Site
):
    site.change("hosts", "vps1.data.paths.mcp", "/srv/data/mcp.json")
    hosts["vps1"].path("/etc/fstab").write_text(FSTAB.format("/srv", "nofail"))
    assert "vps1: /srv is not mounted" in deploy().err
    hosts["vps1"].path("/etc/fstab").write_text(FSTAB.format("/srv", "rw,noauto"))
    assert deploy().status == 0
    hosts["vps1"].path("/etc/fstab").write_text(FSTAB.format("/data", "nofail"))
    assert deploy().status == 0
