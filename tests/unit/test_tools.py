"""The one table of least versions: what is too old, and that the README says the same."""

import pytest

from tasks.tools import CADDY, TOOLS
from tests.site import ROOT


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("2.6.2", True),
        ("2.11.3", True),
        ("2.11", True),
        ("2.11.4", False),
        ("2.11.10", False),
        ("3.0", False),
        ("of unknown version", False),
    ],
)
def test_a_version_is_compared_number_by_number(version: str, old: bool):
    assert CADDY.is_older(version) is old


def test_the_readme_has_the_same_table():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for tool in TOOLS.values():
        assert f"| `{tool.name}` | {tool.least} |" in text
