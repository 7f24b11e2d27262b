"""What a drill says of the websockets that it held open."""

from tasks.drill.lives import Life, Lived, lived
from tests.unit.drills import FALLBACK, MOMENTS, PRIMARY, clean_failover


def life(client: int, served_by: str, opened: float, closed: float | None, **more: float) -> Life:
    usual: dict[str, float] = {"silence": 0.0, **more}
    return Life(client=client, vantage="vps1", served_by=served_by, opened=opened, closed=closed,
                **usual)  # fmt: skip


def told(*lives: Life) -> Lived:
    (one,) = lived(lives, {}, clean_failover(), MOMENTS)
    return one


def test_websockets_that_wait_for_a_frozen_primary_stay_with_it():
    seen = told(life(0, PRIMARY, 1, None, silence=20.1), life(1, PRIMARY, 1, None))
    assert (seen.opened, seen.closed, seen.silence, seen.without) == (2, 0, 20.1, 0)
    assert (seen.at_end, seen.apart) == ({PRIMARY: 2}, 0)


def test_one_that_was_closed_is_opened_with_the_fallback_and_stays_there_apart_from_requests():
    seen = told(life(0, PRIMARY, 1, 10.25), life(0, FALLBACK, 12.75, None))
    assert (seen.opened, seen.closed, seen.without) == (1, 1, 2.5)
    assert (seen.at_end, seen.apart) == ({FALLBACK: 1}, 1), "the requests are back on the primary"


def test_a_client_that_gets_no_other_is_without_one_until_the_end():
    seen = told(life(0, PRIMARY, 1, 10.0))
    assert (seen.closed, seen.without, seen.at_end) == (1, 50.0, {})
    assert seen.lines["at the end with"] == "nobody"


def test_with_whom_one_is_that_nobody_signs_is_not_told():
    seen = told(life(0, "", 1, None), life(1, "", 1, 10.25), life(1, "", 10.5, None))
    assert (seen.opened, seen.closed, seen.at_end, seen.apart) == (2, 1, {"": 2}, 0)
    assert seen.lines["at the end with"] == seen.lines["apart from requests"] == "not told"


def test_one_that_is_closed_by_its_time_of_life_is_opened_again_and_again():
    seen = told(life(0, PRIMARY, 0, 9), life(0, PRIMARY, 9.5, 19), life(0, FALLBACK, 19.1, None))
    assert (seen.opened, seen.closed, seen.without) == (1, 1, 0.5)


def test_where_none_could_be_opened_the_reason_is_told():
    (seen,) = lived([], {"vps1": "answered 404, not a websocket"}, clean_failover(), MOMENTS)
    assert seen.lines == {"open websockets": "none: answered 404, not a websocket"}
