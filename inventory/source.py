"""The git checkout that the configs come from: its commit, and whether it may be deployed."""

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

UNKNOWN = "unknown"


# What makes git speak of another repository than the one it is asked about.
ELSEWHERE = frozenset(
    [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_OBJECT_DIRECTORY",
        "GIT_NAMESPACE",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_PREFIX",
        "GIT_SHALLOW_FILE",
        "GIT_GRAFT_FILE",
        "GIT_REPLACE_REF_BASE",
    ]
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """`commit` is a full hash or `unknown`; `pushed` is true where there is no remote.

    `trouble` is why git cannot tell, in words; then it counts as dirty.
    """

    commit: str
    dirty: bool
    pushed: bool
    trouble: str = ""

    @property
    def label(self) -> str:
        """The commit as it stands in headers and releases."""
        short = self.commit[:12]
        return f"{short}-dirty" if self.dirty else short


class GitTrouble(Exception):
    """Git cannot tell the state of the checkout; the text says why, and what to do."""


def read_source(root: Path = ROOT) -> Source:
    """The state of the checkout at `root`, and of nothing around it."""
    try:
        _refuse_others(root)
        commit = git(root, "rev-parse", "--verify", "HEAD")
        if not commit:
            raise GitTrouble(f"{root} has no commit yet: git commit")
        changes = git(root, "status", "--porcelain", "--untracked-files=normal")
        if changes is None:
            raise GitTrouble(f"git cannot tell what has changed in {root}: git status says why")
    except GitTrouble as trouble:
        return Source(commit=UNKNOWN, dirty=True, pushed=True, trouble=str(trouble))
    remotes = git(root, "remote")
    return Source(
        commit=commit,
        dirty=bool(changes),
        pushed=not remotes or bool(git(root, "branch", "-r", "--contains", commit)),
    )


def _refuse_others(root: Path) -> None:
    """Raise GitTrouble unless `root` is the top of a repository that git speaks of."""
    if shutil.which("git") is None:
        raise GitTrouble("git is not installed here")
    done = _run(root, "rev-parse", "--show-toplevel")
    if done is None:
        raise GitTrouble(f"git gave no answer about {root}")
    if "dubious ownership" in done.stderr:
        raise GitTrouble(
            f"{root} belongs to another user, so git does not speak of it: run this as its owner, "
            f"or say once git config --global --add safe.directory {shlex.quote(str(root))}"
        )
    top = done.stdout.removesuffix("\n")
    if done.returncode or not top:
        raise GitTrouble(f"{root} is no git checkout (no .git in it): git clone, or git init")
    if Path(top).resolve() != root.resolve():
        raise GitTrouble(
            f"{root} has no .git of its own: it lies in the repository {top}, whose commits do not "
            "tell what is deployed: git clone, or git init"
        )


def includes(label: str, root: Path = ROOT) -> bool:
    """Does the checkout's HEAD have the commit that a release was made from?

    A release that was made without git is older than any commit.
    """
    commit = label.removesuffix("-dirty")
    return commit == UNKNOWN or git(root, "merge-base", "--is-ancestor", commit, "HEAD") is not None


def git(root: Path, *arguments: str) -> str | None:
    """What git says, or None when it refuses. It writes nothing, not even a fresher index."""
    done = _run(root, *arguments)
    return done.stdout.strip() if done is not None and done.returncode == 0 else None


def _run(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str] | None":
    kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            env=kept | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
