"""The jobs on real hosts: they fire, alone, survive a power cut, and another host stands in."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from lab.api import Lab
from tests.lab import sites
from tests.lab.conftest import shell
from tests.lab.test_verify import broken_findings, failed_hops
from tests.patience import until

FOLDER = "/root/watch"
EVERY = 30  # seconds; a third of how long vps2 may be silent, which a slow verify is, too
SCHEDULE = {
    "hosts": ["vps2", "vps1"],
    "settings": f"{FOLDER}/config.yaml",
    "verify": {"every": f"{EVERY}s", "jitter": "1s"},
    "readiness": {"at": "05:30", "jitter": "1s"},
    "sync": False,
}
UNITS = "ls /etc/systemd/system/twinedge-*.timer /etc/systemd/system/twinedge-*.service "
RUNS = """\
import json, pathlib, sqlite3
path = pathlib.Path("~/.local/state/twinedge/journal.db").expanduser()
rows = sqlite3.connect(path).execute(
    "SELECT kind, began, seconds, status, words, operator FROM runs WHERE began > ? ORDER BY began",
    ({since},)) if path.exists() else []
print(json.dumps([list(row) for row in rows]))
"""


@pytest.fixture(scope="module")
def watched(deployed_lab: Lab) -> Iterator[Lab]:
    """Both edges have the jobs, vps2 first; none has any afterwards, and no history."""
    deployed_lab.heal()
    for host in ("vps1", "vps2"):
        sites.scheduled(deployed_lab, host, FOLDER, SCHEDULE)
        shell(deployed_lab, host, "rm -f /root/.local/state/twinedge/journal.db*")
    lend_secrets(deployed_lab)
    apply(deployed_lab)
    yield deployed_lab
    deployed_lab.heal()
    apply(deployed_lab, "--remove")
    shell(deployed_lab, "vps1", "find /etc/twinedge -maxdepth 1 -type f -delete")


def lend_secrets(lab: Lab) -> None:
    """Those of the control node on vps1, as an operator does it. No key is among them."""
    folders = "--exclude twinedge/sync --exclude twinedge/look"
    secrets = shell(lab, "vps2", f"tar -C /etc {folders} -c twinedge | base64")
    lab.run("vps1", ["sh", "-c", "base64 -d | tar -C /etc -x"], input=secrets, check=True)


def apply(lab: Lab, *flags: str) -> None:
    command = ["python", "runbooks/schedule.py", "--config", f"{FOLDER}/config.yaml", "--apply"]
    done = lab.run("vps2", [*command, "--allow-dirty", "--allow-older", *flags])
    assert done.returncode == 0, done.stdout + done.stderr


def now(lab: Lab, host: str) -> float:
    return float(shell(lab, host, "date +%s.%N"))


def runs(lab: Lab, host: str, kind: str, since: float = 0.0) -> list[dict[str, Any]]:
    """The history's runs of one kind that have ended, on one host."""
    return [run for run in begun(lab, host, kind, since) if run["seconds"] is not None]


def begun(lab: Lab, host: str, kind: str, since: float = 0.0) -> list[dict[str, Any]]:
    said = lab.run(host, ["python", "-c", RUNS.format(since=since)], check=True).stdout
    names = ("kind", "began", "seconds", "status", "words", "operator")
    found = [dict(zip(names, row, strict=True)) for row in json.loads(said)]
    return [run for run in found if run["kind"] == kind]


def test_the_jobs_are_timers_of_systemd_and_fire_on_the_first_host_alone(watched: Lab):
    listed = shell(watched, "vps2", "systemctl list-timers --all 'twinedge-*'")
    assert "twinedge-verify.timer" in listed and "twinedge-readiness.timer" in listed
    assert "twinedge-drill" not in listed
    shell(watched, "vps2", "systemd-analyze verify /etc/systemd/system/twinedge-*.timer")
    until(lambda: runs(watched, "vps2", "verify"), every=0.5)
    first = runs(watched, "vps2", "verify")[0]
    assert (first["operator"], first["status"]) == ("root@vps2", 0), first["words"]
    asked = "systemctl show -p ConditionTimestampMonotonic,Result twinedge-verify.service"
    until(lambda: "exec-condition" in shell(watched, "vps1", asked), every=0.5)
    assert runs(watched, "vps1", "verify") == []
    assert runs(watched, "vps1", "takeover") == []


def test_a_stand_in_sees_with_its_own_key_what_the_operator_sees(watched: Lab):
    here = f"{FOLDER}/config.yaml"
    assert shell(watched, "vps1", "ls /root/.ssh/id_* 2>/dev/null || :") == ""
    until(lambda: broken_findings(watched, "--look", "--config", here, host="vps1") == (0, []))


def test_a_run_is_never_joined_by_another(watched: Lab):
    since = now(watched, "vps2")
    for _ in range(4):
        shell(watched, "vps2", "systemctl start --no-block twinedge-verify")
    until(lambda: runs(watched, "vps2", "verify", since), every=0.5)
    found = begun(watched, "vps2", "verify", since)
    assert len(found) < 4  # the four starts are one; the timer's next may be there
    assert all(run["began"] + run["seconds"] <= later["began"] for run, later in pairwise(found))


def test_a_second_edge_stands_in_while_the_first_is_off_and_hands_back(watched: Lab):
    stamp = "/var/lib/systemd/timers/stamp-twinedge-readiness.timer"
    shell(watched, "vps2", f"touch -d '3 days ago' {stamp}")  # as if it had been off since
    since = now(watched, "vps2")
    watched.power_cut("vps2")
    shell(watched, "vps1", "touch -d '1 hour ago' /run/twinedge/heard/vps2")  # and for so long
    until(lambda: runs(watched, "vps1", "verify", since), every=0.5)
    (takeover,) = runs(watched, "vps1", "takeover", since)
    assert takeover["words"].startswith("vps2 was silent for")
    assert runs(watched, "vps1", "verify", since)[0]["status"] in (1, 3)  # vps2 is off
    with_its_key = ("--look", "--config", f"{FOLDER}/config.yaml")
    _, roots = broken_findings(watched, *with_its_key, host="vps1")
    assert {"host vps2"} == failed_hops(roots), "and of the others all is seen"

    watched.power_on("vps2")
    until(lambda: runs(watched, "vps2", "readiness", since), every=0.5)
    until(lambda: runs(watched, "vps2", "verify", since), every=0.5)
    until(lambda: runs(watched, "vps1", "hand-back", since), every=0.5)
    (hand_back,) = runs(watched, "vps1", "hand-back", since)
    assert begun(watched, "vps1", "verify", hand_back["began"]) == []


def is_of_a_job(unit: str) -> bool:
    """Not of the boot's undo, nor of the watch over an edge's replica."""
    return "-boot" not in unit and "-replica" not in unit


def test_a_job_that_is_switched_off_is_gone(watched: Lab):
    sites.scheduled(watched, "vps2", FOLDER, {**SCHEDULE, "readiness": False})
    apply(watched)
    left = shell(watched, "vps2", UNITS).split()
    assert [path.rpartition("/")[2] for path in left if is_of_a_job(path)] == [
        "twinedge-failed@.service",
        "twinedge-verify.service",
        "twinedge-verify.timer",
    ]
    listed = shell(watched, "vps2", "systemctl list-timers --all 'twinedge-*'")
    assert "twinedge-verify.timer" in listed and "readiness" not in listed


def test_nothing_of_a_removed_schedule_is_left(watched: Lab):
    apply(watched, "--remove")
    for host in ("vps1", "vps2"):
        left = shell(watched, host, UNITS + "/etc/systemd/system/timers.target.d/* || :").split()
        assert list(filter(is_of_a_job, left)) == []
        listed = "systemctl list-units --all --plain --no-legend 'twinedge-*.timer'"
        assert "verify" not in shell(watched, host, listed)


def test_a_journal_on_a_full_disk_is_said_and_stops_nobody(lab: Lab):
    shell(lab, "vps2", "mkdir -p /root/tiny && mount -t tmpfs -o size=16k tmpfs /root/tiny")
    memory = {"file": "/root/tiny/journal.db", "days": 90}
    config = sites.scheduled(lab, "vps2", "/root/tiny-site", {"hosts": []}, journal=memory)
    try:
        command = ["python", "runbooks/verify.py", "--config", config, "--quiet", "--only", "host"]
        done = lab.run("vps2", command)
    finally:
        shell(lab, "vps2", "umount /root/tiny")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("not remembered: /root/tiny/journal.db:") == 1
    assert "no space is left" in done.stderr or "is its disk full" in done.stderr
