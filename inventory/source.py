"""The git checkout that the configs come from: its commit, and whether it may be deployed."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Source:
    """`commit` is a full hash or `unknown`; `pushed` is true where there is no remote."""

    commit: str
    dirty: bool
    pushed: bool

    @property
    def label(self) -> str:
        """The commit as it stands in headers and releases."""
        short = self.commit[:12]
        return f"{short}-dirty" if self.dirty else short


def read_source(root: Path = ROOT) -> Source:
    """The state of the checkout. Without git or a commit: unknown and dirty."""
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return Source(commit=UNKNOWN, dirty=True, pushed=True)
    remotes = _git(root, "remote")
    return Source(
        commit=commit,
        dirty=bool(_git(root, "status", "--porcelain", "--untracked-files=normal")),
        pushed=not remotes or bool(_git(root, "branch", "-r", "--contains", commit)),
    )


def includes(label: str, root: Path = ROOT) -> bool:
    """Does the checkout's HEAD have the commit that a release was made from?

    A release that was made without git is older than any commit.
    """
    commit = label.removesuffix("-dirty")
    return (
        commit == UNKNOWN or _git(root, "merge-base", "--is-ancestor", commit, "HEAD") is not None
    )


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
