"""Older versions of twinedge, as people have them, for the tests of an upgrade."""

import subprocess
from pathlib import Path

import pytest

from tests.site import ROOT

FIRST = "28a754cf70613b846fec75553163c9dab0d7af3b"  # 0.1.0


def checkout_of(commit: str, folder: Path, *, root: Path = ROOT) -> Path:
    """A git checkout of `commit` in `folder`; skips the test where the clone has no such commit.

    It borrows the objects of `root`, which must stay where it is.
    """
    if _git("-C", str(root), "cat-file", "-e", f"{commit}^{{commit}}") is None:
        pytest.skip(
            f"{commit[:12]} is not in this clone; where that is shallow, "
            "`git fetch --unshallow` brings it"
        )
    _must("clone", "-q", "--shared", "--no-checkout", str(root), str(folder))
    _must("-C", str(folder), "checkout", "-q", "--detach", commit)
    return folder


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def _must(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)
