"""The same lab with real containers: they run as the site says, and drills stop them."""

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lab.api import Lab
from lab.image.containers import SCRIPT
from lab.options import Options
from lab.state import State
from tests.lab.conftest import DEPLOY, get, runbook, shell, through_caddy
from tests.lab.test_failover import Running
from tests.lab.test_lab_itself import traces
from tests.patience import until

PING = "http://100.102.55.88/api/v2/ping"
PRIMARY = "100.102.55.88:80"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A deployed lab of this module's own, whose services are containers."""
    shared = State.for_checkout()
    own = Lab(state=State(id=f"{shared.id[:13]}-docker", checkout=shared.checkout))
    own.up(options=Options(site=Options.default(own.state).site, manager="docker"))
    deploy = own.run("vps2", DEPLOY)
    assert deploy.returncode == 0, deploy.stderr
    yield own
    own.down()
    assert traces(own.state.id) == []


@pytest.fixture(autouse=True)
def healed(lab: Lab) -> Iterator[None]:
    yield
    lab.heal()


def inspected(lab: Lab, host: str, container: str, field: str) -> object:
    return json.loads(shell(lab, host, f"docker inspect -f '{{{{json .{field}}}}}' {container}"))


def answers(lab: Lab) -> bool:
    return get(lab, "client", PING).status == 200


def test_services_are_containers_as_the_site_says(lab):
    assert inspected(lab, "vps2", "organizr", "Config.StopTimeout") == 5
    assert inspected(lab, "vps1", "antigravity-manager", "HostConfig.RestartPolicy.Name") == (
        "always"
    )
    assert inspected(lab, "unraid", "sonarr", "Config.Healthcheck") is None
    until(lambda: inspected(lab, "vps2", "organizr", "State.Health.Status") == "healthy")
    assert shell(lab, "vps2", "systemctl is-active unbound").strip() == "active"
    published = get(lab, "client", "http://100.102.55.88:3001/api/entry-page")
    assert (published.status, published.headers["x-origin"]) == (200, "uptime-kuma@vps2")
    for elsewhere in ("203.0.113.12:3001/api/entry-page", "203.0.113.13:8181/status"):
        assert get(lab, "client", f"http://{elsewhere}").status == 0
    for edge in ("vps1", "vps2"):
        assert through_caddy(lab, edge, "tautulli.edge.test").status == 200


def made_anew(lab: Lab, at: str) -> None:
    """tautulli, which stands behind a bridge, is published at `at` of unraid."""
    script = f"sed 's/-p [0-9.]*:8181:/-p {at}:8181:/' {SCRIPT} | sh"
    shell(lab, "unraid", f"docker rm -f tautulli >/dev/null && {script}")
    until(lambda: get(lab, "client", "http://100.76.168.116:8181/status").status == 200)


@pytest.fixture
def published(lab: Lab) -> Iterator[Lab]:
    """As by `docker run -p 8181:8181`, and without the socket that docker opens for it."""
    made_anew(lab, "0.0.0.0")
    shell(lab, "unraid", "pkill docker-proxy")
    until(lambda: ":1FF5" not in shell(lab, "unraid", "grep ' 0A ' /proc/net/tcp"))
    yield lab
    made_anew(lab, "100.76.168.116")


def test_a_port_that_docker_publishes_on_every_address_is_told_loudly(published: Lab):
    assert get(published, "cloudflare", "http://203.0.113.13:8181/status").status == 200
    verified = runbook(published, "verify", "--only", "host")
    assert verified.returncode == 1
    found = "FAILED doors of tautulli@unraid – from unraid – ANYBODY MAY ENTER, tried from vps2"
    assert f"{found}, at 203.0.113.13" in verified.stdout
    planned = runbook(published, "deploy").stdout
    assert "tautulli listens on 203.0.113.13:8181 too: ANYBODY reaches it" in planned
    assert "doors of uptime-kuma" not in verified.stdout, "published at the tailnet address alone"


@pytest.mark.parametrize("kind", ["stop", "kill", "hang", "5xx", "https"])
def test_a_fault_of_a_container_is_seen_and_its_end_too(lab, kind):
    lab.fault(kind, "organizr@vps2")
    lab.fault(kind, "organizr@vps2")
    assert get(lab, "client", PING, "-m", "2").status == (503 if kind == "5xx" else 0)
    lab.end_fault(kind, "organizr@vps2")
    until(lambda: answers(lab))


def test_containers_come_back_after_a_power_cut(lab):
    made = inspected(lab, "vps2", "organizr", "Id")
    lab.power_cut("vps2")
    lab.power_on("vps2")
    until(lambda: answers(lab))
    assert inspected(lab, "vps2", "organizr", "Id") == made


@pytest.fixture
def steady(lab: Lab) -> Lab:
    """Both Caddys serve organizr from its primary, as a preflight wants it."""
    until(lambda: answers(lab))
    for edge in ("vps1", "vps2"):
        if served_by(lab, edge) != PRIMARY:
            shell(lab, edge, "systemctl reload caddy")  # forgets that the primary was down
    until(lambda: {served_by(lab, edge) for edge in ("vps1", "vps2")} == {PRIMARY})
    return lab


def served_by(lab: Lab, edge: str) -> str:
    return through_caddy(lab, edge, "organizr.edge.test").headers.get("x-served-by", "")


def runs(lab: Lab) -> bool:
    """The primary runs, and nothing of a drill is left."""
    left = shell(lab, "vps2", "ls /var/lib/twinedge/drill/armed 2>/dev/null || :")
    return not left and inspected(lab, "vps2", "organizr", "State.Running") is True


def drilled(lab: Lab, *flags: str) -> dict[str, Any]:
    """The result of a drill of organizr, which a slow machine may refuse at first."""
    command = ["python", "runbooks/failover.py", "--service", "organizr", "--apply", "--json"]
    while not (done := lab.run("client", [*command, *flags])).stdout:
        assert "not ready" in done.stderr or "nothing was broken" in done.stderr, done.stderr
    (told,) = json.loads(done.stdout)
    return dict(told)


def test_a_container_that_takes_long_to_stop_is_missed_only_once_it_has_stopped(steady):
    """It serves on until it is killed. A slow machine may be over the budget with it."""
    steady.fault("ignore-term", "organizr@vps2")
    told = drilled(steady, "--hold", "5", "--window", "35", "--ledger", "/tmp/ledger.jsonl")
    assert told["spoiled"] == ""
    rows = map(json.loads, shell(steady, "client", "cat /tmp/ledger.jsonl").splitlines())
    assert {row["error"] for row in rows if row["method"] == "GET"} <= {"", "timeout"}
    lasted = told["moments"]["restore"] - told["moments"]["fault"]
    (after,) = (v["fallback_after"] for v in told["vantages"] if v["vantage"] == "vps1")
    assert after <= lasted - 14, "counted from the command: `docker stop -t 15`"
    assert runs(steady)


def test_a_stop_that_is_under_way_is_undone_by_hand_for_good(steady):
    steady.fault("ignore-term", "organizr@vps2")
    running = Running(steady, "client", "--window", "25")
    began = "ls /var/lib/twinedge/drill/effect 2>/dev/null || :"
    until(lambda: bool(shell(steady, "vps2", began)))
    running.end(signal.SIGKILL)
    shell(steady, "vps2", "sh /var/lib/twinedge/drill/drill.sh restore_drill")
    assert runs(steady)
    until(lambda: answers(steady))
    time.sleep(10)  # as long as the whole stop that was under way
    assert runs(steady)


def test_a_power_cut_in_a_drill_leaves_no_container_down(steady):
    running = Running(steady, "client", "--window", "25")
    running.reach("fallback answers")
    steady.power_cut("vps2")
    running.end(signal.SIGKILL)
    steady.power_on("vps2")
    until(lambda: runs(steady))


def test_a_pause_that_ends_by_itself_is_told_and_not_judged(steady):
    """docker takes any signal for a reason to unpause."""
    running = Running(steady, "client", "--fault", "hang", "--window", "25", "--hold", "10")
    running.reach("fallback answers")
    shell(steady, "vps2", "docker kill -s WINCH organizr")
    out, err = running.process.communicate()
    assert running.process.returncode == 1, out + err
    assert "NOT JUDGED: the fault ended by itself" in out
    assert "lost GETs  " not in out
