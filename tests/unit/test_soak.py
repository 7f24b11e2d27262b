"""The soak: shrinking a random history, and what it says of whole suites."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from lab.state import State
from tests.soak import __main__ as soak
from tests.soak.suites import KINDS, options, pairs, read_report, suites_table
from tests.soak.sync.history import Op, history, shrink


def goes_wrong(ops: Sequence[Op]) -> bool:
    """It takes two operations and any third."""
    return {3, 17} <= {op.number for op in ops} and len(ops) > 2


class Bench:
    """In place of the lab's: what it would find of each history."""

    def __init__(self, lab: object) -> None: ...

    def run(
        self, candidate: object, histories: Mapping[str, Sequence[Op]], faults: object
    ) -> dict[str, Any]:
        return {"wrong": [f"{n}: lost: x" for n, ops in histories.items() if goes_wrong(ops)]}


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "SyncBench", Bench)
    monkeypatch.setattr(soak.Lab, "up", lambda self: None)


def test_what_is_left_still_fails_and_without_any_one_of_it_no_more():
    left = shrink(history(10), lambda tries: [goes_wrong(ops) for ops in tries])
    assert goes_wrong(left) and len(left) == 3
    assert not any(goes_wrong(left[:n] + left[n + 1 :]) for n in range(len(left)))


def test_the_command_prints_the_fewest_operations(lab: None, capsys: pytest.CaptureFixture[str]):
    assert soak.main(["sync", "--shrink", "10"]) == 1
    ops = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Op(")]
    assert len(ops) == 3 and "number=17" in "".join(ops)


def test_a_history_that_goes_right_is_not_shrunk(
    lab: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("tests.unit.test_soak.goes_wrong", lambda ops: False)
    assert soak.main(["sync", "--shrink", "10"]) == 0
    assert capsys.readouterr().out.endswith("history 10 goes right\n")


def test_only_histories_of_the_sync_can_be_shrunk(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        soak.main(["races", "--shrink", "10"])
    assert "only histories of the sync" in capsys.readouterr().err


JUNIT = """\
<testsuites><testsuite>
<testcase name="test_right" time="1.5"/>
<testcase name="test_wrong" time="2"><failure message="assert 1 == 2"/></testcase>
<testcase name="test_wrong" time="0"><error message="teardown"/></testcase>
<testcase name="test_not_here" time="0"><skipped/></testcase>
</testsuite></testsuites>
"""


def tried(kind: str, suite: str, **found: object) -> dict[str, Any]:
    nothing = {"passed": 0, "skipped": 0, "seconds": 0.0, "wrong": ()}
    return {"kind": kind, "suite": suite, "commit": "1234abcd", **nothing, **found}


def test_a_suite_is_what_its_report_says_and_a_failure_is_named_once():
    found = read_report(JUNIT)
    assert found == {"passed": 1, "skipped": 1, "seconds": 3.5, "wrong": ("test_wrong",)}


def test_the_table_of_the_suites_names_what_failed_where_and_what_was_not_tried(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("tests.soak.suites.KINDS", {"bookworm": {}, "trixie": {}})
    lines = [tried("bookworm", "test_sync", passed=9), tried("trixie", "test_sync", wrong=["a"])]
    lines.append(tried("bookworm", "test_deploy", passed=3, skipped=2))
    table = suites_table(lines)
    assert "| sync | 9 passed | **1 failed**, 0 passed |" in table
    assert "| deploy | 3 passed, 2 skipped | – |" in table
    assert "- sync on trixie, commit 1234abcd: a" in table
    assert "3 suites, 1 with something wrong; commit 1234abcd." in table


def test_every_suite_is_tried_on_every_kind_and_no_kind_is_begun_twice():
    found = list(pairs())
    kinds = [kind for kind, _ in groupby(found, key=lambda pair: pair[0])]
    assert kinds == list(KINDS)
    for kind in KINDS:
        assert (kind, "test_sync") in found and (kind, "test_transaction") in found


def test_every_kind_is_one_that_the_lab_can_be():
    made = {kind: options(State.for_checkout(), kind) for kind in KINDS}
    assert all(each.site.is_file() for each in made.values())
    assert len(set(made.values())) == len(KINDS)


def test_a_table_takes_its_place_in_a_page_and_leaves_the_rest(tmp_path: Path):
    page = tmp_path / "lab.md"
    page.write_text("before\n<!-- suites -->\nold\n<!-- end of suites -->\nafter\n")
    soak.place(page, "suites", "| new |\n")
    soak.place(page, "suites", "| newer |\n")
    text = page.read_text()
    assert text == "before\n<!-- suites -->\n| newer |\n<!-- end of suites -->\nafter\n"
    soak.place(tmp_path / "fresh.md", "suites", "| new |\n")
    assert (tmp_path / "fresh.md").read_text() == "| new |\n"
