"""Unit tests: no network, no lab; hosts are folders (tests/unit/fakehosts.py)."""

import os
from collections.abc import Callable

import pytest

from inventory.source import Source
from tests.runbook import Runbook
from tests.site import Site
from tests.unit.fakehosts import FakeHosts

COMMIT = "a" * 40


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
    hosts: FakeHosts,
    source: object,
    healthy_services: None,
    in_process: Callable[[str], Runbook],
) -> Runbook:
    """Runs runbooks/deploy.py in this process against the fake hosts."""
    return in_process("deploy")
