"""What an operator has in this checkout, and that no test reads it."""

import sys
from pathlib import Path

from tests.site import ROOT

OWN = (ROOT / "inventory", ROOT / "config.yaml")
_closed = [False]


def close(closed: bool) -> None:
    """From now on, who opens an operator's YAML in this process is stopped."""
    _closed[0] = closed


def _is_own(path: object) -> bool:
    name = str(path)
    if not name.endswith(".yaml"):
        return False
    return any(Path(name).absolute().is_relative_to(own) for own in OWN)


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _closed[0] and _is_own(arguments[0]):
        raise AssertionError(f"a test reads the operator's {arguments[0]}; tests have lab/site")


sys.addaudithook(_watch)
