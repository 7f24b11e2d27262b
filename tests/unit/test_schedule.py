"""The schedule: what the inventory may ask for, the units that it makes, who stands in."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from inventory.errors import InventoryError
from inventory.load import load_catalogue
from inventory.schedule import Schedule
from journal.entries import Run
from journal.history import History
from tasks import configs, timers
from tasks.configs import schedule as units
from tasks.configs.file import Activation, ConfigFile
from tests.runbook import Runbook
from tests.site import ROOT, SETTINGS, Site
from tests.unit.fakehosts import FakeHosts
from tests.unit.test_configs import rendered

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
BOTH = {
    "hosts": ["vps2", "vps1"],
    "verify": {"every": "5m"},
    "readiness": {"at": "05:30"},
    "drill": {"at": "Sat,Sun 04:00", "jitter": "30m"},
}


@pytest.fixture
def schedule(in_process: Callable[[str], Runbook]) -> Runbook:
    """Runs runbooks/schedule.py in this process."""
    return in_process("schedule")


def unit(site: Site, host: str, name: str) -> str:
    return rendered(site, host)[name].text or ""


# --- what may be asked for ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"hosts": ["vps9"]}, "data.schedule.hosts.0: no host 'vps9'"),
        ({"hosts": ["unraid"]}, "unraid has no systemd"),
        ({"hosts": ["vps2", "vps2"]}, "data.schedule.hosts: names a host twice"),
        ({"hosts": ["vps2", "vps1"], "verify": False}, "vps1 stands in with verify alone, and"),
        ({"verify": {}}, "data.schedule.verify: needs either every or at"),
        ({"verify": {"every": "5m", "at": "05:00"}}, "verify: needs either every or at"),
        ({"verify": {"every": "5"}}, "is not a time such as 90s, 20m, 2h or 3d"),
        ({"verify": {"at": 930}}, "put it in quotes"),
        ({"verify": {"at": "25:00"}}, "is not a time such as '04:30'"),
        ({"verify": {"evry": "5m"}}, "data.schedule.verify.evry: unknown key (known: at, every"),
        ({"drill": {"every": "1h"}}, "a drill has its time"),
        ({"nightly": {}}, "data.schedule.nightly: unknown key"),
        ({"settings": "../x.yaml"}, "is not a path to a config.yaml"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(
    site: Site, wrong: dict[str, object], words: str
):
    site.change("defaults", "data.schedule", wrong)
    with pytest.raises(InventoryError) as caught:
        load_catalogue(site.config)
    assert words in str(caught.value)


def test_the_drill_is_off_unless_the_operator_sets_its_time(site: Site):
    site.change("defaults", "data.schedule", {"hosts": ["vps2"]})
    jobs = load_catalogue(site.config).site.schedule.jobs
    assert "drill" not in jobs
    assert jobs["verify"].period == timedelta(minutes=5)
    site.change("defaults", "data.schedule", {"hosts": ["vps2"], "verify": False})
    assert "verify" not in load_catalogue(site.config).site.schedule.jobs


# --- the units --------------------------------------------------------------------------------


def test_a_host_without_jobs_gets_no_unit(site: Site):
    assert not [name for name in rendered(site, "vps2") if name.startswith("twinedge")]
    site.change("defaults", "data.schedule", BOTH | {"hosts": ["vps1"]})
    assert not [name for name in rendered(site, "vps2") if name.startswith("twinedge")]


def test_units_run_the_runbooks_from_the_checkout_with_a_limit(site: Site):
    site.change("defaults", "data.schedule", BOTH | {"checkout": "/opt/twinedge", "user": "ann"})
    text = unit(site, "vps2", "twinedge-verify.service")
    python = "/opt/twinedge/.venv/bin/python /opt/twinedge/runbooks"
    assert f"\nExecStart={python}/verify.py --quiet\n" in text
    assert "\nUser=ann\n" in text and "\nTimeoutStartSec=300\n" in text
    assert "\nType=oneshot\n" in text
    assert "\nOnFailure=twinedge-failed@verify.service\n" in text


def test_what_was_missed_is_caught_up_but_never_a_drill(site: Site):
    site.change("defaults", "data.schedule", BOTH)
    readiness = unit(site, "vps2", "twinedge-readiness.timer")
    assert "\nOnCalendar=05:30\n" in readiness and "\nPersistent=true\n" in readiness
    drill = unit(site, "vps2", "twinedge-drill.timer")
    assert "\nOnCalendar=Sat,Sun 04:00\n" in drill and "Persistent" not in drill
    assert "\nRandomizedDelaySec=1800\n" in drill
    verify = unit(site, "vps2", "twinedge-verify.timer")
    assert "\nOnActiveSec=60\nOnUnitActiveSec=300\n" in verify  # after a boot, within a minute


def test_only_the_second_host_asks_before_it_runs_and_only_the_first_gives_signs(site: Site):
    site.change("defaults", "data.schedule", BOTH)
    first = unit(site, "vps2", "twinedge-verify.service")
    second = unit(site, "vps1", "twinedge-verify.service")
    assert "schedule.py --beat vps2" in first and "ExecCondition" not in first
    assert "schedule.py --stand-in vps1" in second and "ExecStopPost" not in second


def test_a_stand_in_verifies_with_a_key_that_may_only_look_and_runs_nothing_else(site: Site):
    site.change("defaults", "data.schedule", BOTH | {"sync": {"every": "1h"}})
    first = unit(site, "vps2", "twinedge-verify.service")
    assert "\nExecStart=" in first and "--look" not in first
    assert "/verify.py --quiet --look\n" in unit(site, "vps1", "twinedge-verify.service")
    timers = {n for n in rendered(site, "vps1") if n.endswith(".timer")}
    assert timers == {"twinedge-verify.timer"}


def test_every_stand_in_listens_to_the_first_host_alone(site: Site):
    site.change("defaults", "data.schedule", BOTH | {"hosts": ["vps2", "vps1", "vps3"]})
    site.change("hosts", "vps3", {"hostname": "100.64.0.9", "groups": ["edge"]})
    schedule = load_catalogue(site.config).site.schedule
    assert schedule.juniors_of("vps2") == ("vps1", "vps3")
    assert (schedule.elders_of("vps3"), schedule.juniors_of("vps1")) == (("vps2",), ())


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_systemd_accepts_every_unit(site: Site, tmp_path: Path):
    site.change("defaults", "data.schedule", BOTH | {"sync": {"every": "1h"}})
    found: dict[str, ConfigFile] = {}
    for host in ("vps1", "vps2"):
        found = {n: f for n, f in rendered(site, host).items() if n.startswith("twinedge")}
        for name, file in found.items():
            (tmp_path / host).mkdir(exist_ok=True)
            (tmp_path / host / name).write_text(file.text or "")
        paths = [str(tmp_path / host / name) for name in found]
        said = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True)
        assert (said.returncode, said.stderr) == (0, "")
    assert len(found) == 9


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
@pytest.mark.parametrize(("python", "status"), [("/bin/true", 0), ("/nowhere/python", 1)])
def test_a_host_refuses_a_job_whose_checkout_it_does_not_have(
    site: Site, tmp_path: Path, python: str, status: int
):
    """By the very command that it runs on its staged copy."""
    site.change("defaults", "data.schedule", BOTH | {"checkout": "/opt/twinedge"})
    file = rendered(site, "vps2")["twinedge-verify.service"]
    staged = tmp_path / "7"
    staged.write_text((file.text or "").replace("/opt/twinedge/.venv/bin/python", python))
    command = ["sh", "-c", file.validate, "sh", str(staged)]
    done = subprocess.run(
        command, env={**os.environ, "scratch": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == status
    assert done.stderr == "" or "/nowhere/python is not executable" in done.stderr


def test_cron_lines_say_the_same_as_far_as_cron_can(site: Site, schedule: Runbook):
    site.change(
        "defaults",
        "data.schedule",
        BOTH | {"checkout": "/opt/twinedge", "sync": {"every": "7m"}},
    )
    lines = schedule("--cron").out.splitlines()
    assert f"TWINEDGE_CONFIG={site.config}" in lines
    assert (
        "*/5 * * * * root cd /opt/twinedge && flock -n /run/lock/twinedge-verify "
        "timeout -k 120 300 /opt/twinedge/.venv/bin/python /opt/twinedge/runbooks/verify.py --quiet"
    ) in lines
    assert any(line.startswith("30 5 * * * root") for line in lines)
    assert any(line.startswith("0 4 * * 6,0 root") for line in lines)
    assert "# sync: cron has no `every 0:07:00`" in lines


@pytest.mark.parametrize(
    ("where", "settings"),
    [
        ({}, "{config}"),
        ({"checkout": "/opt/twinedge"}, "{config}"),
        ({"site": "/srv/site"}, "/srv/site/config.yaml"),
        ({"site": "/srv/site", "settings": "own.yaml"}, "/srv/site/own.yaml"),
        ({"checkout": "/opt/twinedge", "settings": "own.yaml"}, "/opt/twinedge/own.yaml"),
    ],
)
def test_a_job_judges_the_site_that_was_deployed(site: Site, where: dict[str, str], settings: str):
    site.change("defaults", "data.schedule", BOTH | where)
    wanted = settings.format(config=site.config)
    unit = rendered(site, "vps1")["twinedge-verify.service"].text or ""
    assert f"\nEnvironment=TWINEDGE_CONFIG={wanted}\n" in unit
    assert f"TWINEDGE_CONFIG={wanted}" in units.cron_lines(load_catalogue(site.config))


def test_a_site_in_the_checkout_lies_at_the_same_place_in_the_hosts_checkouts():
    catalogue = load_catalogue(ROOT / SETTINGS)
    there = replace(catalogue.site, schedule=Schedule(checkout="/opt/twinedge"))
    assert units.settings(replace(catalogue, site=there)) == f"/opt/twinedge/{SETTINGS}"


@pytest.mark.parametrize(
    ("every", "fields"),
    [("1m", "*/1 * * * *"), ("1h", "0 * * * *"), ("6h", "0 */6 * * *"), ("90m", None),
     ("10s", None), ("5h", None)],
)  # fmt: skip
def test_an_interval_becomes_a_cron_line_only_where_it_fits(
    site: Site, every: str, fields: str | None
):
    only = {"verify": {"every": every}, "readiness": False, "sync": False}
    site.change("defaults", "data.schedule", only)
    (line,) = list(units.cron_lines(load_catalogue(site.config)))[2:]
    assert line.startswith(f"{fields} root" if fields else "# verify: cron has no")


# --- a file that must not be there ------------------------------------------------------------


@pytest.fixture
def job(hosts: FakeHosts, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """One more managed file on every host, /job; its text is set, and None forbids it."""
    wanted: dict[str, str | None] = {"text": None}
    activation = Activation(name="job", order=60, command="systemctl job", check="true")

    def build(host: Any, *_: object) -> ConfigFile:
        return ConfigFile(name="job", path="/etc/job", text=wanted["text"], activation=activation)

    row = (build, lambda host, catalogue: True)
    monkeypatch.setattr(configs, "ROWS", (*configs.ROWS, row))
    return lambda text: wanted.update(text=text)


def test_a_removal_is_shown_made_and_activated_once(
    deploy: Runbook, hosts: FakeHosts, job: Callable[[str | None], None]
):
    path = hosts["vps1"].path("/etc/job")
    job("every 5m\n")
    assert deploy("--apply", "--host", "vps1").status == 0
    assert path.read_text() == "every 5m\n"
    job(None)
    looked = deploy("--host", "vps1", "--diff")
    assert "-every 5m" in looked.out and "removed /etc/job +0 -1, activates job" in looked.out
    assert path.exists()
    assert deploy("--apply", "--host", "vps1").status == 0
    assert not path.exists() and list(path.parent.glob(".job*")) == []
    assert hosts["vps1"].calls.count("systemctl job") == 2


def test_a_removal_whose_activation_fails_puts_the_file_back(
    deploy: Runbook, hosts: FakeHosts, job: Callable[[str | None], None]
):
    path = hosts["vps1"].path("/etc/job")
    job("every 5m\n")
    assert deploy("--apply", "--host", "vps1").status == 0
    job(None)
    hosts["vps1"].stub("systemctl", '[ "$1" != job ] || exit 1\n')
    done = deploy("--apply", "--host", "vps1")
    assert done.status == 1
    assert "job: could not be activated" in done.err
    assert path.read_text() == "every 5m\n"


def test_a_file_put_where_none_may_be_is_drift(
    deploy: Runbook, hosts: FakeHosts, job: Callable[[str | None], None]
):
    job(None)
    assert deploy("--apply", "--host", "vps1").status == 0
    hosts["vps1"].path("/etc/job").write_text("by hand\n")
    looked = deploy("--host", "vps1", "--diff")
    assert "/etc/job was edited by hand" in looked.out and "-by hand" in looked.out


# --- who stands in ----------------------------------------------------------------------------


@pytest.fixture
def shown(site: Site, tmp_path: Path) -> Path:
    """What hosts show a stand-in, as it lies on vps1, where this test runs."""
    path = tmp_path / "look"
    site.change("defaults", "data.schedule", BOTH)
    site.change("hosts", "vps1.data.paths", {"look": str(path)})
    path.write_text(unit(site, "vps1", "look"))
    return path


@pytest.fixture
def heard(shown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where vps2's signs of life arrive; as old as a test makes them."""
    folder = tmp_path / "heard"
    folder.mkdir()
    real = timers.silence
    monkeypatch.setattr(timers, "silence", lambda elders: real(elders, folder))
    return folder / "vps2"


def age(sign: Path, minutes: float) -> None:
    sign.touch()
    then = time.time() - 60 * minutes
    os.utime(sign, (then, then))


def kinds(site: Site) -> list[str]:
    return [run.kind for run in History(site.journal).runs(since=LONG_AGO)]


def test_the_second_takes_over_when_the_first_is_silent_and_hands_back_when_it_is_heard(
    site: Site, schedule: Runbook, heard: Path
):
    age(heard, 4)
    assert schedule("--stand-in", "vps1").status == 75
    assert not site.journal.exists() or kinds(site) == []
    age(heard, 16)  # three intervals of 5 minutes
    done = schedule("--stand-in", "vps1")
    assert (done.status, done.out) == (0, "vps2 was silent for 16 min: vps1 runs the jobs\n")
    assert schedule("--stand-in", "vps1").status == 0
    age(heard, 0)
    assert schedule("--stand-in", "vps1").status == 75
    assert schedule("--stand-in", "vps1").status == 75
    assert kinds(site) == ["hand-back", "takeover"]


def test_silence_is_counted_from_the_boot_where_nothing_was_heard(tmp_path: Path):
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    silence = timers.silence(["vps2"], tmp_path)
    assert before <= silence <= time.clock_gettime(time.CLOCK_BOOTTIME)
    assert timers.silence([], tmp_path) == 0


def test_the_second_stands_in_even_when_its_history_cannot_be_written(
    site: Site, schedule: Runbook, heard: Path
):
    site.journal.parent.write_text("a file where the folder should be")
    age(heard, 60)
    done = schedule("--stand-in", "vps1")
    assert done.status == 0
    assert "not remembered" in done.err


def test_a_stand_in_whose_checkout_is_not_what_was_deployed_says_so_while_it_stands_by(
    schedule: Runbook, heard: Path, shown: Path
):
    age(heard, 4)
    for spoil in (lambda: shown.write_text("another"), shown.unlink):
        spoil()
        done = schedule("--stand-in", "vps1")
        assert done.status == 2
        assert "is not the one of this checkout and its inventory" in done.err


@pytest.mark.parametrize(
    ("result", "status", "lives"),
    [
        ("success", "0", True),
        ("exit-code", "1", True),  # a verify that has found a fault is a good verify
        ("exit-code", "2", False),  # its inventory is broken: let the other one look
        ("timeout", "TERM", False),
        ("exec-condition", "75", False),
    ],
)
def test_only_a_job_that_could_do_its_work_is_a_sign_of_life(
    site: Site, schedule: Runbook, monkeypatch: pytest.MonkeyPatch, result, status, lives
):
    site.change("defaults", "data.schedule", BOTH)
    told: list[str] = []

    def beat(task: Any, host: Any, sender: str) -> Any:
        told.append(f"{sender} to {host.name}")
        return timers.Result(host=task.host)

    monkeypatch.setattr(timers, "beat", beat)
    monkeypatch.setenv("SERVICE_RESULT", result)
    monkeypatch.setenv("EXIT_STATUS", status)
    assert schedule("--beat", "vps2").status == 0
    assert told == (["vps2 to vps1"] if lives else [])


# --- a job that failed ------------------------------------------------------------------------


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """What systemd says of the end of the job."""

    def say(result: str, status: int) -> None:
        ending = timers.Ending(result=result, status=status, began=LONG_AGO)
        monkeypatch.setattr(timers, "ending", lambda job: ending)

    return say


def test_a_job_that_could_not_say_that_it_failed_is_remembered(
    site: Site, schedule: Runbook, ended: Callable[[str, int], None]
):
    ended("timeout", 0)
    assert schedule("--failed", "verify").status == 0
    (run,) = History(site.journal).runs(since=LONG_AGO, kind="job")
    assert run.status == 1
    assert run.words == "verify took too long and was ended: journalctl -u twinedge-verify"


def test_a_job_whose_run_has_told_its_own_end_is_not_told_twice(
    site: Site, schedule: Runbook, ended: Callable[[str, int], None]
):
    history = History(site.journal)
    now = datetime.now(UTC)
    history.begin(Run(id="1", kind="verify", began=now, operator="", commit="", asked=""))
    history.end("1", at=now, status=1, words="1 failed", steps=[])
    ended("exit-code", 1)
    schedule("--failed", "verify")
    ended("exit-code", 127)
    schedule("--failed", "verify")
    (run,) = history.runs(since=LONG_AGO, kind="job")
    assert "ended with status 127" in run.words


def test_a_broken_inventory_does_not_keep_a_failure_from_being_remembered(
    site: Site,
    schedule: Runbook,
    ended: Callable[[str, int], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    monkeypatch.setenv("HOME", str(tmp_path))
    site.change("defaults", "data.control", "vps9")
    ended("exit-code", 2)
    done = schedule("--failed", "verify")
    assert done.status == 2 and "no host 'vps9'" in done.err
    history = History(tmp_path / ".local/state/twinedge/journal.db")
    assert [run.kind for run in history.runs(since=LONG_AGO)] == ["job"]


def test_systemds_words_are_read():
    ending = timers.parse_ending("Result=exit-code\nExecMainStatus=2\n"
                                 "ExecMainStartTimestamp=@1764000000\n")  # fmt: skip
    assert ending == timers.Ending(
        result="exit-code", status=2, began=datetime.fromtimestamp(1764000000, UTC)
    )
    never = timers.parse_ending("Result=success\nExecMainStatus=0\nExecMainStartTimestamp=\n")
    assert replace(never, result="success").began is None


def test_timers_are_read_with_their_services_and_a_strange_answer_is_none():
    listed = [
        {"next": 1764000000000000, "left": 5, "last": None, "unit": "twinedge-verify.timer"},
        {"next": 1764000000000000, "unit": "twinedge-revert.timer"},
    ]
    text = f"{json.dumps(listed)}\nId=twinedge-verify.service\nResult=timeout\nActiveState=failed\n"
    (state,) = timers.parse_timers(text)
    assert (state.job, state.result, state.is_running) == ("verify", "timeout", False)
    assert state.next == datetime.fromtimestamp(1764000000, UTC) and state.last is None
    assert timers.parse_timers("") == []
