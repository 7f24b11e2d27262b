"""What a ledger says about an outage."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.catalogue import Budget
from tasks.drill.ledger import Row
from tasks.drill.outage import Outage, judge, outages
from tests.unit.drills import FALLBACK, MOMENTS, PRIMARY, clean_failover, row, stretch

BUDGET = Budget(lost=0, slowest=10, failover=12, failback=22, flaps=0)


def seen(rows: list[Row]) -> Outage:
    (found,) = outages(rows, MOMENTS, lambda _: frozenset({PRIMARY}), BUDGET)
    return found


def test_a_clean_failover_keeps_the_budget():
    outage = seen(clean_failover())
    assert outage.away and outage.lost == 0 and outage.flaps == 0
    assert outage.fallback_after == pytest.approx(2.01)
    assert outage.back_after == pytest.approx(15.01)
    assert all(verdict.kept for verdict in judge(outage, BUDGET))


def test_a_primary_that_serves_on_while_it_stops_is_missed_by_nobody_until_it_has_stopped():
    rows = [*stretch(0, 20, PRIMARY), *stretch(20.5, 45, FALLBACK), *stretch(45, 60, PRIMARY)]
    assert seen(rows).served_for == pytest.approx(9.91)
    assert seen(rows).fallback_after == pytest.approx(0.6)


def test_lost_reads_and_writes_are_counted_apart_and_only_reads_cost_the_budget():
    rows = clean_failover()
    rows += [row(10.5, "", error="reset", status=None, method="POST")]
    outage = seen(rows)
    assert (outage.lost_reads, outage.lost_writes) == (0, 1)
    assert all(verdict.kept for verdict in judge(outage, BUDGET))
    outage = seen([*rows, row(10.6, "", error="status", status=502)])
    assert outage.lost_reads == 1
    assert [v.what for v in judge(outage, BUDGET) if not v.kept] == ["lost GETs"]


def test_a_fallback_that_never_answers_is_named_never():
    rows = [*stretch(0, 10, PRIMARY), *stretch(10, 60, "", error="status", status=502)]
    verdicts = {v.what: v for v in judge(seen(rows), BUDGET)}
    assert verdicts["fallback answers after"].seen == "never"
    assert not verdicts["primary is back after"].kept


def test_a_primary_that_comes_back_during_the_fault_is_a_flap():
    rows = [
        *stretch(0, 10, PRIMARY),
        *stretch(10, 15, FALLBACK),
        *stretch(15, 18, PRIMARY),
        *stretch(18, 45, FALLBACK),
        *stretch(45, 60, PRIMARY),
    ]
    assert seen(rows).flaps == 1


def test_a_second_return_after_the_restore_is_a_flap_and_only_the_last_counts_as_back():
    rows = [
        *stretch(0, 10, PRIMARY),
        *stretch(10, 35, FALLBACK),
        *stretch(35, 40, PRIMARY),
        *stretch(40, 45, FALLBACK),
        *stretch(45, 60, PRIMARY),
    ]
    outage = seen(rows)
    assert outage.flaps == 1
    assert outage.back_after == pytest.approx(15.01)


def test_two_caddys_that_return_one_after_the_other_are_no_flap_to_a_client_by_name():
    between = [row(40 + n / 10, (PRIMARY, FALLBACK)[n // 5 % 2]) for n in range(50)]
    rows = [
        *stretch(0, 10, PRIMARY),
        *stretch(10, 40, FALLBACK),
        *between,
        *stretch(45, 60, PRIMARY),
    ]
    assert seen(rows).flaps > 1
    by_name = seen([replace(each, vantage="name") for each in rows])
    assert by_name.flaps == 0
    assert by_name.back_after == pytest.approx(15.01)


def test_a_return_during_the_fault_is_a_flap_to_a_client_by_name_too():
    rows = [
        *stretch(0, 10, PRIMARY),
        *stretch(10, 15, FALLBACK),
        *stretch(15, 18, PRIMARY),
        *stretch(18, 45, FALLBACK),
        *stretch(45, 60, PRIMARY),
    ]
    assert seen([replace(each, vantage="name") for each in rows]).flaps == 1


def test_one_retried_request_is_no_flap():
    rows = [*clean_failover(), row(50.05, FALLBACK)]
    assert seen(rows).flaps == 0


def test_a_vantage_that_the_broken_host_never_served_need_not_fail_over():
    outage = seen(stretch(0, 60, FALLBACK))
    assert not outage.away
    assert {v.what for v in judge(outage, BUDGET)} == {"lost GETs", "slowest GET", "flaps"}


def test_a_vantage_that_hears_from_both_hosts_anyway_neither_fails_over_nor_flaps():
    rows = [row(n / 10, (PRIMARY, FALLBACK)[n // 5 % 2]) for n in range(600)]
    outage = seen(rows)
    assert not outage.away and outage.flaps == 0


def test_unsigned_answers_are_neither_primary_nor_fallback():
    outage = seen(stretch(0, 60, ""))
    assert not outage.away and outage.flaps == 0 and outage.lost == 0


ROWS = st.lists(
    st.builds(
        row,
        due=st.floats(0, 60),
        served_by=st.sampled_from([PRIMARY, FALLBACK, ""]),
        latency=st.floats(0, 15),
        error=st.sampled_from(["", "", "", "timeout"]),
        method=st.sampled_from(["GET", "POST"]),
        vantage=st.sampled_from(["vps1", "name"]),
    ),
    min_size=1,
    max_size=60,
)


@given(ROWS)
def test_every_row_is_counted_once_whatever_the_ledger(rows: list[Row]):
    found = outages(rows, MOMENTS, lambda _: frozenset({PRIMARY}), BUDGET)
    assert sum(outage.asked for outage in found) == len(rows)
    assert sum(outage.lost for outage in found) == sum(bool(r.error) for r in rows)
    assert all(0 <= outage.flaps <= len(rows) for outage in found)


@given(ROWS, st.randoms())
def test_the_order_in_which_answers_arrived_changes_nothing(rows: list[Row], chance):
    rows = [replace(r, due=n / 10, sent=n / 10) for n, r in enumerate(rows)]
    shuffled = rows.copy()
    chance.shuffle(shuffled)
    broken = frozenset({PRIMARY})
    assert outages(shuffled, MOMENTS, lambda _: broken, BUDGET) == outages(
        rows, MOMENTS, lambda _: broken, BUDGET
    )


@given(ROWS)
def test_times_count_forward_from_the_fault_and_the_restore(rows: list[Row]):
    for outage in outages(rows, MOMENTS, lambda _: frozenset({PRIMARY}), BUDGET):
        assert outage.fallback_after is None or outage.fallback_after >= 0
        assert outage.back_after is None or outage.back_after >= 0


@given(ROWS, st.integers(0, 59))
def test_a_lost_request_more_is_never_judged_better(rows: list[Row], which: int):
    which %= len(rows)
    worse = [*rows]
    worse[which] = replace(rows[which], error="timeout", method="GET")
    before, after = (
        {o.vantage: o.lost_reads for o in outages(r, MOMENTS, lambda _: frozenset(), BUDGET)}
        for r in (rows, worse)
    )
    assert all(after[name] >= lost for name, lost in before.items())
