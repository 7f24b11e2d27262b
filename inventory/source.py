"""The git checkout that the configs come from: its commit, and whether it may be deployed."""

import os
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
    commit = git(root, "rev-parse", "HEAD")
    if not commit:
        return Source(commit=UNKNOWN, dirty=True, pushed=True)
    remotes = git(root, "remote")
    return Source(
        commit=commit,
        dirty=bool(git(root, "status", "--porcelain", "--untracked-files=normal")),
        pushed=not remotes or bool(git(root, "branch", "-r", "--contains", commit)),
    )


def includes(label: str, root: Path = ROOT) -> bool:
    """Does the checkout's HEAD have the commit that a release was made from?

    A release that was made without git is older than any commit.
    """
    commit = label.removesuffix("-dirty")
    return commit == UNKNOWN or git(root, "merge-base", "--is-ancestor", commit, "HEAD") is not None


def git(root: Path, *arguments: str) -> str | None:
    """What git says, or None when it refuses. It writes nothing, not even a fresher index."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},
            capture_output=True,
            text=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
