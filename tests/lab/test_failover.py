"""Drills on real hosts: one for each fault, and one for each way of dying in the middle."""

import json
import signal
import subprocess
from collections import Counter
from typing import Any

import pytest

from lab.api import Lab
from tests.lab.conftest import served_by, shell
from tests.patience import until

HOLD = 5  # seconds; a drill that is long enough to see
RATE = 25  # requests per second and vantage, which a busy machine can send, too
SHORT = ("--service", "organizr", "--apply", "--hold", str(HOLD), "--window", "600")
ALONE = ("--window", "12")  # for drills whose maker dies: the host restores by itself
# Verdicts on how long a thing took, which is the machine's affair as much as ours.
TIMES = {"slowest GET", "fallback answers after", "primary is back after"}


BROKEN = "/run/systemd/system/organizr.service.d"  # a unit that cannot start any more


def drill(lab: Lab, *arguments: str, host: str = "client") -> "subprocess.CompletedProcess[str]":
    command = ["python", "runbooks/failover.py", *arguments, "--report", "reports/test.html"]
    return lab.run(host, command)


def judged(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """The result of a drill in which everything happened that had to, and all counts are kept."""
    assert done.stdout.startswith("["), done.stdout + done.stderr
    (told,) = json.loads(done.stdout)
    verdicts = [verdict for vantage in told["vantages"] for verdict in vantage["verdicts"]]
    assert all(v["kept"] for v in verdicts if v["what"] not in TIMES), verdicts
    assert all(v["seen"] != "never" for v in verdicts), verdicts
    assert told["kept"] == all(v["kept"] for v in verdicts) == (done.returncode == 0)
    return dict(told)


def armed(lab: Lab, host: str = "vps2") -> bool:
    """Is anything of a drill left on the host: its note, its timer, its lock?"""
    left = shell(lab, host, "cd /var/lib/twinedge; ls drill/armed lock 2>/dev/null; "
                            "systemctl is-active twinedge-restore || :")  # fmt: skip
    return left.split() != ["inactive"]


def test_a_look_touches_nothing_and_names_every_command(steady: Lab):
    looked = drill(steady, "--service", "organizr")
    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert "vps2$ systemctl stop organizr" in looked.stdout
    assert "vps2$ systemctl start organizr" in looked.stdout
    assert not armed(steady)


def test_services_without_failover_are_named(lab: Lab):
    asked = drill(lab, "--service", "plex")
    assert asked.returncode == 2
    assert "plex has no failover to rehearse" in asked.stderr
    unknown = drill(lab, "--service", "nope")
    assert unknown.returncode == 2
    assert "organizr, uptime-kuma, antigravity-manager" in unknown.stderr


@pytest.mark.parametrize("fault", ["stop", "hang", "edge"])
def test_a_drill_loses_no_read_and_repeats_no_write(steady: Lab, fault: str):
    done = drill(
        steady, *SHORT, "--fault", fault, "--rate", str(RATE), "--posts", "/echo", "--json"
    )
    told = judged(done)
    seen = {vantage["vantage"]: vantage for vantage in told["vantages"]}
    assert {"vps1", "name", "cloudflare"} <= set(seen)
    assert all(v["lost_reads"] == 0 and v["asked"] > RATE * HOLD for v in seen.values())
    assert seen["vps1"]["away"], "the broken host served it before, so that it had to fail over"
    held = {sockets["vantage"]: sockets for sockets in told["websockets"]}
    near, far = held["vps1"], held["cloudflare"]  # where nobody says who serves
    closed = 0 if fault == "hang" else 2  # by Caddy none, and they are where they were
    assert (near["opened"], near["closed"]) == (far["opened"], far["closed"]) == (2, closed)
    assert far["at_end"] == {"": 2}
    if fault == "hang":
        assert near["silence"] > 0 and far["silence"] > 0
        assert (near["at_end"], near["apart"]) == ({"vps2": 2}, 0)
    else:
        assert near["at_end"] == {"vps1": 2}
        assert near["apart"] == 2, "requests are back on vps2, websockets are not"
    assert not armed(steady)
    assert executed_twice(steady) == []
    run, drilled = last_remembered(steady)
    words = "within the budget" if told["kept"] else "OVER BUDGET"
    assert run == {"kind": "drill", "status": done.returncode, "words": words}
    assert drilled == told


REMEMBERED = """
import json
from datetime import UTC, datetime
from pathlib import Path
from journal.history import History
history = History(Path("~/.local/state/twinedge/journal.db").expanduser())
begin = datetime.fromtimestamp(0, UTC)
run = history.runs(since=begin)[0]
drills = [each.document for _, each in history.drills(since=begin) if each.run == run.id]
print(json.dumps([{"kind": run.kind, "status": run.status, "words": run.words}, *drills]))
"""


def last_remembered(lab: Lab, host: str = "client") -> list[dict[str, object]]:
    """The newest run in the history of `host`, and the result of its drill if it has one."""
    done = lab.run(host, ["python", "-c", REMEMBERED])
    assert done.returncode == 0, done.stderr
    told: list[dict[str, object]] = json.loads(done.stdout)
    return told


def executed_twice(lab: Lab) -> list[str]:
    log = "cat /var/lib/origin/organizr.posts.jsonl 2>/dev/null || :"
    lines = [line for host in ("vps1", "vps2") for line in shell(lab, host, log).splitlines()]
    counts = Counter(json.loads(line)["id"] for line in lines)
    return [identity for identity, count in counts.items() if identity and count > 1]


@pytest.mark.parametrize("fault", ["kill", "tunnel", "mesh"])
def test_every_other_fault_is_made_and_undone(steady: Lab, fault: str):
    judged(drill(steady, *SHORT, "--fault", fault, "--rate", "10", "--json", host="vps2"))
    assert not armed(steady)
    state = shell(steady, "vps2", "systemctl is-active organizr caddy cloudflared")
    assert state.split() == ["active", "active", "active"]
    tables = shell(steady, "vps2", "nft list tables")
    assert tables.split() == ["table", "inet", "twinedge_tunnel"], "none but the listener's guard"


def test_a_caddy_that_is_down_alone_costs_nothing_since_its_replica_asks_the_other(steady: Lab):
    """Cloudflare picks any replica, and knows nothing of the Caddy behind it."""
    told = judged(drill(steady, *SHORT, "--fault", "caddy", "--json"))
    lost = {vantage["vantage"]: vantage["lost_reads"] for vantage in told["vantages"]}
    assert (lost["vps1"], lost["name"], lost["cloudflare"]) == (0, 0, 0)
    assert not armed(steady)


def test_a_primary_without_a_healthy_fallback_is_not_drilled(steady: Lab):
    steady.fault("stop", "organizr@vps1")
    refused = drill(steady, *SHORT)
    assert refused.returncode == 1
    assert "organizr on vps1 is not healthy" in refused.stdout
    assert shell(steady, "vps2", "systemctl is-active organizr").strip() == "active"
    ready = drill(steady, "--check", "--service", "organizr", host="vps2")
    assert ready.returncode == 1
    assert "organizr@vps1" in ready.stdout and "systemctl status organizr" in ready.stdout


def test_a_healthy_edge_is_ready_whatever_its_caddys_saw_a_moment_ago(steady: Lab):
    steady.fault("stop", "organizr@vps2")
    until(lambda: served_by(steady, "vps1") == "100.67.88.109:80")
    steady.heal()
    await_primary(steady)
    ready = drill(steady, "--check", host="vps2")
    assert ready.returncode == 0, ready.stdout + ready.stderr
    assert "organizr: would fail over from vps2 to vps1" in ready.stdout
    assert "plex: no failover" in ready.stdout


class Running:
    """A drill under way on a host of the lab, to be killed at a stage that it tells of."""

    def __init__(self, lab: Lab, host: str, *arguments: str) -> None:
        self.lab = lab
        command = ["python", "runbooks/failover.py", *SHORT, *arguments]
        self.process = lab.popen(host, [*command, "--report", "reports/test.html"])

    def reach(self, stage: str) -> None:
        assert self.process.stderr is not None
        said = []
        while stage not in (line := self.process.stderr.readline()):
            said.append(line or self.process.communicate()[0])
            assert line, f"the drill ended before {stage!r}: {''.join(said)}"

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        self.process.communicate()
        return self.process.returncode


def is_restored(lab: Lab) -> bool:
    """The primary runs, and nothing is armed."""
    return shell(
        lab, "vps2", "systemctl is-active organizr || :"
    ).strip() == "active" and not armed(lab)


def await_primary(lab: Lab) -> None:
    """The primary runs and answers again without help, and nothing is armed."""
    until(lambda: is_restored(lab), every=0.5)
    asking = "curl -s -m 5 --retry 20 --retry-delay 1 --retry-connrefused http://100.102.55.88:80/"
    assert "Organizr on vps2" in shell(lab, "vps1", asking)


@pytest.mark.parametrize("stage", ["breaking", "fallback answers", "restored"])
def test_a_controller_that_is_killed_leaves_a_primary_that_returns(steady: Lab, stage: str):
    running = Running(steady, "client", *ALONE, "--fault", "hang")
    running.reach(stage)
    running.end(signal.SIGKILL)
    await_primary(steady)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_drill_restores_at_once(steady: Lab, number: signal.Signals):
    running = Running(steady, "client")
    running.reach("fallback answers")
    assert running.end(number) == 130
    assert is_restored(steady), "by the drill itself: the host would wait ten minutes"


def test_a_fault_that_cannot_be_undone_is_exit_4_with_the_command_to_type(steady: Lab):
    running = Running(steady, "client", "--window", "10")
    running.reach("fallback answers")
    shell(steady, "vps2", f"mkdir -p {BROKEN} && printf '[Service]\\nExecStartPre=false\\n' > "
                          f"{BROKEN}/broken.conf && systemctl daemon-reload")  # fmt: skip
    out, err = running.process.communicate()
    assert running.process.returncode == 4, out + err
    assert "THE FAULT IS NOT UNDONE: organizr on vps2 is stopped" in err
    (command,) = (line for line in err.splitlines() if line.startswith("undo it by hand:"))
    assert "ssh root@100.102.55.88" in command and "restore_drill" in command
    assert last_remembered(steady)[0]["status"] == 4
    assert armed(steady)
    shell(steady, "vps2", f"rm -r {BROKEN} && systemctl daemon-reload")
    typed = steady.run("client", ["sh", "-c", command.partition(":")[2]])
    assert typed.returncode == 0, typed.stderr
    assert is_restored(steady)


def test_a_controller_that_is_cut_off_is_not_needed(steady: Lab):
    running = Running(steady, "client", *ALONE, "--fault", "hang")
    running.reach("fallback answers")
    steady.fault("partition", "client")
    await_primary(steady)
    steady.heal()
    running.process.communicate()
    assert running.process.returncode in (0, 1), "it learns that the host has restored itself"


def test_a_power_cut_in_a_drill_ends_it(steady: Lab):
    running = Running(steady, "client")
    running.reach("fallback answers")
    steady.power_cut("vps2")
    running.end(signal.SIGKILL)
    steady.power_on("vps2")
    await_primary(steady)
