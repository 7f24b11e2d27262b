"""The same lab with real containers: they run as the site says, and drills stop them."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from lab.api import Lab
from lab.options import Options
from lab.state import State
from tests.lab.conftest import DEPLOY, get, shell, through_caddy
from tests.lab.test_lab_itself import traces

PING = "http://100.102.55.88/api/v2/ping"
PATIENCE = 120.0  # seconds: a machine may be slow, and nothing here is about time


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A deployed lab of this module's own, whose services are containers."""
    shared = State.for_checkout()
    own = Lab(state=State(id=f"{shared.id[:13]}-docker", checkout=shared.checkout))
    own.up(options=Options(site=Options.default(own.state).site, manager="docker"))
    deploy = own.run("vps2", DEPLOY, timeout=300)
    assert deploy.returncode == 0, deploy.stderr
    yield own
    own.down()
    assert traces(own.state.id) == []


@pytest.fixture(autouse=True)
def healed(lab: Lab) -> Iterator[None]:
    yield
    lab.heal()


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


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
    until(
        lambda: inspected(lab, "vps2", "organizr", "State.Health.Status") == "healthy",
        "docker's own health check never passes",
    )
    assert shell(lab, "vps2", "systemctl is-active unbound").strip() == "active"
    published = get(lab, "client", "http://203.0.113.12:3001/api/entry-page")
    assert (published.status, published.headers["x-origin"]) == (200, "uptime-kuma@vps2")
    assert get(lab, "client", "http://203.0.113.13:8181/status").status == 0
    for edge in ("vps1", "vps2"):
        assert through_caddy(lab, edge, "tautulli.edge.test").status == 200


@pytest.mark.parametrize("kind", ["stop", "kill", "hang", "5xx", "https"])
def test_a_fault_of_a_container_is_seen_and_its_end_too(lab, kind):
    lab.fault(kind, "organizr@vps2")
    lab.fault(kind, "organizr@vps2")
    assert get(lab, "client", PING, "-m", "2").status == (503 if kind == "5xx" else 0)
    lab.end_fault(kind, "organizr@vps2")
    until(lambda: answers(lab), f"{kind} did not end")


def test_containers_come_back_after_a_power_cut(lab):
    made = inspected(lab, "vps2", "organizr", "Id")
    lab.power_cut("vps2")
    lab.power_on("vps2")
    until(lambda: answers(lab), "organizr did not come back")
    assert inspected(lab, "vps2", "organizr", "Id") == made


def steady(lab: Lab) -> bool:
    served = {through_caddy(lab, edge, "organizr.edge.test").headers.get("x-served-by")
              for edge in ("vps1", "vps2")}  # fmt: skip
    return served == {"100.102.55.88:80"}


def test_a_stop_drill_of_a_container_keeps_its_budget(lab):
    until(lambda: steady(lab), "the lab does not become steady")
    command = ["python", "runbooks/failover.py", "--service", "organizr", "--apply"]
    flags = ["--hold", "5", "--window", "40", "--json", "--report", "reports/test.html"]
    done = lab.run("client", [*command, *flags], timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (told,) = json.loads(done.stdout)
    assert all(vantage["lost_reads"] == 0 for vantage in told["vantages"])
    assert shell(lab, "vps2", "docker ps -q -f name=organizr -f status=running").strip()
