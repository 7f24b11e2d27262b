"""Which twinedge this is."""

import tomllib
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from inventory.source import ROOT, UNKNOWN, read_source

NAME = "twinedge"


def version(root: Path = ROOT) -> str:
    """`0.2.0`, and in a git checkout of twinedge itself `0.2.0 (commit 28a754cf7061-dirty)`."""
    number = _of_checkout(root)
    if number is None:
        return _of_package()
    source = read_source(root)
    return number if source.commit == UNKNOWN else f"{number} (commit {source.label})"


def _of_checkout(root: Path) -> str | None:
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except (OSError, ValueError, KeyError):
        return None
    return str(project["version"]) if project.get("name") == NAME else None


def _of_package() -> str:
    try:
        return installed(NAME)
    except PackageNotFoundError:
        return UNKNOWN
