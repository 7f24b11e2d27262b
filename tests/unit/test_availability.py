"""How available something was, from what the looks at it found."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inventory.load import load_catalogue
from journal.availability import State as S
from journal.availability import (
    Stretch,
    availability,
    hops,
    last,
    of_hop,
    of_service,
    services,
)
from journal.entries import Episode
from runbooks.verify import CHECKS, judge
from tasks.checks.finding import Status
from tests.site import Site
from tests.unit.surveys import Edge

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def seen(
    status: Status,
    since: float,
    until: float,
    *,
    through: str = "vps1",
    way: bool = True,
    cause: str | None = None,
) -> Episode:
    return Episode(
        check="caddy",
        subject=f"plex through {through}",
        vantage="vps2",
        service="plex",
        host=through,
        hop=f"caddy {through}",
        status=status,
        since=at(since),
        until=at(until),
        seen="",
        expected="",
        cause=cause,
        todo="",
        way=way,
    )


def states(stretches: Iterable[Stretch]) -> list[tuple[S, float]]:
    return [(stretch.state, stretch.seconds / 60) for stretch in stretches]


def test_a_service_is_down_when_no_way_to_it_works_and_partly_up_when_one_does():
    found = of_service(
        [
            seen(Status.OK, 0, 10, through="vps1"),
            seen(Status.FAILED, 10, 40, through="vps1"),
            seen(Status.OK, 0, 20, through="vps2"),
            seen(Status.FAILED, 20, 30, through="vps2"),
            seen(Status.OK, 30, 40, through="vps2"),
        ],
        "plex",
        at(0),
        at(40),
    )
    assert states(found) == [(S.UP, 10), (S.PARTLY, 10), (S.DOWN, 10), (S.PARTLY, 10)]


def test_time_that_nobody_watched_is_unknown_and_counts_neither_way():
    found = of_service([seen(Status.FAILED, 10, 20)], "plex", at(0), at(40))
    assert states(found) == [(S.UNKNOWN, 10), (S.DOWN, 10), (S.UNKNOWN, 20)]
    told = availability(found, at(0), at(40))
    assert (told.share, told.watched) == (0.0, 0.25)


def test_nothing_watched_has_no_availability():
    told = availability(of_service([], "plex", at(0), at(40)), at(0), at(40))
    assert (told.share, told.watched) == (None, 0.0)


def test_a_consequence_counts_for_the_service_but_not_against_its_hop():
    follows = seen(Status.FAILED, 10, 20, cause="host vps1")
    episodes = [seen(Status.OK, 0, 10), follows, seen(Status.OK, 20, 30)]
    assert states(of_service(episodes, "plex", at(0), at(30)))[1] == (S.DOWN, 10)
    assert states(of_hop(episodes, "caddy vps1", at(0), at(30)))[1] == (S.UNKNOWN, 10)


def test_a_hop_is_down_while_any_finding_of_its_own_says_so():
    other = seen(Status.OK, 0, 30, way=False)
    found = of_hop([other, seen(Status.FAILED, 10, 20)], "caddy vps1", at(0), at(30))
    assert states(found) == [(S.UP, 10), (S.DOWN, 10), (S.UP, 10)]


def test_a_warning_works_and_a_skipped_check_tells_nothing():
    found = of_service(
        [seen(Status.WARN, 0, 10), seen(Status.SKIPPED, 10, 20)], "plex", at(0), at(20)
    )
    assert states(found) == [(S.UP, 10), (S.UNKNOWN, 10)]


def test_what_lies_outside_of_the_time_asked_for_is_cut_off():
    found = of_service([seen(Status.FAILED, -60, 60)], "plex", at(0), at(30))
    assert states(found) == [(S.DOWN, 30)]
    assert availability(found, at(10), at(20)).seconds[S.DOWN] == 600


def test_the_last_time_in_a_state_is_the_latest_one():
    episodes = [seen(Status.FAILED, 0, 5), seen(Status.OK, 5, 10), seen(Status.FAILED, 10, 12)]
    found = of_service(episodes, "plex", at(0), at(30))
    assert last(found, S.DOWN) == Stretch(state=S.DOWN, since=at(10), until=at(12))
    assert last(found, S.PARTLY) is None


def test_a_finding_beside_the_ways_says_nothing_of_the_service():
    episodes = [seen(Status.FAILED, 0, 5, way=False)]
    assert services(episodes) == []
    assert hops(episodes) == ["caddy vps1"]


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Edge:
    return Edge(load_catalogue(Site(Path(tmp_path_factory.mktemp("site"))).config))


def test_verify_knows_by_which_ways_users_enter_each_service(edge: Edge):
    ways = [f for f in judge(edge.survey(), CHECKS) if f.way]
    assert {f.service for f in ways} == set(edge.catalogue.services)
    assert {f.subject for f in ways if f.service == "organizr"} == {
        "organizr through vps1",
        "organizr through vps2",
        "the service token at organizr.home.example",
    }
