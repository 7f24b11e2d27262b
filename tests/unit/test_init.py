"""A site in a repository of its own: begun, or moved out of a checkout with its history."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from inventory.load import load_catalogue, locate
from inventory.source import MOVED, SHORT, Source, read_source, root_of
from tests.runbook import Runbook
from tests.site import ROOT, SETTINGS, Site
from tests.unit.fakehosts import FakeHosts
from tests.unit.test_source import git
from tests.width import too_wide


@pytest.fixture
def init(in_process: Callable[[str], Runbook]) -> Runbook:
    """Runs runbooks/init.py in this process."""
    return in_process("init")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout as an operator of 0.1.0 has it: a commit of the product's, one of the site's."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q")
    for path in (ROOT / SETTINGS).parent.glob("*.yaml"):
        shutil.copy(path, folder)
    (folder / "product.py").write_text("one\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "the product")
    services = folder / "services.yaml"
    services.write_text(services.read_text().replace("title: Plex", "title: Films"))
    git(folder, "commit", "-q", "-am", "our site")
    (folder / "product.py").write_text("two\n")
    git(folder, "commit", "-q", "-am", "the product goes on")
    return folder


def test_a_new_site_is_a_clean_repository_with_every_file_that_its_settings_name(
    init: Runbook, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("runbooks.init.ROOT", checkout)
    monkeypatch.delenv("COLUMNS")
    made = tmp_path / "edge"
    done = init(str(made))
    assert (done.status, done.err) == (0, "")
    assert too_wide(done) == []
    assert f"export TWINEDGE_CONFIG={made}/config.yaml" in done.out
    assert load_catalogue(made / "config.yaml").services["plex"].title == "Films"
    assert root_of(made / "config.yaml") == made
    source = read_source(made)
    assert (source.dirty, source.trouble, source.moved) == (False, "", frozenset())
    assert not (made / MOVED).exists()


@pytest.mark.parametrize("flags", [(), ("--from",)])
def test_an_editor_of_the_new_site_finds_the_schemas_of_the_checkout(
    init: Runbook,
    checkout: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: tuple[str],
):
    monkeypatch.setattr("runbooks.init.ROOT", checkout)
    mcp = checkout / "mcp.yaml"
    line = "# yaml-language-server: $schema={}/docs/schema/mcp.schema.json\n"
    mcp.write_text(line.format("..") + mcp.read_text())
    git(checkout, "commit", "-q", "-am", "an editor's line")
    made = tmp_path / "edge"
    assert init(str(made), *(flags and (*flags, str(checkout)))).status == 0
    assert (made / "mcp.yaml").read_text().startswith(line.format(ROOT))
    assert not read_source(made).dirty


def test_a_site_that_is_moved_keeps_its_history_and_knows_the_checkouts_commits(
    init: Runbook, checkout: Path, tmp_path: Path
):
    before = git(checkout, "rev-parse", "HEAD")
    made = tmp_path / "edge"
    done = init(str(made), "--from", str(checkout))
    assert (done.status, done.err) == (0, "")
    subjects = git(made, "log", "--format=%s").splitlines()
    assert subjects == ["A site of its own", "our site", "the product"]
    assert not (made / "product.py").exists()
    assert vars(load_catalogue(made / "config.yaml")) | {"config": 0} == vars(
        load_catalogue(checkout / "config.yaml")
    ) | {"config": 0}
    source = read_source(made)
    assert not source.dirty and source.label != before[:SHORT]
    for label in (before[:SHORT], f"{before[:SHORT]}-dirty"):
        assert source.stands_for(label) and source.includes(label)
    assert not source.stands_for("f" * SHORT) and not source.includes("f" * SHORT)
    assert git(checkout, "rev-parse", "HEAD") == before and not read_source(checkout).dirty


def test_a_deploy_of_a_site_that_was_moved_has_nothing_to_do(
    deploy: Runbook, hosts: FakeHosts, site: Site, init: Runbook, source: Callable[[Source], None],
    tmp_path: Path,
):  # fmt: skip
    git(site.folder, "init", "-q")
    git(site.folder, "add", "*.yaml")
    git(site.folder, "commit", "-q", "-m", "our site")
    source(read_source(site.folder))
    assert deploy("--apply", "--allow-dirty").status == 0
    made = tmp_path / "edge"
    assert init(str(made), "--from", str(site.folder)).status == 0
    source(read_source(made))
    done = deploy("--apply", "--config", str(made / "config.yaml"))
    assert (done.status, done.err) == (0, "")
    assert "nothing to do: every host is as the inventory says" in done.out


def test_changes_that_are_not_committed_would_be_lost_and_are_named(
    init: Runbook, checkout: Path, tmp_path: Path
):
    (checkout / "hosts.yaml").write_text((checkout / "hosts.yaml").read_text() + "# mine\n")
    done = init(str(tmp_path / "edge"), "--from", str(checkout))
    assert done.status == 2
    assert "has changes of its site that are not committed" in done.err
    assert sorted(path.name for path in tmp_path.iterdir() if "edge" in path.name) == []


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (ROOT / "site", "lies in the product's checkout, which an upgrade changes"),
        (Path("/nowhere/edge"), "there is no folder /nowhere"),
        (ROOT.parent / ROOT.name, "lies in the product's checkout"),
    ],
)
def test_a_folder_that_cannot_be_a_site_is_refused_in_words(init: Runbook, where: Path, words: str):
    done = init(str(where))
    assert done.status == 2 and words in done.err
    assert "Traceback" not in done.err


def test_what_lies_in_the_folder_already_is_not_touched(init: Runbook, tmp_path: Path):
    (tmp_path / "edge").mkdir()
    (tmp_path / "edge" / "mine").write_text("mine")
    done = init(str(tmp_path / "edge"))
    assert done.status == 2 and "is there already, and not empty" in done.err
    assert [path.name for path in (tmp_path / "edge").iterdir()] == ["mine"]


def test_settings_that_name_a_file_elsewhere_are_refused(
    init: Runbook, checkout: Path, tmp_path: Path
):
    config = checkout / "config.yaml"
    config.write_text(config.read_text().replace("mcp_file: mcp.yaml", "mcp_file: /etc/mcp.yaml"))
    git(checkout, "commit", "-q", "-am", "elsewhere")
    assert str(locate(config).mcp) == "/etc/mcp.yaml"
    done = init(str(tmp_path / "edge"), "--from", str(checkout))
    assert done.status == 2 and "names /etc/mcp.yaml, which does not lie in" in done.err


def test_git_that_fails_half_way_leaves_nothing(
    init: Runbook, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("operations.init.COMMIT", ("commit", "--no-such-flag"))
    done = init(str(tmp_path / "edge"), "--from", str(checkout))
    assert done.status == 2 and "git" in done.err and "nothing was written" in done.err
    assert not (tmp_path / "edge").exists()
    assert not list(tmp_path.glob(".twinedge-init-*"))
