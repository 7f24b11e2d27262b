"""Nothing moves the time at which a host goes back by itself, and nothing ends the trying."""

from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab.conftest import runbook, shell
from tests.lab.faults_of_verify import FAKETIME
from tests.patience import until

MCP = "/etc/mcp/mcp.json"
STATE = "/var/lib/twinedge"
GONE_BACK = f"test ! -e {STATE}/pending && grep -q '# by hand' {MCP}"
# What package upgrades do, once a second, and what an operator may do to whoever waits.
STORM = """\
systemctl set-environment LD_PRELOAD=$(echo {faketime}) FAKETIME=-1h
systemctl kill -s KILL {unit}
until [ "$(tr '\\0' '\\n' < /proc/$(systemctl show -p MainPID --value {unit})/environ |
    grep -c FAKETIME=-1h)" = 1 ]; do sleep 0.1; done
systemctl unset-environment LD_PRELOAD FAKETIME
systemctl daemon-reexec
while [ -e {note} ]; do systemctl daemon-reload; sleep 1; done
"""


def storm(unit: str, note: str) -> str:
    """Ends once `note` is gone: reloads, a clock an hour back, a kill of what waits."""
    return STORM.format(unit=unit, note=note, faketime=FAKETIME)


# A controller that dies when it is about to confirm.
DYING = """\
import os, runpy, sys
from runbooks.transaction.rollout import Rollout
Rollout._confirm = lambda rollout: os._exit(9)
runpy.run_path("runbooks/deploy.py", run_name="__main__")
"""


def leave_unconfirmed(lab: Lab, host: str, *, window: int) -> None:
    """A release that its controller commits on `host`, and never confirms."""
    flags = ["--apply", "--allow-dirty", "--allow-older", "--host", host, "--window", str(window)]
    died = lab.run("vps2", ["python", "-c", DYING, *flags])
    assert died.returncode == 9, died.stdout + died.stderr


@pytest.fixture
def edited(lab: Lab) -> Iterator[Lab]:
    """vps1 with a file that a deploy replaces, and a revert brings back; deployed afterwards."""
    shell(lab, "vps1", f"echo '# by hand' >> {MCP}")
    yield lab
    deploy = runbook(lab, "deploy", "--apply", "--allow-dirty", "--allow-older", "--break-lock")
    assert deploy.returncode == 0, deploy.stderr


def test_a_release_goes_back_through_reloads_a_clock_that_jumps_and_a_kill(edited: Lab):
    leave_unconfirmed(edited, "vps1", window=20)
    shell(edited, "vps1", storm("twinedge-revert", f"{STATE}/pending"))
    shell(edited, "vps1", GONE_BACK)


def test_what_cannot_be_put_back_is_told_and_tried_until_it_can(edited: Lab):
    leave_unconfirmed(edited, "vps1", window=600)
    shell(edited, "vps1", f"mount --bind {MCP} {MCP}")
    try:
        assert edited.run("vps1", ["sh", f"{STATE}/release.sh", "revert"]).returncode == 1
        told = " ".join(runbook(edited, "status").stdout.split())
        assert f"is going back, and {MCP} could not be put back yet" in told
    finally:
        shell(edited, "vps1", f"umount {MCP}")
    until(lambda: edited.run("vps1", ["sh", "-c", GONE_BACK]).returncode == 0)


def test_a_boot_within_the_window_goes_back_and_goes_on_trying(edited: Lab):
    leave_unconfirmed(edited, "vps1", window=600)
    # A folder that is there in place of the file that was kept: no rename gets over it.
    beside = f"{MCP.rpartition('/')[0]}/.mcp.json.*.old"
    shell(edited, "vps1", f"mv {MCP} /etc/aside && mkdir -p {MCP}/in-the-way && ls {beside}")
    edited.power_cut("vps1")
    edited.power_on("vps1")
    assert edited.run("vps1", ["test", "-e", f"{STATE}/pending"]).returncode == 0
    shell(edited, "vps1", f"rm -r {MCP}")
    until(lambda: edited.run("vps1", ["sh", "-c", GONE_BACK]).returncode == 0)


def test_a_drill_whose_maker_is_gone_is_undone_through_a_storm_of_reloads(lab: Lab):
    flags = ["--service", "organizr", "--apply", "--hold", "5", "--window", "12"]
    note = f"{STATE}/drill/armed"
    with lab.popen("client", ["python", "runbooks/failover.py", *flags]) as drill:
        until(lambda: lab.run("vps2", ["test", "-e", note]).returncode == 0, every=0.02)
        until(lambda: lab.run("vps2", ["systemctl", "-q", "is-active", "organizr"]).returncode)
        drill.kill()
    shell(lab, "vps2", storm("twinedge-restore", note))
    shell(lab, "vps2", "systemctl is-active organizr")


def test_a_first_deploy_that_goes_back_stops_and_disables_what_it_has_started(edited: Lab):
    unit = "/etc/systemd/system/lsyncd.service"
    first = (
        f"systemctl disable --now lsyncd; rm {unit} /etc/lsyncd/lsyncd.conf.lua; "
        f"systemctl daemon-reload; cd {STATE} && rm -r current releases"
    )
    shell(edited, "vps1", first)
    leave_unconfirmed(edited, "vps1", window=600)
    shell(edited, "vps1", "systemctl is-active lsyncd")
    shell(edited, "vps1", f"sh {STATE}/release.sh revert")
    assert edited.run("vps1", ["systemctl", "-q", "is-active", "lsyncd"]).returncode
    wanted = "test -e /etc/systemd/system/multi-user.target.wants/lsyncd.service"
    assert edited.run("vps1", ["sh", "-c", wanted]).returncode
    assert edited.run("vps1", ["test", "-e", f"{STATE}/current"]).returncode
