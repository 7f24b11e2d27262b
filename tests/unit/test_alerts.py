"""When people are told of a problem, how often, and in which words."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from inventory.watch import Alerts
from journal.alerts.notice import Notice, follow_up
from journal.alerts.problem import Look
from journal.alerts.words import BODY, Message, duration, messages
from tasks.checks.finding import Finding, Status
from tests.unit.looks import MINUTE, NOON, STEP, Broken, dead, disk, healthy, look, stopped

HOUR = timedelta(hours=1)
PLEX = stopped("plex", "unraid")


class Watch:
    """Looks at the edge every five minutes, and keeps what people were told."""

    def __init__(self, **rules: object) -> None:
        self.rules = replace(Alerts(), **rules)
        self.at = NOON - STEP
        self.notices: Sequence[Notice] = []
        self.told: list[Message] = []

    def sees(
        self, *broken: Broken, times: int = 1, quiet: bool = False, after: timedelta = STEP
    ) -> list[str]:
        """Look `times` times; the titles of what was told."""
        return self.finds(look(*broken), times=times, quiet=quiet, after=after)

    def finds(
        self,
        findings: Sequence[Finding],
        *,
        times: int = 1,
        quiet: bool = False,
        after: timedelta = STEP,
    ) -> list[str]:
        before = len(self.told)
        for _ in range(times):
            self.at += after
            self.notices, news = follow_up(
                self.notices,
                Look.of(findings),
                self.at,
                self.rules,
                quiet=quiet,
                watched=after < self.rules.unwatched_after,
            )
            self.told += messages("home.example", news, self.at)
        return [message.title.removeprefix("home.example: ") for message in self.told[before:]]


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_an_edge_that_is_well_is_never_told_of(watch: Watch):
    assert watch.sees(times=300) == []
    assert watch.notices == []


def test_a_problem_is_told_once_it_was_seen_twice_in_a_row_and_once_when_it_is_over(watch: Watch):
    assert watch.sees(PLEX) == []
    assert watch.sees(PLEX) == ["new: service plex@unraid is broken"]
    assert watch.sees(PLEX, times=5) == []
    assert watch.sees() == ["recovered: service plex@unraid"]
    assert watch.sees(times=20) == []


def test_what_one_look_alone_has_seen_is_told_nobody(watch: Watch):
    assert watch.sees(PLEX) == []
    assert watch.sees(times=30) == []


def test_a_message_says_what_since_when_which_hop_and_what_to_do(watch: Watch):
    watch.sees(PLEX, times=2)
    assert watch.told[0].body.splitlines() == [
        "plex@unraid: no connection, expected 200",
        "since 02 Mar 12:00 UTC (5 min)",
        "hop: service plex@unraid",
        "touches plex; 2 checks follow from it",
        "do: on unraid: systemctl status plex",
    ]
    watch.sees(times=1)
    assert watch.told[1].body.splitlines() == [
        "plex@unraid",
        "from 02 Mar 12:00 UTC to 02 Mar 12:10 UTC (10 min)",
    ]
    assert [message.status for message in watch.told] == [Status.FAILED, Status.OK]


def test_a_dead_host_is_one_message_that_names_what_it_takes_with_it(watch: Watch):
    assert watch.sees(dead("unraid"), times=2) == ["new: host unraid is unreachable"]
    assert "touches plex, radarr, sonarr; 12 checks follow from it" in watch.told[0].body
    assert watch.sees() == ["recovered: host unraid"]


def test_what_a_dead_host_hides_is_neither_over_nor_new(watch: Watch):
    watch.sees(PLEX, disk("unraid", 96), times=2)
    assert watch.sees(dead("unraid"), times=40) == ["new: host unraid is unreachable"]
    assert watch.sees(PLEX, disk("unraid", 96)) == ["recovered: host unraid"]
    assert watch.sees() == ["recovered: disk unraid", "recovered: service plex@unraid"]


def test_what_goes_on_is_told_again_and_each_time_twice_as_much_later(watch: Watch):
    watch.sees(PLEX, times=2)
    said = watch.sees(PLEX, times=7 * 24 * 12)
    assert said == ["still: service plex@unraid is broken"] * 4
    times = [message.at - watch.told[0].at for message in watch.told[1:]]
    assert times == [6 * HOUR, 18 * HOUR, 42 * HOUR, 90 * HOUR]
    assert "(6 h 5 min)" in watch.told[1].body


def test_a_warning_that_becomes_a_failure_is_told_as_worse_and_back_as_better(watch: Watch):
    assert watch.sees(disk("vps1", 90), times=3) == ["new: disk vps1 needs a look"]
    assert watch.sees(disk("vps1", 97), times=3) == ["worse: disk vps1 is broken"]
    assert watch.sees(disk("vps1", 90), times=3) == ["better: disk vps1 needs a look"]
    assert watch.sees() == ["recovered: disk vps1"]


def test_what_comes_and_goes_is_one_message_and_one_when_it_keeps_still(watch: Watch):
    said = [title for n in range(100) for title in watch.sees(*[PLEX][: n % 2])]
    assert said == ["comes and goes: service plex@unraid"]
    assert "4 changes since 02 Mar 12:05 UTC" in watch.told[0].body
    assert watch.sees(times=30) == ["steady again: service plex@unraid is well"]
    assert watch.notices == []


def test_what_comes_and_goes_and_then_stays_broken_is_told_so_and_later_as_over(watch: Watch):
    for n in range(9):
        watch.sees(*[PLEX][: n % 2])
    assert watch.sees(PLEX, times=20) == ["steady again: service plex@unraid is broken"]
    assert watch.sees() == ["recovered: service plex@unraid"]


def test_two_outages_in_an_hour_are_two_and_not_flapping(watch: Watch):
    watch.sees(PLEX, times=2)
    watch.sees(times=12)
    assert watch.sees(PLEX, times=2) == ["new: service plex@unraid is broken"]


def test_nothing_is_told_in_a_silence_and_afterwards_only_what_is_still_so(watch: Watch):
    assert watch.sees(PLEX, disk("vps1", 90), times=4, quiet=True) == []
    assert watch.sees(disk("vps1", 90)) == ["new: disk vps1 needs a look"]


def test_what_ends_in_a_silence_is_told_as_over_after_it(watch: Watch):
    watch.sees(PLEX, times=2)
    assert watch.sees(quiet=True, times=3) == []
    assert watch.sees() == ["recovered: service plex@unraid"]
    assert "to 02 Mar 12:10 UTC" in watch.told[-1].body


def test_coming_and_going_in_a_silence_is_no_flapping(watch: Watch):
    for n in range(10):
        watch.sees(*[PLEX][: n % 2], quiet=True)
    assert watch.sees(times=2) == []


def test_a_look_long_after_the_last_one_counts_as_the_first(watch: Watch):
    watch.sees(PLEX)
    assert watch.sees(PLEX, after=3 * HOUR) == []
    assert watch.sees(PLEX) == ["new: service plex@unraid is broken"]
    assert "since 02 Mar 15:00 UTC" in watch.told[0].body


def test_many_problems_at_once_are_one_message(watch: Watch):
    many = [disk(host, 99) for host in ("vps1", "vps2", "unraid")]
    (title,) = watch.sees(PLEX, *many, times=2)
    assert title == "4 at once, new: disk unraid and more"
    assert "- new: service plex@unraid is broken" in watch.told[0].body


def test_what_is_gone_from_the_catalogue_is_told_as_over(watch: Watch):
    watch.sees(PLEX, times=2)
    others = [finding for finding in healthy() if finding.service != "plex"]
    assert watch.finds(others) == ["recovered: service plex@unraid"]


def test_what_cannot_be_told_any_more_is_not_over(watch: Watch):
    watch.sees(disk("vps1", 97), times=2)
    skipped = [
        replace(finding, status=Status.SKIPPED, seen="no df here")
        if finding.hop == "disk vps1"
        else finding
        for finding in healthy()
    ]
    assert watch.finds(skipped, times=3) == []


def test_no_message_is_longer_than_a_phone_takes(watch: Watch):
    long = [replace(finding, seen="x" * 5000) for finding in look(PLEX)]
    watch.finds(long, times=2)
    assert len(watch.told[0].body) <= BODY
    assert max(map(len, watch.told[0].body.splitlines())) <= 200


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (45 * MINUTE / 60, "45 s"),
        (59.6 * MINUTE, "1 h"),
        (185 * MINUTE, "3 h 5 min"),
        (52 * HOUR, "2 d 4 h"),
    ],
)
def test_durations_are_said_in_two_units(span: timedelta, words: str):
    assert duration(span) == words
