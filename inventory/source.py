"""The git repository that a site's YAML comes from: its commit, and whether it may be deployed.

That is the site's own, where it has one; else the product's checkout.
"""

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

UNKNOWN = "unknown"

# In a site that was moved out of a checkout: the commits of that checkout, a short hash a line.
MOVED = "moved-from.txt"
SHORT = 12  # digits of a commit in headers and releases

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
    """The repository at `root`. `commit` is a full hash or `unknown`; `pushed` is true where
    there is no remote.

    `trouble` is why git cannot tell, in words; then it counts as dirty. `moved` are the labels
    of the checkout that the site was moved out of: what they deployed is this site's, too.
    """

    root: Path
    commit: str
    dirty: bool
    pushed: bool
    trouble: str = ""
    moved: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """The commit as it stands in headers and releases."""
        short = self.commit[:SHORT]
        return f"{short}-dirty" if self.dirty else short

    def stands_for(self, label: str) -> bool:
        """Is a release of `label` one of just this commit, or of before the site was moved?"""
        return label == self.label or label.removesuffix("-dirty") in self.moved

    def includes(self, label: str) -> bool:
        """Does HEAD have the commit that a release was made from?

        A release that was made without git is older than any commit.
        """
        commit = label.removesuffix("-dirty")
        if commit == UNKNOWN or commit in self.moved:
            return True
        return git(self.root, "merge-base", "--is-ancestor", commit, "HEAD") is not None


class GitTrouble(Exception):
    """Git cannot tell the state of the repository; the text says why, and what to do."""


def root_of(config: Path) -> Path:
    """The folder whose repository is the source of the site that `config` describes.

    It is the one that `config` lies in, where that is a repository by itself; else the product's
    checkout, as in 0.1.0 wherever a site lay.
    """
    folder = config.resolve().parent
    return folder if (folder / ".git").exists() else ROOT


def read_source(root: Path = ROOT) -> Source:
    """The state of the repository at `root`, and of nothing around it."""
    try:
        _refuse_others(root)
        commit = git(root, "rev-parse", "--verify", "HEAD")
        if not commit:
            raise GitTrouble(f"{root} has no commit yet: git commit")
        changes = git(root, "status", "--porcelain", "--untracked-files=normal")
        if changes is None:
            raise GitTrouble(f"git cannot tell what has changed in {root}: git status says why")
    except GitTrouble as trouble:
        return Source(root=root, commit=UNKNOWN, dirty=True, pushed=True, trouble=str(trouble))
    remotes = git(root, "remote")
    return Source(
        root=root,
        commit=commit,
        dirty=bool(changes),
        pushed=not remotes or bool(git(root, "branch", "-r", "--contains", commit)),
        moved=_moved(root),
    )


def _moved(root: Path) -> frozenset[str]:
    try:
        return frozenset((root / MOVED).read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError):
        return frozenset()


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
        raise GitTrouble(f"{root} is no git repository (no .git in it): git clone, or git init")
    if Path(top).resolve() != root.resolve():
        raise GitTrouble(
            f"{root} has no .git of its own: it lies in the repository {top}, whose commits do not "
            "tell what is deployed: git clone, or git init"
        )


def git(root: Path, *arguments: str) -> str | None:
    """What git says, or None when it refuses. It writes nothing, not even a fresher index."""
    done = _run(root, *arguments)
    return done.stdout.strip() if done is not None and done.returncode == 0 else None


def environment() -> dict[str, str]:
    """What git is started with, so that it speaks of the folder that it is asked about."""
    kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    return kept | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def _run(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str] | None":
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            env=environment(),
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
