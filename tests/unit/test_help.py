"""The help of every runbook, on a terminal of 80 columns."""

from importlib import import_module
from pathlib import Path

import pytest

from runbooks import cli

FOLDER = Path(__file__).resolve().parents[2] / "runbooks"
RUNBOOKS = sorted(p.stem for p in FOLDER.glob("*.py") if "__main__" in p.read_text("utf-8"))


def test_a_host_whose_name_is_longer_than_its_column_keeps_a_space(capsys):
    cli.tell("ashburn-va-datacenter-2", "as wanted")
    assert capsys.readouterr().out == "ashburn-va-datacenter-2 as wanted\n"


@pytest.mark.parametrize("name", RUNBOOKS)
def test_what_a_runbook_says_of_itself_fits_on_a_terminal(name: str):
    runbook = import_module(f"runbooks.{name}")
    said = f"{runbook.__doc__}\n{getattr(runbook, 'EPILOG', '')}"
    assert [line for line in said.splitlines() if len(line) > 79] == []
