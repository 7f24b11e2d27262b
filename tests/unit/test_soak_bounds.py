"""What the soak of the two bounds counts, and what it holds for wrong."""

from tests.soak.bounds import bounds_table, judge_app, judge_path
from tests.unit.drills import FALLBACK, PRIMARY, row, stretch

ILL = stretch(0, 5, FALLBACK, rate=1, status=503, error="status")


def test_whoever_leaves_the_primary_for_one_ill_path_is_counted():
    beside = stretch(0, 5, PRIMARY)
    assert judge_path(ILL, beside) == {"asked": 50, "failed": 5, "moved": 0, "wrong": []}
    told = judge_path(ILL, [*beside, row(6, FALLBACK)])
    assert (told["moved"], told["wrong"]) == (1, ["1 of 51 left the primary"])


def test_a_path_that_was_well_proves_nothing():
    assert judge_path(stretch(0, 5, PRIMARY), [])["wrong"] == ["the path did not answer 503"]


def test_an_app_counts_as_left_alone_from_the_last_request_that_it_got():
    fails = [row(5, PRIMARY, method="POST", status=503, error="status", latency=0.25)]
    told = judge_app([*stretch(0, 5, PRIMARY), *fails, *stretch(5.25, 8, FALLBACK)])
    assert told == {"after": 0.25, "lost_reads": 0, "lost_writes": 1, "wrong": []}
    late = judge_app([*stretch(0, 5, PRIMARY), *fails, row(6.75, PRIMARY, latency=0.25)])
    assert late["wrong"] == ["vps1: after 2.00 s"]


def test_the_table_has_the_extremes():
    lines = [{"after": 0.5, "lost_reads": 0, "lost_writes": 4, "wrong": []},
             {"after": 0.7, "lost_reads": 0, "lost_writes": 6, "wrong": []},
             {"asked": 900, "failed": 60, "moved": 0, "wrong": []}]  # fmt: skip
    text = bounds_table(lines)
    assert "| 1 | 900, 0 |" in text and "| 0.50 to 0.70 s | 0 / 4 to 6 a run |" in text
