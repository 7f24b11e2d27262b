"""Unit tests: no network, no lab; hosts are folders (tests/unit/fakehosts.py)."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

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
def in_process(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], Runbook]:
    """`in_process("deploy")` runs runbooks/deploy.py in this process, with its flags."""
    from runbooks import cli

    def of(name: str) -> Runbook:
        runbook = import_module(f"runbooks.{name}")

        def run(*arguments: str) -> Done:
            argv = [f"{name}.py", "--config", str(site.config), *arguments]
            monkeypatch.setattr(sys, "argv", argv)
            capsys.readouterr()
            with pytest.raises(SystemExit) as end:
                cli.main(getattr(runbook, name), runbook.flags())
            said = capsys.readouterr()
            return Done(int(end.value.code or 0), said.out, said.err)

        return run

    return of


@pytest.fixture
def deploy(
    hosts: FakeHosts,
    source: object,
    healthy_services: None,
    in_process: Callable[[str], Runbook],
) -> Runbook:
    """Runs runbooks/deploy.py in this process against the fake hosts."""
    return in_process("deploy")


@pytest.fixture
def edge(site: Site) -> Edge:
    return Edge(load_catalogue(site.config))


@pytest.fixture
def verify(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, in_process: Callable[[str], Runbook]
) -> Runbook:
    """Runs runbooks/verify.py in this process; `edge` answers in place of hosts."""
    monkeypatch.setattr("runbooks.survey.inquiry.Inquiry.take", lambda _: edge.survey())
    monkeypatch.setenv("COLUMNS", "80")
    return in_process("verify")


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """A real endpoint on loopback that alerts and heartbeats may be sent to.

    A busy machine may take longer for it than a run would wait.
    """
    for limit in ("alerts.post.DEADLINE", "alerts.post.PATIENCE", "heartbeat.PATIENCE"):
        monkeypatch.setattr(f"journal.{limit}", 60.0)
    with endpoint() as made:
        yield made
