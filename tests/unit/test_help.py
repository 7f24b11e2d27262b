"""The help of every runbook, on a terminal of 80 columns."""

from importlib import import_module
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "runbooks"
RUNBOOKS = sorted(p.stem for p in FOLDER.glob("*.py") if "__main__" in p.read_text("utf-8"))


@pytest.mark.parametrize("name", RUNBOOKS)
def test_what_a_runbook_says_of_itself_fits_on_a_terminal(name: str):
    runbook = import_module(f"runbooks.{name}")
    said = f"{runbook.__doc__}\n{getattr(runbook, 'EPILOG', '')}"
    assert [line for line in said.splitlines() if len(line) > 79] == []
