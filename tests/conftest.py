"""What all tests share: a site, and runbooks that run in the test's own process."""

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import settings

from inventory.load import load_catalogue
from tests import operators
from tests.endpoint import Endpoint, endpoint
from tests.runbook import Done, Runbook
from tests.site import Site
from tests.unit.surveys import Edge
from tests.versions import FIRST, checkout_of

# Enough to find what is easy to find, in a suite that stays under half a minute.
settings.register_profile("quick", max_examples=30, deadline=None)
settings.load_profile("quick")

operators.close(True)


@pytest.fixture(autouse=True)
def a_sentence_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test finds what it looks for; tests/unit/test_width.py has it folded."""
    monkeypatch.setenv("COLUMNS", "1000")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    folder = tmp_path / "site"
    folder.mkdir()
    return Site(folder)


@pytest.fixture
def version_0_1_0(tmp_path: Path) -> Path:
    """A git checkout of 0.1.0; the test is skipped where the clone does not reach so far back."""
    return checkout_of(FIRST, tmp_path / "0.1.0")


@pytest.fixture
def in_process(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], Runbook]:
    """`in_process("deploy")` runs runbooks/deploy.py in this process, on the test's site."""
    from runbooks import cli, lines

    monkeypatch.setattr(lines.out, "stderr", False)  # a runbook of one process may turn it

    def of(name: str) -> Runbook:
        runbook = import_module(f"runbooks.{name}")

        def run(*arguments: str) -> Done:
            monkeypatch.setenv("TWINEDGE_CONFIG", str(site.config))
            monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
            capsys.readouterr()
            with pytest.raises(SystemExit) as end:
                cli.main(getattr(runbook, name), runbook.flags())
            said = capsys.readouterr()
            return Done(int(end.value.code or 0), said.out, said.err)

        return run

    return of


@pytest.fixture
def edge(site: Site) -> Edge:
    return Edge(load_catalogue(site.config))


@pytest.fixture
def verify(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, in_process: Callable[[str], Runbook]
) -> Runbook:
    """Runs runbooks/verify.py in this process; `edge` answers in place of hosts."""
    monkeypatch.setattr("runbooks.survey.inquiry.Inquiry.take", lambda _: edge.survey())
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
