"""The site that is mutated: the tests' own, and with it every key of the catalogue."""

from pathlib import Path
from typing import Any

import yaml

from tests.site import Site

EVERY_KEY = Path(__file__).with_name("every_key.yaml")
HASH = "$2a$14$0123456789012345678901uDvRmS5E5tVwE5tVwE5tVwE5tVwE5tV"  # of no password


class FullSite(Site):
    """`tests.site.Site` with what `every_key.yaml` says."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for name, more in yaml.load(EVERY_KEY.read_text("utf-8"), yaml.CSafeLoader).items():
            self.write(name, _with(self.read(name), more, folder))
        (folder / "alice.bcrypt").write_text(f"{HASH}\n", encoding="utf-8")


def _with(one: Any, other: Any, folder: Path) -> Any:
    """`other` over `one`, key by key; a file's name becomes one in `folder`."""
    if isinstance(other, dict):
        under = one if isinstance(one, dict) else {}
        return under | {key: _with(under.get(key), value, folder) for key, value in other.items()}
    if isinstance(other, list):
        return [_with(None, value, folder) for value in other]
    if isinstance(other, str) and other.startswith("file:"):
        return f"file:{folder / other.removeprefix('file:')}"
    return other
