"""What the judge of a sync's history lets pass, and what it does not."""

from typing import Any

import pytest

from tests.soak.sync.judge import judge, record

OLD, MINE, THEIRS = "0" * 16, "1" * 16, "2" * 16


def entry(t: float, wrote: dict[str, str], gone: dict[str, str], **more: Any) -> dict[str, Any]:
    return {
        "t": t,
        "number": int(t),
        "wrote": wrote,
        "removed": gone,
        "replaced": {},
        "error": "",
    } | more


def complaints(one: list[Any], other: list[Any], final: str | None, kept: set[str]) -> list[str]:
    tree = {"f": [final, "644"]} if final else {}
    found = judge(record({"vps1": one, "vps2": other}), {"vps1": tree, "vps2": tree}, kept)
    return [complaint.split(":")[0] for complaint in found]


SEEN = [entry(1, {"f": OLD}, {})]
DELETED = [entry(9, {}, {"f": OLD})]
EDITED = [entry(5, {"f": THEIRS}, {}, replaced={"f": OLD}), entry(9, {}, {"f": THEIRS})]


def test_a_delete_that_stays_is_right():
    assert complaints(SEEN, DELETED, None, {OLD}) == []


@pytest.mark.parametrize("kept", [set(), {OLD}])
def test_a_delete_that_came_back_is_told_though_a_copy_is_kept(kept: set[str]):
    assert complaints(SEEN, DELETED, OLD, kept) == ["came back"]


def test_a_write_that_nobody_has_any_more_is_lost():
    assert "lost" in complaints([entry(5, {"f": MINE}, {})], SEEN, OLD, {OLD})


def test_a_write_that_the_other_side_did_not_know_must_not_go_with_what_was_deleted():
    written = [*SEEN, entry(7, {"f": MINE}, {}, replaced={"f": OLD})]
    assert complaints(written, EDITED, None, {MINE, OLD, THEIRS}) == ["deleted"]


def test_a_file_moved_there_is_as_old_as_it_was_and_may_lose_to_an_edit_that_is_deleted_later():
    moved = [*SEEN, entry(2, {"g": MINE}, {}), entry(7, {"f": MINE}, {"g": MINE})]
    assert complaints(moved, EDITED, None, {MINE, OLD, THEIRS}) == []
    assert "lost" in complaints(moved, EDITED, None, {OLD, THEIRS})
