"""Unit tests: no network, no lab; hosts are small roots (tests/unit/fakehosts.py)."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from inventory.source import Source
from tests.runbook import Runbook
from tests.site import ROOT, Site
from tests.unit.fakehosts import FakeHost, FakeHosts
from tests.unit.hostroot import own_mounts
from tests.unit.world import World

COMMIT = "a" * 40


@pytest.fixture(scope="package")
def mounts() -> Iterator[None]:
    """Nothing that these tests mount is seen outside of them."""
    if os.geteuid() != 0:
        pytest.skip("a host's script is root's, and a root of its own needs root to mount it")
    with ExitStack() as stack:
        try:
            stack.enter_context(own_mounts())
        except OSError as refused:
            pytest.skip(f"no mount namespace can be had here: {refused}")
        yield


@pytest.fixture
def host(mounts: None, tmp_path: Path) -> Iterator[FakeHost]:
    """One host without an inventory."""
    made = FakeHost(tmp_path / "host")
    yield made
    made.root.close()


@pytest.fixture
def hosts(mounts: None, site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHosts]:
    """Every host of the site, which has no syncs."""
    site.change("services", "syncs", {})
    made = FakeHosts(site)
    monkeypatch.setattr("nornir_netmiko.connections.netmiko.ConnectHandler", made.connect)
    yield made
    made.close()


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Callable[[Source], None]:
    """Sets what git says of the checkout; at first it is clean and pushed."""

    def use(value: Source) -> None:
        monkeypatch.setattr("runbooks.cli.read_source", lambda root: value)
        monkeypatch.setattr(Source, "includes", lambda self, label: label in self.commit)

    use(Source(root=ROOT, commit=COMMIT, dirty=False, pushed=True))
    return use


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """What is answered from outside; at first all is well. The lab tests have the truth of it."""
    made = World()
    monkeypatch.setattr("runbooks.transaction.asking.ask", made.ask)
    monkeypatch.setattr("runbooks.transaction.gate.SETTLE", 0.05)
    monkeypatch.setattr("runbooks.transaction.gate.PAUSE", 0.01)
    return made


@pytest.fixture
def deploy(
    hosts: FakeHosts,
    source: object,
    world: World,
    in_process: Callable[[str], Runbook],
) -> Runbook:
    """Runs runbooks/deploy.py in this process against the fake hosts."""
    return in_process("deploy")


@pytest.fixture
def rollback(hosts: FakeHosts, in_process: Callable[[str], Runbook]) -> Runbook:
    return in_process("rollback")
