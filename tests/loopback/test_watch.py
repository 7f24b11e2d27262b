"""What follows a verify: alerts, the heartbeat, metrics and the page; each fails alone."""

import pytest

from journal.history import History
from tasks.probe import Answer
from tests.endpoint import Endpoint
from tests.runbook import Runbook
from tests.site import Site
from tests.unit.surveys import Edge

BROKEN = Answer(status=200, body="MediaContainer")  # a stranger who gets in


@pytest.fixture
def watched(site: Site, chat: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The site tells `chat` of everything, at the first look."""
    monkeypatch.setenv("CHAT_URL", chat.url())
    monkeypatch.setenv("BEAT_URL", f"http://127.0.0.1:{chat.port}/beat")
    site.change("defaults", "data.alerts", {"urls": ["env:CHAT_URL"], "looks": 1})
    site.change("defaults", "data.heartbeat", {"url": "env:BEAT_URL"})
    return site


def test_a_fault_is_told_once_and_its_end_once(
    watched: Site, verify: Runbook, edge: Edge, chat: Endpoint
):
    good, edge.strangers["plex"] = edge.strangers["plex"], BROKEN
    assert [verify("--quiet").status for _ in range(3)] == [1, 1, 1]
    edge.strangers["plex"] = good
    assert verify("--quiet").status == 0
    assert chat.titles == [
        "home.example: plex open to strangers: new: access is broken",
        "home.example: plex: recovered: access",
    ]
    assert len(chat.pings) == 4


@pytest.mark.parametrize(
    "part", [("--only", "dns"), ("--service", "radarr"), ("--host", "vps1"), ("--role", "edge")]
)
def test_a_look_at_a_part_raises_nothing_ends_nothing_and_is_no_heartbeat(
    watched: Site, verify: Runbook, edge: Edge, chat: Endpoint, part: tuple[str, str]
):
    good, edge.strangers["plex"] = edge.strangers["plex"], BROKEN
    verify(*part)
    assert chat.posts == [] and chat.pings == []
    verify()
    edge.strangers["plex"] = good
    verify(*part)
    assert len(chat.posts) == 1 and len(chat.pings) == 1


def test_a_silence_by_hand_keeps_alerts_back_until_it_ends(
    watched: Site, verify: Runbook, edge: Edge, chat: Endpoint
):
    edge.strangers["plex"] = BROKEN
    assert verify("--silence", "2h", "--reason", "new disk").status == 1
    verify()
    assert chat.posts == []
    verify("--silence", "off")
    assert chat.titles == ["home.example: plex open to strangers: new: access is broken"]


@pytest.mark.parametrize("span", ["2", "2x", "soon", "0h"])
def test_a_silence_without_a_time_is_a_usage_error(verify: Runbook, span: str):
    done = verify("--silence", span)
    assert done.status == 2
    assert "is not a time such as 90s, 20m, 2h or 3d, or off" in done.err


def test_a_dead_endpoint_is_told_in_words_and_changes_no_exit_status(
    watched: Site, verify: Runbook, edge: Edge, chat: Endpoint
):
    chat.status = 500
    edge.strangers["plex"] = BROKEN
    done = verify("--quiet")
    assert done.status == 1
    assert "an alert was not delivered, the next run tries again: env:CHAT_URL: " in done.err
    assert "heartbeat: not sent, since an alert could not be told either" in done.err
    assert "SECRETTOKEN" not in done.out + done.err and "/beat" not in done.err


def test_a_heartbeat_that_is_not_taken_is_told_in_words(
    watched: Site, verify: Runbook, chat: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    chat.status = 500
    done = verify("--quiet")
    assert done.status == 0
    assert "heartbeat: HeartbeatError: env:BEAT_URL: answered 500" in done.err
    assert "/beat" not in done.err


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (None, "env:CHAT_URL: the environment variable is not set on this host"),
        ("chat://nobody/knows", "apprise does not know such an address"),
        ("ntfy://user:pa/ss@127.0.0.1/topic", "its password holds a '/': write %2F"),
    ],
)
def test_alerts_that_could_not_be_sent_end_the_heartbeat_though_all_is_well(
    watched: Site,
    verify: Runbook,
    chat: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    url: str | None,
    words: str,
):
    assert verify("--quiet").status == 0 and len(chat.pings) == 1
    monkeypatch.delenv("CHAT_URL") if url is None else monkeypatch.setenv("CHAT_URL", url)
    done = verify("--quiet")
    assert done.status == 0 and len(chat.pings) == 1
    assert words in done.err and "heartbeat: not sent" in done.err


def test_an_endpoint_that_never_answers_keeps_a_run_no_longer_than_the_deadline(
    watched: Site, verify: Runbook, edge: Edge, chat: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("journal.alerts.post.DEADLINE", 0.3)
    chat.hold.clear()
    edge.strangers["plex"] = BROKEN
    done = verify("--quiet")
    assert not chat.posts, "the endpoint holds it until the test is over"
    assert "env:CHAT_URL: no answer in 0.3 s" in done.err


def test_without_a_history_nobody_is_told_and_the_heartbeat_stops(
    watched: Site, verify: Runbook, edge: Edge, chat: Endpoint
):
    watched.journal.parent.write_text("a file where the folder should be", encoding="utf-8")
    edge.strangers["plex"] = BROKEN
    done = verify("--quiet")
    assert done.status == 1
    assert done.err.count("not remembered") == 1
    assert chat.posts == [] and chat.pings == []


def test_a_full_disk_ends_no_run_and_what_it_kept_back_is_told_when_there_is_room(
    watched: Site, verify: Runbook, edge: Edge, chat: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    verify()
    full = """CREATE TRIGGER full BEFORE INSERT ON notices
              BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"""
    with History(watched.journal).store.transaction() as db:
        db.execute(full)
    edge.strangers["plex"] = BROKEN
    done = verify("--quiet")
    assert done.status == 1
    assert "no space is left on its disk" in done.err
    assert chat.posts == []
    with History(watched.journal).store.transaction() as db:
        db.execute("DROP TRIGGER full")
    verify()
    assert chat.titles == ["home.example: plex open to strangers: new: access is broken"]
