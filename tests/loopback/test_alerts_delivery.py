"""Messages on their way: through apprise to a real endpoint, and what waits when it is down."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from inventory.load import load_catalogue
from inventory.watch import Alerts
from journal.alerts import post
from journal.alerts.book import Silence
from journal.alerts.tell import Alerting
from journal.entries import Run
from journal.history import History
from tests.endpoint import Endpoint
from tests.site import Site
from tests.unit.looks import MINUTE, NOON, STEP, look, stopped

PLEX, ORGANIZR = stopped("plex", "unraid"), stopped("organizr", "vps2")


@pytest.fixture
def alerting(site: Site, chat: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Alerting:
    monkeypatch.setenv("CHAT_URL", chat.url())
    rules = Alerts(urls=("env:CHAT_URL",), looks=1)
    ours = replace(load_catalogue(site.config).site, alerts=rules)
    return Alerting(site=ours, history=History(site.journal))


def test_a_message_arrives_with_title_text_and_how_bad_it_is(alerting: Alerting, chat: Endpoint):
    alerting.looked(look(PLEX), NOON)
    assert alerting.deliver(NOON) == []
    alerting.looked(look(), NOON + STEP)
    assert alerting.deliver(NOON + STEP) == []
    assert [(p["title"], p["type"]) for p in chat.posts] == [
        ("home.example: plex: new: service plex@unraid is broken", "failure"),
        ("home.example: plex: recovered: service plex@unraid", "success"),
    ]
    assert chat.posts[0]["message"].startswith("touches plex; 2 checks follow from it\nhop: ")


def test_what_did_not_arrive_is_sent_by_the_next_runs_in_order_and_once(
    alerting: Alerting, chat: Endpoint
):
    chat.status = 503
    alerting.looked(look(PLEX), NOON)
    (problem,) = alerting.deliver(NOON)
    assert problem.startswith("env:CHAT_URL: Failed to send JSON POST") and "503" in problem
    alerting.looked(look(), NOON + STEP)
    alerting.deliver(NOON + STEP)
    first, second = alerting.book.waiting()
    assert (first.tries, second.tries) == (2, 0), "what comes later waits behind"
    assert "503" in first.error
    chat.status = 200
    assert alerting.deliver(NOON + 2 * STEP) == []
    assert alerting.deliver(NOON + 3 * STEP) == []
    assert [title.split(": ")[2] for title in chat.titles] == ["new", "recovered"]
    assert "(told 10 min late)" in chat.posts[0]["message"]
    assert "late" not in chat.posts[1]["message"]
    assert alerting.book.waiting() == []


def test_an_address_that_fails_keeps_no_other_from_its_messages(
    alerting: Alerting, chat: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DEAD_URL", "json://127.0.0.1:1/DEADTOKEN")
    rules = replace(alerting.site.alerts, urls=("env:DEAD_URL", "env:CHAT_URL", "env:UNSET"))
    both = replace(alerting, site=replace(alerting.site, alerts=rules))
    both.looked(look(PLEX), NOON)
    problems = both.deliver(NOON)
    assert len(chat.posts) == 1
    assert sorted(problem.partition(":")[2][:9] for problem in problems) == [
        "DEAD_URL:",
        "UNSET: en",
    ]
    assert [delivery.target for delivery in both.book.waiting()] == ["env:DEAD_URL", "env:UNSET"]


def test_an_address_that_never_answers_keeps_a_run_for_no_more_than_the_deadline(
    alerting: Alerting, chat: Endpoint
):
    chat.hold.clear()
    alerting.looked(look(PLEX), NOON)
    outcomes = list(post.deliver(alerting.book.waiting(), NOON, deadline=0.3))
    assert not chat.posts, "the endpoint holds it until the test is over"
    assert [error for _, error in outcomes] == ["no answer in 0.3 s"]


def test_no_token_is_in_what_is_remembered_or_said(
    alerting: Alerting, chat: Endpoint, caplog: pytest.LogCaptureFixture
):
    chat.status = 500
    caplog.set_level(logging.DEBUG)
    alerting.looked(look(PLEX), NOON)
    said = alerting.deliver(NOON)
    stored = alerting.history.store.path.read_bytes()
    for file in alerting.history.store.path.parent.iterdir():
        stored += file.read_bytes()
    assert b"env:CHAT_URL" in stored
    assert b"SECRETTOKEN" not in stored and "SECRETTOKEN" not in "".join(said) + caplog.text


@pytest.mark.parametrize("kind", ["deploy", "rollback", "drill"])
def test_a_deploy_or_a_drill_silences_until_it_has_settled(alerting: Alerting, kind: str):
    run = Run(id="x", kind=kind, began=NOON, operator="ann@vps2", commit="abc", asked="")
    alerting.history.begin(run)
    assert alerting.silence(NOON + MINUTE) == f"silent: a {kind} is at work"
    end = NOON + 10 * MINUTE
    alerting.history.end("x", at=end, status=0, words="", steps=[])
    assert (
        alerting.silence(end + MINUTE) == f"silent until 02 Mar 12:12 UTC: a {kind} has just ended"
    )
    assert alerting.silence(end + 2 * MINUTE) is None


def test_a_killed_deploy_silences_for_an_hour_and_a_verify_never(alerting: Alerting):
    for name, kind in (("x", "deploy"), ("y", "verify")):
        run = Run(id=name, kind=kind, began=NOON, operator="ann@vps2", commit="abc", asked="")
        alerting.history.begin(run)
    assert alerting.silence(NOON + 59 * MINUTE)
    assert alerting.silence(NOON + 60 * MINUTE) is None


def test_a_silence_by_hand_lasts_as_long_as_it_says(alerting: Alerting, chat: Endpoint):
    silence = Silence(until=NOON + timedelta(hours=2), reason="new disk")
    alerting.book.silence(silence, "ann@vps2", NOON)
    alerting.looked(look(PLEX), NOON + STEP)
    assert alerting.silence(NOON + STEP) == "silent until 02 Mar 14:00 UTC (new disk)"
    assert alerting.silence(NOON + timedelta(hours=2)) is None
    assert alerting.book.waiting() == []
    alerting.book.silence(replace(silence, until=NOON + STEP), "ann@vps2", NOON + STEP)
    assert alerting.silence(NOON + STEP) is None


def test_a_time_in_which_nobody_looked_is_told_first(alerting: Alerting, chat: Endpoint):
    alerting.looked(look(), NOON)
    alerting.looked(look(PLEX), NOON + timedelta(hours=3))
    alerting.deliver(NOON + timedelta(hours=3))
    assert [title.partition(": ")[2] for title in chat.titles] == [
        "nobody watched for 3 h",
        "plex: new: service plex@unraid is broken",
    ]
    assert "No look between 02 Mar 12:00 UTC and 02 Mar 15:00 UTC" in chat.posts[0]["message"]


def test_messages_for_an_address_that_is_no_more_are_dropped(alerting: Alerting, chat: Endpoint):
    chat.status = 500
    alerting.looked(look(PLEX), NOON)
    rules = replace(alerting.site.alerts, urls=("env:OTHER",))
    moved = replace(alerting, site=replace(alerting.site, alerts=rules))
    moved.looked(look(PLEX, ORGANIZR), NOON + STEP)
    assert [d.target for d in moved.book.waiting()] == ["env:OTHER"]


@pytest.mark.parametrize(("status", "arrives"), [(301, 0), (302, 0), (303, 0), (307, 1), (308, 1)])
def test_an_address_that_leads_elsewhere_loses_no_message_in_silence(
    alerting: Alerting, chat: Endpoint, monkeypatch: pytest.MonkeyPatch, status: int, arrives: int
):
    monkeypatch.setenv("CHAT_URL", f"json://127.0.0.1:{chat.port}/moved/{status}")
    alerting.looked(look(PLEX), NOON)
    problems = alerting.deliver(NOON)
    assert len(chat.posts) == arrives and bool(problems) == (not arrives)
    assert arrives or "write the one it leads to" in problems[0]
    assert len(alerting.book.waiting()) == 1 - arrives


@pytest.mark.parametrize(
    ("password", "code"), [("pa/ss", "%2F"), ("p@ss", "%40"), ("p:ss", "%3A"), ("p#s", "%23")]
)
def test_a_password_that_would_send_the_message_elsewhere_is_refused_with_the_way_to_write_it(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch, password: str, code: str
):
    monkeypatch.setenv("CHAT_URL", f"ntfy://user:{password}@127.0.0.1/topic")
    alerting.looked(look(PLEX), NOON)
    (problem,) = alerting.deliver(NOON)
    assert f"write {code} in its place" in problem
    assert password not in problem and "127.0.0.1" not in problem
    assert alerting.unusable() == [problem]


@pytest.mark.parametrize(
    "url",
    [
        "json://user:pa%2Fss@127.0.0.1:8080/hook",
        "json://127.0.0.1:8080/a@b",
        "tgram://123456789:abcdefghijklmnopqrstuvwxyzABCDEFGHI/@channel",
        "mailtos://me:secret@smtp.example",
        "ntfy://topic",
    ],
)
def test_an_address_that_is_written_right_is_taken(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch, url: str
):
    monkeypatch.setenv("CHAT_URL", url)
    assert alerting.unusable() == []
