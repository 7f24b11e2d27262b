"""An edge that leaves the site: nothing of ours stays on it, and the others forget it."""

from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab.conftest import DEPLOY, runbook, shell
from tests.lab.sites import site_files, write

OURS = (
    "/etc/caddy/Caddyfile /etc/cloudflared/*.json /etc/mcp/mcp.json /etc/twinedge "
    "/usr/local/lib/twinedge /var/lib/twinedge /etc/systemd/system/twinedge-boot.service"
)


@pytest.fixture
def leaving(lab: Lab) -> Iterator[str]:
    """The settings of a site that vps1 has left; it is a host of the lab's again at the end."""
    files = site_files(lab)
    del files["hosts.yaml"]["vps1"]
    for service in files["services.yaml"]["services"].values():
        if "vps1" in (*service.get("hosts", ()), service.get("primary"), service.get("fallback")):
            for key in ("primary", "fallback"):
                service.pop(key, None)
            service["hosts"] = ["vps2"]
    del files["services.yaml"]["syncs"]
    write(lab, "vps2", "/root/alone", files)
    yield "/root/alone/config.yaml"
    again = lab.run("vps2", (*DEPLOY, "--debug"))
    assert again.returncode == 0, again.stderr
    shell(lab, "vps1", "systemctl -q enable caddy cloudflared")


def test_an_edge_that_is_retired_serves_no_more_and_keeps_nothing_of_ours(lab: Lab, leaving: str):
    deploy = ("--apply", "--allow-dirty", "--allow-older", "--config", leaving)
    refused = runbook(lab, "deploy", *deploy)
    assert refused.returncode == 1
    assert "python runbooks/retire.py vps1" in refused.stderr
    retired = runbook(lab, "retire", "vps1", "--apply", "--config", leaving)
    assert retired.returncode == 0, retired.stderr
    assert "cloudflared.service" in retired.stdout
    units = "systemctl is-active caddy cloudflared lsyncd; systemctl is-enabled caddy; :"
    assert "active" not in shell(lab, "vps1", units).replace("inactive", "").split()
    assert shell(lab, "vps1", f"ls -d {OURS} 2>/dev/null; :").split() == []
    assert "twinedge-" not in shell(lab, "vps1", "cat /root/.ssh/authorized_keys")
    assert "twinedge-sync:vps1" not in shell(lab, "vps2", "cat /root/.ssh/authorized_keys")
    done = runbook(lab, "deploy", *deploy)
    assert done.returncode == 0, done.stderr
    again = runbook(lab, "retire", "vps1", "--apply", "--config", leaving)
    assert (again.returncode, "nothing to do" in again.stdout) == (0, True)
