"""Shrinking a random history: the search, and its command."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.soak import __main__ as soak
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
