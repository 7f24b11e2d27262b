"""Two runs at once, and runbooks/alerts.py: what is told is told once, and people see to whom."""

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from inventory.load import load_catalogue
from inventory.watch import Alerts
from journal.alerts import tell
from journal.alerts.tell import Alerting
from journal.history import History
from tests.endpoint import Endpoint
from tests.runbook import Runbook
from tests.site import Site
from tests.unit.looks import MINUTE, NOON, STEP, disk, look, stopped

PLEX = stopped("plex", "unraid")
SECOND = MINUTE / 60


@pytest.fixture
def run(site: Site, chat: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Alerting]:
    """A run of its own, with its own connection to the journal."""
    monkeypatch.setenv("CHAT_URL", chat.url())
    rules = Alerts(urls=("env:CHAT_URL",), looks=1)
    ours = replace(load_catalogue(site.config).site, alerts=rules)
    return lambda: Alerting(site=ours, history=History(site.journal))


def together(*works: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_runs_that_look_at_once_tell_it_once(
    run: Callable[[], Alerting], chat: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    run().looked(look(), NOON)
    both, real = threading.Barrier(2, timeout=0.5), tell.follow_up

    def slowly(*known: object, **more: object) -> object:
        """Both have read what is known before either writes, where nothing prevents it."""
        with suppress(threading.BrokenBarrierError):
            both.wait()
        return real(*known, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(tell, "follow_up", slowly)
    together(
        lambda: run().looked(look(PLEX), NOON + STEP),
        lambda: run().looked(look(PLEX), NOON + STEP + SECOND),
    )
    monkeypatch.undo()
    assert len(run().book.waiting()) == 1


def test_two_runs_that_send_at_once_send_it_once(run: Callable[[], Alerting], chat: Endpoint):
    run().looked(look(PLEX, disk("vps1", 97)), NOON)
    chat.hold.clear()
    sent: list[Sequence[str]] = []
    release = threading.Timer(0.5, chat.hold.set)
    release.start()
    together(*[lambda: sent.append(run().deliver(NOON))] * 2)
    assert sent == [[], []]
    assert len(chat.posts) == 2 and run().book.waiting() == []


def test_a_look_that_was_overtaken_tells_nothing(run: Callable[[], Alerting]):
    run().looked(look(PLEX), NOON + SECOND)
    run().looked(look(), NOON)
    assert [d.message.kind for d in run().book.waiting()] == ["new"]


def test_a_clock_that_was_set_back_keeps_nobody_silent(run: Callable[[], Alerting]):
    run().looked(look(), NOON + 60 * MINUTE)
    run().looked(look(PLEX), NOON)
    assert [d.message.kind for d in run().book.waiting()] == ["new"]


@pytest.fixture
def alerts(
    site: Site,
    chat: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    in_process: Callable[[str], Runbook],
) -> Runbook:
    monkeypatch.setenv("CHAT_URL", chat.url())
    monkeypatch.setenv("NTFY_URL", "ntfy://127.0.0.1:1/topic")
    channel = {"url": "env:NTFY_URL", "severity": "failure", "services": ["plex"]}
    site.change(
        "defaults", "data.alerts", {"urls": ["env:CHAT_URL"], "channels": [channel], "looks": 1}
    )
    return in_process("alerts")


def test_the_channels_and_what_waits_are_listed(
    alerts: Runbook, run: Callable[[], Alerting], chat: Endpoint
):
    run().looked(look(PLEX), NOON)
    done = alerts()
    assert done.status == 0 and chat.posts == []
    assert "failures of plex" in done.out and "env:CHAT_URL" in done.out
    assert "plex: new: service plex@unraid is broken (to env:CHAT_URL)" in done.out
    document = json.loads(alerts("--json").out)
    assert [channel["url"] for channel in document["channels"]] == ["env:CHAT_URL", "env:NTFY_URL"]
    assert document["broken"][0]["hop"] == "service plex@unraid"


def test_a_test_says_what_each_of_the_other_sides_answered(alerts: Runbook, chat: Endpoint):
    done = alerts("--test")
    assert done.status == 1
    assert chat.titles == ["home.example: this is a test: nothing is wrong"]
    lines = {line.split()[0]: line for line in done.out.splitlines() if "test: " in line}
    assert "test: answered 200" in lines["env:CHAT_URL"]
    assert "test: " in lines["env:NTFY_URL"] and "answered" not in lines["env:NTFY_URL"]
    chat.status = 403
    assert "(answered 403)" in alerts("--test").out
    assert "SECRETTOKEN" not in done.out + done.err


def test_an_acknowledgement_names_who_and_ends_the_reminders(
    alerts: Runbook, run: Callable[[], Alerting]
):
    run().looked(look(PLEX), NOON)
    wrong = alerts("--ack", "disk vps1")
    assert wrong.status == 2 and "(what is: service plex@unraid)" in wrong.err
    done = alerts("--ack", "service plex@unraid")
    assert (done.status, "no more reminders of service plex@unraid" in done.out) == (0, True)
    assert "acknowledged by " in alerts().out
    for minutes in range(15, 20 * 60, 15):
        run().looked(look(PLEX), NOON + minutes * MINUTE)
    assert [d.message.kind for d in run().book.waiting()] == ["new"]
    run().looked(look(), NOON + 20 * 60 * MINUTE)
    assert alerts("--ack", "all").status == 1
