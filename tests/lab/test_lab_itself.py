"""The lab keeps its own promises: it comes up whole, breaks as asked, and leaves nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.api import Lab
from lab.kernel.cgroup import Group
from lab.state import CHECKOUT, State
from tests.lab.conftest import beside
from tests.patience import until

ORGANIZR = "http://100.102.55.88/api/v2/ping"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the lab needs root")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab of this module's own, beside the one that other tests share."""
    own = Lab(state=State(id=beside("itself"), checkout=CHECKOUT))
    own.up()
    yield own
    own.down()
    assert traces(own.state.id) == []


@pytest.fixture(autouse=True)
def healed(request) -> Iterator[None]:
    yield
    if "lab" in request.fixturenames:
        request.getfixturevalue("lab").heal()


def traces(lab_id: str) -> list[str]:
    """Everything of a lab that could still be seen on the machine."""
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    found = [line for line in mounts if f"twinedge-lab/{lab_id}" in line]
    found += [str(path) for path in (State(id=lab_id, checkout=CHECKOUT).folder,) if path.exists()]
    group = Group.of_lab(lab_id)
    return found + ([str(group.path)] if group.exists else [])


def status_of(lab: Lab, url: str = ORGANIZR) -> str:
    asked = ["curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}", url]
    return lab.run("client", asked).stdout


def test_every_host_runs_and_nothing_has_failed(lab):
    for name in lab.machines:
        assert lab.run(name, ["systemctl", "is-system-running"]).stdout == "running\n"


def test_no_host_has_a_way_out(lab):
    for name in lab.machines:
        assert "default" not in lab.run(name, ["ip", "route"]).stdout
        assert "unreachable" in lab.run(name, ["ping", "-c1", "-W1", "192.0.2.1"]).stderr


def test_an_exec_is_in_the_checkout_and_its_exit_status_is_passed_on(lab):
    done = lab.run("vps2", ["sh", "-c", "pwd; command -v python; exit 7"])
    assert (done.returncode, done.stdout) == (7, f"{CHECKOUT}\n{CHECKOUT}/.venv/bin/python\n")
    assert lab.run("vps2", ["sh", "-c", "kill -9 $$"]).returncode == 137


def test_a_killed_exec_ends_its_command(lab):
    running = lab.popen("vps1", ["sleep", "4242"], stdout=None, stderr=None)
    time.sleep(0.3)
    running.kill()
    running.wait()
    assert lab.run("vps1", ["pgrep", "-f", "^sleep 4242"]).stdout == ""


def test_controllers_log_in_to_every_host_without_a_question(lab):
    for controller in ("vps2", "client"):
        for address in lab.topology.tailnet.values():
            done = lab.run(controller, ["ssh", "-o", "BatchMode=yes", address, "id", "-un"])
            assert (done.stdout, done.stderr) == ("root\n", "")
    assert lab.run("vps2", ["ssh", "ops@vps1", "sudo", "id", "-un"]).stdout == "root\n"


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        *(("stop", "000"), ("kill", "000"), ("hang", "000"), ("5xx", "503"), ("slow", "000")),
        *(("loopback", "000"), ("https", "000")),
    ],
)
def test_a_service_fault_is_seen_and_its_end_too(lab, kind, seen):
    lab.fault(kind, "organizr@vps2")
    lab.fault(kind, "organizr@vps2")
    assert status_of(lab) == seen
    lab.end_fault(kind, "organizr@vps2")
    until(lambda: status_of(lab) == "200")


def test_a_power_cut_is_silence_and_the_disk_survives_it(lab):
    lab.run("vps2", ["sh", "-c", "echo kept >/etc/kept"], check=True)
    lab.power_cut("vps2")
    assert "timed out" in lab.run("client", ["curl", "-sS", "-m", "1", ORGANIZR]).stderr
    lab.power_on("vps2")
    assert lab.run("vps2", ["cat", "/etc/kept"]).stdout == "kept\n"


def test_a_partition_of_a_pair_leaves_all_others_joined(lab):
    lab.fault("partition", "vps2", other="vps1")
    assert "timed out" in lab.run("vps1", ["curl", "-sS", "-m", "1", ORGANIZR]).stderr
    assert status_of(lab) == "200"
    lab.heal()
    assert lab.run("vps1", ["curl", "-sf", ORGANIZR]).returncode == 0


def test_a_host_that_died_is_booted_again(lab):
    init = lab.host("client").init
    assert init is not None
    os.kill(init.pid, signal.SIGKILL)
    time.sleep(0.2)
    lab.up()
    assert lab.run("client", ["true"]).returncode == 0


@pytest.mark.parametrize("seconds", [0.3, 0.6, 0.9, 1.5])
def test_down_clears_what_a_killed_up_left(seconds):
    killed = beside("killed")
    environment = os.environ | {"TWINEDGE_LAB": killed}
    command = [sys.executable, "-m", "lab"]
    with subprocess.Popen([*command, "up"], cwd=CHECKOUT, env=environment) as up:
        time.sleep(seconds)
        up.kill()
    subprocess.run([*command, "down"], cwd=CHECKOUT, env=environment, check=True)
    assert traces(killed) == []
