"""A sample of the random histories of `script/soak outside`, and that they find what is wrong."""

import pytest

from outside.records import Records
from tests.soak.outside import history, main, played

SAMPLE = range(1, 9)


@pytest.mark.parametrize("seed", SAMPLE)
def test_however_it_went_it_ends_as_the_catalogue_says_and_touches_nothing_foreign(seed: int):
    assert played(history(seed)) == []


def test_a_plan_that_takes_what_is_not_ours_is_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Records, "is_ours", lambda self, record: True)
    monkeypatch.setattr("outside.wanted.Mark.on_comment", lambda self, comment: True)
    assert any("a bystander of records was touched" in words for words in played(()))


def test_a_record_that_waits_for_nothing_is_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("outside.apps.Apps.unguarded", lambda self, host: "")
    assert any("was led to without its application" in words for words in played(()))


def test_the_command_says_how_many_went_wrong(capsys: pytest.CaptureFixture[str]):
    assert main(["--first", "1", "--most", "1"]) == 0
    assert capsys.readouterr().out == "1 histories, 0 wrong\n"
