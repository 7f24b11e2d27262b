"""Unit tests: no network, no lab; hosts are folders (tests/unit/fakehosts.py)."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from inventory.load import load_catalogue
from inventory.source import Source
from tests.site import Site
from tests.unit.endpoint import Endpoint, endpoint
from tests.unit.fakehosts import FakeHosts
from tests.unit.surveys import Edge

COMMIT = "a" * 40


@dataclass(frozen=True)
class Done:
    """A runbook's end."""

    status: int
    out: str
    err: str


Runbook = Callable[..., Done]


@pytest.fixture
def hosts(site: Site, monkeypatch: pytest.MonkeyPatch) -> FakeHosts:
    if os.geteuid() != 0:
        pytest.skip("managed files belong to root, so this test has to be root")
    site.change("services", "syncs", {})
    made = FakeHosts(site)
    monkeypatch.setattr("nornir_netmiko.connections.netmiko.ConnectHandler", made.connect)
    return made


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Callable[[Source], None]:
    """Sets what git says of the checkout; at first it is clean and pushed."""

    def use(value: Source) -> None:
        monkeypatch.setattr("runbooks.deploy.read_source", lambda: value)
        monkeypatch.setattr("runbooks.deploy.includes", lambda commit: commit in value.commit)

    use(Source(commit=COMMIT, dirty=False, pushed=True))
    return use


@pytest.fixture
def healthy_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside verification sees nothing wrong; the lab tests have the truth of it."""
    monkeypatch.setattr("runbooks.transaction.rollout.broken_hops", lambda catalogue, hosts: [])
    monkeypatch.setattr(
        "runbooks.transaction.begin.refuse_forgetting", lambda catalogue, anyway: None
    )


@pytest.fixture
def deploy(
    site: Site,
    hosts: FakeHosts,
    source: object,
    healthy_services: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Runbook:
    """Runs runbooks/deploy.py in this process against the fake hosts."""
    from runbooks import cli
    from runbooks import deploy as runbook

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["deploy.py", "--config", str(site.config), *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main(runbook.deploy, runbook.flags())
        said = capsys.readouterr()
        return Done(int(end.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def edge(site: Site) -> Edge:
    return Edge(load_catalogue(site.config))


@pytest.fixture
def verify(
    site: Site, edge: Edge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Runbook:
    """Runs runbooks/verify.py in this process; `edge` answers in place of hosts."""

    from runbooks import cli
    from runbooks import verify as runbook

    def take(_: object) -> object:
        return edge.survey()

    monkeypatch.setattr("runbooks.survey.inquiry.Inquiry.take", take)
    monkeypatch.setenv("COLUMNS", "80")

    def work(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["verify.py", "--config", str(site.config), *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main(runbook.verify, runbook.flags())
        said = capsys.readouterr()
        return Done(int(end.value.code or 0), said.out, said.err)

    return work


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """A real endpoint on loopback that alerts and heartbeats may be sent to.

    A busy machine may take longer for it than a run would wait.
    """
    for limit in ("alerts.post.DEADLINE", "alerts.post.PATIENCE", "heartbeat.PATIENCE"):
        monkeypatch.setattr(f"journal.{limit}", 60.0)
    with endpoint() as made:
        yield made
