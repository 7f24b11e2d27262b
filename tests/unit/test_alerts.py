"""When people are told of a problem, how often, and in which words."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from inventory.hours import Hours
from inventory.watch import Alerts, Channel
from journal.alerts.channel import waits, wants
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
    assert watch.sees(PLEX) == ["plex: new: service plex@unraid is broken"]
    assert watch.sees(PLEX, times=5) == []
    assert watch.sees() == ["plex: recovered: service plex@unraid"]
    assert watch.sees(times=20) == []


def test_what_one_look_alone_has_seen_is_told_nobody(watch: Watch):
    assert watch.sees(PLEX) == []
    assert watch.sees(times=30) == []


def test_a_message_says_what_since_when_which_hop_and_what_to_do(watch: Watch):
    watch.sees(PLEX, times=2)
    assert watch.told[0].body.splitlines() == [
        "touches plex; 2 checks follow from it",
        "hop: service plex@unraid",
        "plex@unraid: no connection, expected 200",
        "since 02 Mar 12:00 UTC (5 min)",
        "do: on unraid: systemctl status plex",
    ]
    watch.sees(times=1)
    assert watch.told[1].body.splitlines() == [
        "plex@unraid",
        "from 02 Mar 12:00 UTC to 02 Mar 12:10 UTC (10 min)",
    ]
    assert [message.status for message in watch.told] == [Status.FAILED, Status.OK]


def test_a_dead_host_is_one_message_that_names_what_it_takes_with_it(watch: Watch):
    assert watch.sees(dead("unraid"), times=2) == [
        "plex, radarr and sonarr: new: host unraid is unreachable"
    ]
    assert "touches plex, radarr, sonarr; 12 checks follow from it" in watch.told[0].body
    assert watch.sees() == ["plex, radarr and sonarr: recovered: host unraid"]


def test_what_a_dead_host_hides_is_neither_over_nor_new(watch: Watch):
    watch.sees(PLEX, disk("unraid", 96), times=2)
    assert watch.sees(dead("unraid"), times=40) == [
        "plex, radarr and sonarr: new: host unraid is unreachable"
    ]
    assert watch.sees(PLEX, disk("unraid", 96)) == [
        "plex, radarr and sonarr: recovered: host unraid"
    ]
    assert watch.sees() == ["recovered: disk unraid", "plex: recovered: service plex@unraid"]


def test_what_goes_on_is_told_again_and_each_time_twice_as_much_later(watch: Watch):
    watch.sees(PLEX, times=2)
    said = watch.sees(PLEX, times=7 * 24 * 12)
    assert said == ["plex: still: service plex@unraid is broken"] * 4
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
    assert said == ["plex: comes and goes: service plex@unraid"]
    assert "4 changes since 02 Mar 12:05 UTC" in watch.told[0].body
    assert watch.sees(times=30) == ["plex: steady again: service plex@unraid is well"]
    assert watch.notices == []


def test_what_comes_and_goes_and_then_stays_broken_is_told_so_and_later_as_over(watch: Watch):
    for n in range(9):
        watch.sees(*[PLEX][: n % 2])
    assert watch.sees(PLEX, times=20) == ["plex: steady again: service plex@unraid is broken"]
    assert watch.sees() == ["plex: recovered: service plex@unraid"]


def test_two_outages_in_an_hour_are_two_and_not_flapping(watch: Watch):
    watch.sees(PLEX, times=2)
    watch.sees(times=12)
    assert watch.sees(PLEX, times=2) == ["plex: new: service plex@unraid is broken"]


def test_nothing_is_told_in_a_silence_and_afterwards_only_what_is_still_so(watch: Watch):
    assert watch.sees(PLEX, disk("vps1", 90), times=4, quiet=True) == []
    assert watch.sees(disk("vps1", 90)) == ["new: disk vps1 needs a look"]


def test_what_ends_in_a_silence_is_told_as_over_after_it(watch: Watch):
    watch.sees(PLEX, times=2)
    assert watch.sees(quiet=True, times=3) == []
    assert watch.sees() == ["plex: recovered: service plex@unraid"]
    assert "to 02 Mar 12:10 UTC" in watch.told[-1].body


def test_coming_and_going_in_a_silence_is_no_flapping(watch: Watch):
    for n in range(10):
        watch.sees(*[PLEX][: n % 2], quiet=True)
    assert watch.sees(times=2) == []


def test_a_look_long_after_the_last_one_counts_as_the_first(watch: Watch):
    watch.sees(PLEX)
    assert watch.sees(PLEX, after=3 * HOUR) == []
    assert watch.sees(PLEX) == ["plex: new: service plex@unraid is broken"]
    assert "since 02 Mar 15:00 UTC" in watch.told[0].body


def test_many_problems_at_once_are_one_message(watch: Watch):
    many = [disk(host, 99) for host in ("vps1", "vps2", "unraid")]
    (title,) = watch.sees(PLEX, *many, times=2)
    assert title == "plex: 4 at once, new: disk unraid and more"
    assert "- plex: new: service plex@unraid is broken" in watch.told[0].body


def test_what_is_gone_from_the_catalogue_is_told_as_over(watch: Watch):
    watch.sees(PLEX, times=2)
    others = [finding for finding in healthy() if finding.service != "plex"]
    assert watch.finds(others) == ["plex: recovered: service plex@unraid"]


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


def acknowledge(watch: Watch) -> None:
    watch.notices = [replace(notice, acknowledged="ann@vps2") for notice in watch.notices]


def test_what_somebody_acknowledged_is_told_again_only_when_it_gets_worse_or_is_over(
    watch: Watch,
):
    watch.sees(disk("vps1", 90), times=2)
    acknowledge(watch)
    assert watch.sees(disk("vps1", 90), times=12 * 12) == []
    assert watch.sees(disk("vps1", 97), times=12 * 12) == [
        "worse: disk vps1 is broken",
        "still: disk vps1 is broken",
    ]
    acknowledge(watch)
    assert watch.sees() == ["recovered: disk vps1"]
    assert watch.sees(disk("vps1", 90), times=2) == ["new: disk vps1 needs a look"]
    assert not any(notice.acknowledged for notice in watch.notices)


FAILURES = Channel(url="env:A", severity="failure")
OF_PLEX = Channel(url="env:A", services=("plex",))


@pytest.mark.parametrize(
    ("channel", "broken", "hears"),
    [
        (FAILURES, PLEX, 2),
        (FAILURES, disk("vps1", 90), 0),
        (OF_PLEX, PLEX, 2),
        (OF_PLEX, dead("unraid"), 2),
        (OF_PLEX, stopped("radarr", "unraid"), 0),
        (OF_PLEX, disk("vps1", 97), 0),
    ],
)
def test_a_channel_hears_the_beginning_and_the_end_of_what_it_asked_for(
    watch: Watch, channel: Channel, broken: Broken, hears: int
):
    watch.sees(broken, times=2)
    watch.sees()
    assert sum(wants(channel, message) for message in watch.told) == hears


def test_quiet_hours_hold_back_all_but_what_breaks(watch: Watch):
    rules = Alerts(urls=("env:A",), quiet=(Hours.parse("22:00-07:00"),))
    watch.sees(disk("vps1", 90), PLEX, times=2)
    watch.sees()
    held = {
        message.title: waits(rules, "env:A", message, NOON.replace(hour=23))
        for message in watch.told
    }
    assert held == {
        "home.example: plex: new: service plex@unraid is broken": False,
        "home.example: new: disk vps1 needs a look": True,
        "home.example: recovered: disk vps1": True,
        "home.example: plex: recovered: service plex@unraid": True,
    }
    assert not any(waits(rules, "env:A", message, NOON) for message in watch.told)


def test_an_address_that_stands_twice_is_told_once_as_its_channel_says():
    rules = Alerts(urls=("env:A", "env:B"), channels=(FAILURES,))
    assert [(c.url, c.severity) for c in rules.everybody] == [
        ("env:A", "failure"), ("env:B", "warning"),
    ]  # fmt: skip
