"""The git guard: only this checkout's own, committed state may be deployed, in true words."""

import os
import subprocess
from pathlib import Path

import pytest

from inventory.source import UNKNOWN, Source, read_source, root_of
from tests.runbook import Runbook
from tests.site import ROOT
from tests.unit.fakehosts import FakeHosts

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=m")


def git(folder: Path, *arguments: str) -> str:
    command = [*GIT, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A committed checkout."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "file").write_text("one\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_a_committed_checkout_is_clean_and_a_change_makes_it_dirty(checkout: Path):
    assert read_source(checkout) == Source(
        root=checkout, commit=git(checkout, "rev-parse", "HEAD"), dirty=False, pushed=True
    )
    (checkout / "new").write_text("two\n")
    assert read_source(checkout).dirty and not read_source(checkout).trouble


@pytest.mark.parametrize("ignored", [False, True])
def test_a_copy_inside_another_repository_is_none_of_its_commits(checkout: Path, ignored: bool):
    inner = checkout / "inner"
    inner.mkdir()
    (inner / "file").write_text("two\n")
    (checkout / ".gitignore").write_text("inner\n" if ignored else "")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "-m", "second")
    source = read_source(inner)
    assert (source.commit, source.dirty) == (UNKNOWN, True)
    assert f"{inner} has no .git of its own: it lies in the repository {checkout}" in source.trouble


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"])
def test_the_environment_does_not_make_git_speak_of_something_else(
    checkout: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    git(other, "commit", "-q", "--allow-empty", "-m", "another")
    before = read_source(checkout)
    values = {"GIT_WORK_TREE": other, "GIT_INDEX_FILE": tmp_path / "index"}
    monkeypatch.setenv(name, str(values.get(name, other / ".git")))
    assert read_source(checkout) == before and not before.dirty
    (checkout / "file").write_text("changed\n")
    source = read_source(checkout)
    assert source.dirty and not source.trouble
    assert source.commit == before.commit


def test_a_link_to_the_checkout_and_a_worktree_of_it_are_checkouts(checkout: Path, tmp_path: Path):
    (tmp_path / "link").symlink_to(checkout)
    assert not read_source(tmp_path / "link").dirty
    git(checkout, "worktree", "add", "-q", str(tmp_path / "tree"))
    assert not read_source(tmp_path / "tree").dirty


def test_a_site_in_no_repository_goes_by_the_products_checkout(checkout: Path, tmp_path: Path):
    alone, below = tmp_path / "site", checkout / "site"
    for folder in (alone, below):
        folder.mkdir()
    assert root_of(alone / "config.yaml") == ROOT
    assert root_of(below / "config.yaml") == ROOT, "whatever lies around it"
    assert root_of(checkout / "config.yaml") == checkout


def test_without_git_or_a_commit_it_says_so(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plain = tmp_path / "plain"
    plain.mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert f"{plain} is no git repository (no .git in it)" in read_source(plain).trouble
    git(plain, "init", "-q")
    assert f"{plain} has no commit yet" in read_source(plain).trouble
    (checkout / ".git" / "index").write_bytes(b"junk")
    assert "git cannot tell what has changed in" in read_source(checkout).trouble
    monkeypatch.setenv("PATH", str(plain))
    assert read_source(checkout).trouble == "git is not installed here"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a checkout to somebody else")
def test_a_checkout_of_another_user_is_told_as_that(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("SUDO_UID", raising=False)  # git trusts whom sudo was called by
    for path in (checkout, checkout / ".git"):
        os.chown(path, 12345, 12345)
    trouble = read_source(checkout).trouble
    assert "belongs to another user, so git does not speak of it" in trouble
    assert f"git config --global --add safe.directory {checkout}" in trouble


def test_a_deploy_tells_the_trouble_and_not_that_something_is_uncommitted(
    deploy: Runbook, source, hosts: FakeHosts
):
    source(
        Source(
            root=ROOT, commit=UNKNOWN, dirty=True, pushed=True, trouble="/x is no git repository"
        )
    )
    done = deploy("--apply")
    assert done.status == 2 and not hosts["vps1"].state.exists()
    assert "/x is no git repository. Git is the source; or say --allow-dirty" in done.err
    assert "not committed" not in done.err
    assert deploy("--apply", "--allow-dirty").status == 0
