"""An Unraid-like host: what the lab promises of it, and what a deploy does there."""

from collections.abc import Iterator

import pytest

from lab.api import Lab
from lab.options import Options
from lab.state import CHECKOUT, State
from tests.lab.conftest import DEPLOY, beside, get, runbook, shell

SITE = CHECKOUT / "lab/site/unraid/config.yaml"
SONARR = "http://100.76.168.116:8989/ping"
MCP = "/mnt/user/appdata/mcp/mcp.json"
KEPT = "/boot/config/kept", "/mnt/user/kept"


@pytest.fixture(scope="module")
def unraid_lab() -> Iterator[Lab]:
    """A lab of this module's own, up and deployed."""
    own = Lab(state=State(id=beside("unraid"), checkout=CHECKOUT))
    own.up(options=Options.asked(own.state, site=SITE))
    deploy = own.run("vps2", DEPLOY)
    assert deploy.returncode == 0, deploy.stderr
    yield own
    own.down()


@pytest.fixture
def lab(unraid_lab: Lab) -> Iterator[Lab]:
    yield unraid_lab
    unraid_lab.heal()


def test_there_is_no_systemd_sh_is_bash_and_the_web_gui_holds_its_ports(lab: Lab):
    assert "busybox" in shell(lab, "unraid", "readlink /proc/1/exe")
    assert lab.run("unraid", ["sh", "-c", "command -v systemctl systemd-run"]).stdout == ""
    assert shell(lab, "unraid", 'echo "${BASH_VERSION:+bash}"') == "bash\n"
    for url in ("http://100.76.168.116/", "https://100.76.168.116/"):
        assert "web GUI" in get(lab, "client", url).body


@pytest.mark.parametrize("kind", ["stop", "kill", "hang"])
def test_the_faults_of_services_work_on_it(lab: Lab, kind: str):
    lab.fault(kind, "sonarr@unraid")
    assert lab.run("client", ["curl", "-sf", "-m", "2", SONARR]).returncode != 0
    lab.heal()
    shell(lab, "client", f"until curl -sf -m 2 {SONARR}; do sleep 0.2; done")


def test_a_power_cut_takes_what_is_in_memory_and_leaves_flash_drive_and_array(lab: Lab):
    shell(lab, "unraid", f"for file in /etc/kept {' '.join(KEPT)}; do echo > $file; done")
    lab.power_cut("unraid")
    lab.power_on("unraid")
    assert shell(lab, "unraid", f"ls {' '.join(KEPT)}").split() == list(KEPT)
    assert lab.run("unraid", ["ls", "/etc/kept"]).returncode != 0
    assert shell(lab, "vps2", "ssh -o BatchMode=yes root@100.76.168.116 id -un") == "root\n"
    assert "is confirmed" not in runbook(lab, "deploy", "--apply", "--allow-dirty").stdout


def test_with_its_array_stopped_nothing_is_written_and_the_words_say_so(lab: Lab):
    lab.fault("array-stopped", "unraid")
    for host in (("--host", "unraid"), ()):
        done = runbook(lab, "deploy", "--apply", "--allow-dirty", "--allow-older", *host)
        assert done.returncode == 1
        assert "unraid: /mnt/user is not mounted" in done.stderr
    assert lab.run("unraid", ["ls", "/mnt/user"]).returncode != 0
    assert "/mnt/user is not mounted" in runbook(lab, "status").stdout
    seen = runbook(lab, "verify", "--only", "config", "--timeout", "20")
    assert "/mnt/user is not mounted" in seen.stdout
    lab.heal()
    assert "nothing to do" in runbook(lab, "deploy", "--apply", "--allow-dirty").stdout


def test_a_rollback_brings_back_what_the_release_before_had_on_the_share(lab: Lab):
    before = shell(lab, "unraid", f"cat {MCP}")
    shell(lab, "unraid", f"echo '# by hand' >> {MCP}")
    assert runbook(lab, "deploy", "--apply", "--allow-dirty", "--host", "unraid").returncode == 0
    assert shell(lab, "unraid", f"cat {MCP}") == before
    back = runbook(lab, "rollback", "--to", "previous", "--host", "unraid", "--apply")
    assert back.returncode == 0, back.stderr
    assert shell(lab, "unraid", f"cat {MCP}") == before
