"""`--version` tells which twinedge this is, from one source."""

import os
import subprocess
import sys
import tomllib
from importlib import import_module, metadata
from pathlib import Path

import pytest

from inventory.source import read_source
from inventory.version import version
from lab.__main__ import main as lab
from tests.site import ROOT
from tests.unit.test_help import RUNBOOKS
from tests.versions import FIRST, checkout_of

NUMBER = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=m")


def git(folder: Path, *arguments: str) -> str:
    command = [*GIT, *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A twinedge 1.2.3 without git."""
    folder = tmp_path / "copy"
    folder.mkdir()
    text = '[project]\nname = "twinedge"\nversion = "1.2.3"\n'
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", RUNBOOKS)
def test_every_runbook_tells_the_version_of_the_checkout(name: str, capsys, monkeypatch):
    monkeypatch.setattr("inventory.version.version", lambda: "9.9 (commit abc)")
    with pytest.raises(SystemExit) as end:
        import_module(f"runbooks.{name}").flags().parse_args(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == "twinedge 9.9 (commit abc)\n"


def test_a_runbook_and_the_lab_tell_the_same_version(capsys):
    runbook = [sys.executable, "runbooks/deploy.py", "--version"]
    told = subprocess.run(runbook, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told.startswith(f"twinedge {NUMBER}")
    with pytest.raises(SystemExit) as end:
        lab(["--version"])
    assert (end.value.code, capsys.readouterr().out) == (0, told)


def test_a_git_checkout_tells_its_commit_and_a_copy_has_none(copy: Path):
    assert version(copy) == "1.2.3"
    git(copy, "init", "-q")
    git(copy, "add", ".")
    git(copy, "commit", "-qm", "one")
    commit = git(copy, "rev-parse", "HEAD")[:12]
    assert version(copy) == f"1.2.3 (commit {commit})"
    (copy / "new").touch()
    assert version(copy) == f"1.2.3 (commit {commit}-dirty)"


def test_a_copy_in_somebody_elses_repository_has_not_that_ones_commit(copy: Path):
    git(copy.parent, "init", "-q")
    git(copy.parent, "commit", "-qm", "theirs", "--allow-empty")
    assert version(copy) == "1.2.3"


def test_an_installed_package_tells_what_was_installed(tmp_path: Path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\nversion = "7"\n')
    monkeypatch.setattr("inventory.version.installed", lambda name: {"twinedge": "1.2.4"}[name])
    assert version(tmp_path) == "1.2.4"

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("inventory.version.installed", missing)
    assert version(tmp_path) == "unknown"


def test_the_first_version_is_checked_out_by_its_commit(version_0_1_0: Path):
    assert git(version_0_1_0, "rev-parse", "HEAD") == FIRST
    assert (version_0_1_0 / "runbooks" / "deploy.py").is_file()
    assert git(version_0_1_0, "status", "--porcelain") == ""


def test_a_shallow_clone_skips_what_needs_the_first_version_and_says_so(tmp_path: Path):
    git(ROOT, "clone", "-q", "--depth", "1", f"file://{ROOT}", str(tmp_path / "shallow"))
    with pytest.raises(pytest.skip.Exception, match=r"28a754cf7061 is not in .*--unshallow"):
        checkout_of(FIRST, tmp_path / "first", root=tmp_path / "shallow")


def test_asking_git_writes_nothing_in_the_checkout(copy: Path):
    git(copy, "init", "-q")
    git(copy, "add", ".")
    git(copy, "commit", "-qm", "one")
    project = copy / "pyproject.toml"
    os.utime(project, (1, 1))  # as after a copy: git would note in its index that it is the same
    before = written(copy)
    assert not read_source(copy).dirty
    assert written(copy) == before


def written(folder: Path) -> dict[str, tuple[int, int]]:
    """When each file and folder was written, and which one it is."""
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.rglob("*")}
