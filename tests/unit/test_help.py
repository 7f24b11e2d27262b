"""The help of every runbook, on a terminal of 80 columns."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from runbooks import lines

FOLDER = Path(__file__).resolve().parents[2] / "runbooks"
RUNBOOKS = sorted(p.stem for p in FOLDER.glob("*.py") if "__main__" in p.read_text("utf-8"))


@pytest.mark.parametrize("name", RUNBOOKS)
def test_without_the_packages_a_runbook_says_so_in_one_sentence(name: str):
    bare = [sys.executable, "-I", "-S", str(FOLDER / f"{name}.py"), "--help"]
    done = subprocess.run(bare, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    said = " ".join(done.stderr.split())
    assert "lacks dns, httpx, jinja2" in said and "script/bootstrap, then" in said
    assert "Traceback" not in said


def test_a_host_whose_name_is_longer_than_its_column_keeps_a_space(capsys):
    lines.tell("ashburn-va-datacenter-2", "as wanted")
    assert capsys.readouterr().out == "ashburn-va-datacenter-2 as wanted\n"


@pytest.mark.parametrize("name", RUNBOOKS)
def test_what_a_runbook_says_of_itself_fits_on_a_terminal(name: str):
    runbook = import_module(f"runbooks.{name}")
    said = f"{runbook.__doc__}\n{getattr(runbook, 'EPILOG', '')}"
    assert [line for line in said.splitlines() if len(line) > 79] == []


@pytest.mark.parametrize(
    "name", ["status", "deploy", "rollback", "sync", "init", "outside", "doctor"]
)
def test_help_is_there_before_any_library_is(name: str):
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{str(FOLDER / name)!r} + '.py', '--help']\n"
        "before = set(sys.modules)\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit: pass\n"
        "brought = {name: module for name, module in sys.modules.items() if name not in before}\n"
        "files = [getattr(module, '__file__', '') or '' for module in brought.values()]\n"
        "print('\\n\\n', *[file for file in files if 'site-packages' in file])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, _, brought = done.stdout.rpartition("\n\n")
    assert "--debug" in said
    assert brought.split() == []


def test_a_start_reads_no_library_that_paramiko_does_without():
    code = "import sys, runbooks.status; print(sys.modules['invoke'])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=FOLDER.parent
    )
    assert done.stdout == "None\n"
