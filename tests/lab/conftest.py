"""One lab for all lab tests: up and deployed once, healthy before each test."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from lab.api import Lab
from lab.errors import LabError
from lab.options import Options
from lab.state import State
from tests.patience import until

EDGES = ("vps1", "vps2")
PRIMARY, FALLBACK = "100.102.55.88:80", "100.67.88.109:80"  # of organizr, on vps2 and vps1
DEPLOY = ("python", "runbooks/deploy.py", "--apply", "--allow-dirty", "--allow-older")


# These bring up labs of their own. They come first, the longest before all: then no worker of
# pytest-xdist has its shared lab beside one, and the machine's inotify instances are enough.
OWN_LAB = ("test_upgrade", "test_docker", "test_lab_itself", "test_unraid", "test_any_site",
           "test_kinds")  # fmt: skip


# The longest of the others next, so that no worker is left alone with one at the end.
LONG = ("test_verify", "test_transaction", "test_failover", "test_deploy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate((*OWN_LAB, *LONG))}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


def pytest_itemcollected(item: pytest.Item) -> None:
    if os.geteuid() != 0:
        item.add_marker(pytest.mark.skip(reason="the lab needs root"))


@pytest.fixture(scope="session", autouse=True)
def workers_share_no_lab() -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        os.environ["TWINEDGE_LAB"] = f"{State.for_checkout().id}-{worker}"


@pytest.fixture(scope="session")
def deployed_lab() -> Iterator[Lab]:
    """The lab, up and deployed; taken down again unless it was up before."""
    lab = Lab.for_checkout()
    was_up = is_up(lab)
    lab.up(options=kind())
    deploy = lab.run(lab.topology.control, DEPLOY)
    assert deploy.returncode == 0, deploy.stderr
    yield lab
    if not was_up:
        lab.down()


def kind() -> Options:
    """Those of the checkout's lab, if it is up: tests take any kind of lab, of the lab's sites."""
    state = State.for_checkout()
    default, up = Options.default(state), Options.of(state)
    return up if up.site.is_relative_to(default.site.parent) else replace(up, site=default.site)


@pytest.fixture
def lab(deployed_lab: Lab) -> Iterator[Lab]:
    """The deployed lab; every fault that the test started is ended after it."""
    deployed_lab.heal()
    yield deployed_lab
    deployed_lab.heal()


@pytest.fixture
def steady(lab: Lab) -> Iterator[Lab]:
    """The lab with both Caddys serving organizr from its primary, as a preflight wants it.

    A reload forgets that the primary was down: quicker than two more health checks.
    """
    for edge in EDGES:
        if served_by(lab, edge) != PRIMARY:
            shell(lab, edge, "systemctl reload caddy")
    until(lambda: {served_by(lab, edge) for edge in EDGES} == {PRIMARY})
    yield lab
    shell(lab, "vps2", "sh /var/lib/twinedge/drill/drill.sh restore_drill 2>/dev/null || :")


def served_by(lab: Lab, edge: str) -> str:
    """Which upstream of organizr answers through the Caddy of `edge`; "" where none does."""
    return through_caddy(lab, edge, "organizr.edge.test").headers.get("x-served-by", "")


def beside(name: str) -> str:
    """The id of another lab of this checkout: two checkouts may be tested side by side."""
    return f"{State.for_checkout().id}-{name}"


def is_up(lab: Lab) -> bool:
    try:
        return bool(lab.machines)
    except LabError:
        return False


@dataclass(frozen=True)
class Answer:
    """What curl on a lab host was answered."""

    status: int
    headers: dict[str, str]
    body: str


def get(lab: Lab, host: str, url: str, *options: str) -> Answer:
    """`curl` on `host`; status 0 when there was no answer."""
    done = lab.run(host, ["curl", "-sk", "-m", "10", "-i", *options, url])
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    lines = head.splitlines()
    if done.returncode or not lines:
        return Answer(0, {}, done.stderr)
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    return Answer(int(lines[0].split()[1]), {k.lower(): v for k, v in headers.items()}, body)


def through_caddy(lab: Lab, edge: str, hostname: str, path: str = "/", *options: str) -> Answer:
    """What the client on the tailnet gets from the Caddy of `edge`; `options` are curl's."""
    there = ("--resolve", f"{hostname}:443:{lab.machines[edge].tailnet}")
    return get(lab, "client", f"https://{hostname}{path}", *there, *options)


def shell(lab: Lab, host: str, script: str) -> str:
    """The output of a script that has to succeed on `host`."""
    done: subprocess.CompletedProcess[str] = lab.run(host, ["sh", "-c", script])
    assert done.returncode == 0, f"{host}: {script}\n{done.stdout}{done.stderr}"
    return done.stdout


def runbook(
    lab: Lab, name: str, *arguments: str, host: str = "vps2"
) -> "subprocess.CompletedProcess[str]":
    return lab.run(host, ["python", f"runbooks/{name}.py", *arguments])
