"""The report: what a history that tests wrote down answers."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest

from inventory.fields import span
from journal.answers import span_words
from journal.entries import DrillEntry, Run
from journal.history import History
from tasks.checks.finding import Finding, Status
from tests.runbook import Runbook
from tests.site import ROOT, Site

NOW = datetime.now(UTC).replace(microsecond=0)
LOOK = 5  # minutes from one look to the next


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


@pytest.fixture
def history(site: Site) -> History:
    made = History(site.journal)
    made.store.read("PRAGMA synchronous = OFF")  # quicker; what it protects is tested elsewhere
    return made


@pytest.fixture
def report(in_process: Callable[[str], Runbook]) -> Runbook:
    """Runs runbooks/report.py in this process."""
    return in_process("report")


def way(status: Status, through: str, *, cause: str | None = None) -> Finding:
    return Finding(
        check="caddy",
        subject=f"plex through {through}",
        vantage="vps2",
        status=status,
        seen="503" if status.is_broken else "200",
        expected="200",
        service="plex",
        host=through,
        hop=f"caddy {through}",
        cause=cause,
        way=True,
    )


def placement(status: Status) -> Finding:
    return Finding(
        check="service",
        subject="plex@unraid",
        vantage="vps2",
        status=status,
        seen="no connection" if status.is_broken else "200",
        expected="200",
        service="plex",
        host="unraid",
        hop="service plex@unraid",
    )


def watch(history: History, begin: int, end: int, status: Status) -> None:
    """A look every 5 minutes, from `begin` to `end` minutes ago: all of plex in one state."""
    cause = "service plex@unraid" if status.is_broken else None
    for minutes in range(begin, end - 1, -LOOK):
        run = verify(minutes)
        history.begin(run)
        ways = [way(status, edge, cause=cause) for edge in ("vps1", "vps2")]
        history.look([placement(status), *ways], run.began)
        history.end(run.id, at=run.began, status=int(status.is_broken), words="", steps=[])


def verify(minutes: float, kind: str = "verify") -> Run:
    return Run(
        id=f"{kind}-{minutes}",
        kind=kind,
        began=ago(minutes),
        operator="ann@vps2",
        commit="abc",
        asked="",
    )


def outage(history: History) -> None:
    """Watched for the last two hours, with plex down from 60 to 50 minutes ago."""
    watch(history, 120, 65, Status.OK)
    watch(history, 60, 55, Status.FAILED)
    watch(history, 50, 0, Status.OK)


def test_an_empty_history_is_an_error_and_not_a_green_report(report: Runbook, site: Site):
    done = report()
    assert (done.status, done.out) == (1, "")
    assert "no history yet" in done.err and "verify.py" in done.err
    assert not site.journal.exists()


def test_a_history_without_a_run_is_as_good_as_none(report: Runbook, history: History):
    assert report().status == 1


def test_changes_are_told_with_their_cause_alone_and_how_long_they_lasted(
    report: Runbook, history: History
):
    outage(history)
    done = report()
    assert done.status == 0
    (line,) = [line for line in done.out.splitlines() if "FAILED" in line]
    assert "plex@unraid: no connection – service plex@unraid – lasted 10 min" in line
    assert "verify 25 (2 not ok)" in done.out


def test_trouble_that_lasts_is_told_as_such(report: Runbook, history: History):
    watch(history, 30, 15, Status.OK)
    watch(history, 10, 0, Status.FAILED)
    assert "STILL SO after 10 min" in report().out


def test_trouble_of_a_service_that_was_taken_away_is_not_still_so(
    report: Runbook, history: History, site: Site
):
    watch(history, 30, 15, Status.OK)
    watch(history, 10, 0, Status.FAILED)
    site.change("services", "services.plex", None)
    said = report().out
    assert "STILL SO" not in said and "lasted 10 min or longer, and was taken away" in said


def test_trouble_whose_end_nobody_saw_is_told_as_such(report: Runbook, history: History):
    watch(history, 200, 190, Status.FAILED)
    watch(history, 30, 0, Status.OK)
    assert "lasted 10 min or longer, nobody looked on" in report().out


def test_availability_counts_what_was_watched_only(report: Runbook, history: History):
    outage(history)
    document = json.loads(report("--json").out)
    day = document["services"]["plex"]["24 h"]
    assert day["availability"] == pytest.approx(110 / 120, abs=0.001)
    assert day["watched"] == pytest.approx(120 / 1440, abs=0.001)
    hops = document["hops"]
    assert hops["caddy vps1"]["24 h"]["availability"] == 1.0
    assert hops["service plex@unraid"]["24 h"]["availability"] < 1


def test_only_hops_that_were_broken_are_listed_unless_all_are_asked_for(
    report: Runbook, history: History
):
    outage(history)
    assert "caddy vps1" not in report().out
    assert "2 more hops were never seen broken" in report().out
    assert "caddy vps1" in report("--all").out


def test_a_share_is_rounded_down_so_that_100_percent_was_never_down(
    report: Runbook, history: History
):
    from journal.availability import percent

    assert [percent(share) for share in (1.0, 0.9999999, 0.5)] == ["100 %", "99.999 %", "50 %"]


def test_down_tells_when_a_service_was_last_down_how_long_and_why(
    report: Runbook, history: History
):
    outage(history)
    done = report("--down", "plex")
    begin, end = f"{ago(60):%Y-%m-%d %H:%M:%S}", f"{ago(50):%Y-%m-%d %H:%M:%S}"
    assert f"plex was last down from {begin} to {end}, for 10 min" in done.out
    assert "broken: service plex@unraid" in done.out
    assert "100 % of that time was watched" in done.out


def test_down_of_what_is_down_now_says_so(report: Runbook, history: History):
    watch(history, 20, 0, Status.FAILED)
    assert "plex is down since" in report("--down", "plex").out


def test_down_of_a_hop_that_never_was_says_so(report: Runbook, history: History):
    outage(history)
    assert "caddy vps1 was never seen down" in report("--down", "caddy vps1").out


def test_down_of_an_unknown_name_lists_the_known_ones(report: Runbook, history: History):
    outage(history)
    done = report("--down", "plx")
    assert done.status == 2
    assert "services: plex; hops: caddy vps1" in done.err


def test_one_look_alone_tells_nothing_and_that_is_said(report: Runbook, history: History):
    watch(history, 10, 10, Status.OK)
    done = report("--down", "plex")
    assert done.status == 1
    assert "nobody has looked twice yet" in done.out


def test_deploys_and_drills_are_told_and_drills_against_their_budget(
    report: Runbook, history: History
):
    history.begin(verify(30, kind="drill"))
    vantage = {
        "vantage": "vps1",
        "lost_reads": 0,
        "slowest": 2.0,
        "fallback_after": 2.5,
        "back_after": 30.0,
        "verdicts": [
            {"what": "primary is back after", "seen": "30.00 s", "allowed": "22 s", "kept": False}
        ],
    }
    budget = {"lost": 0, "slowest": 10, "failover": 12, "failback": 22, "flaps": 0}
    document = {"service": "plex", "vantages": [vantage], "budget": budget}
    history.drilled(
        DrillEntry(run="drill-30", service="plex", fault="stop", host="vps2", kept=False,
                   document=document)
    )  # fmt: skip
    history.end("drill-30", at=ago(28), status=1, words="OVER BUDGET", steps=[])
    history.begin(verify(20, kind="deploy"))
    said = report().out
    assert "drill by ann@vps2, commit abc: OVER BUDGET" in said
    assert (
        "OVER: plex, stop on vps2: primary is back after 30.00 s (allowed 22 s) from vps1" in said
    )
    assert "deploy by ann@vps2 has not ended: it runs, or was killed" in said


def test_what_lies_behind_the_time_asked_for_is_not_told_as_a_change(
    report: Runbook, history: History
):
    outage(history)
    assert "FAILED" not in report("--since", "30m").out
    assert "FAILED" in report("--since", "2h").out


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (300, "5 min"), (11520, "3 h 12 min"), (7200, "2 h"),
     (187200, "2 d 4 h")],
)  # fmt: skip
def test_a_span_is_told_in_two_units_at_most(seconds: float, words: str):
    assert span_words(seconds) == words


@pytest.mark.parametrize("text", ["", "5", "m", "0m", "-5m", "5 m", "99999d", "5w"])
def test_a_time_that_is_none_is_refused(text: str):
    with pytest.raises(ValueError, match="is not a time such as"):
        span(text)


def test_an_objective_says_what_is_left_of_its_error_budget(
    report: Runbook, history: History, site: Site
):
    outage(history)
    site.change("services", "services.plex.objective", 90)
    made = json.loads(report("--json").out)["objectives"]["plex"]
    assert (made["objective"], made["window"], made["kept"]) == (90, "30 d", True)
    assert made["availability"] == pytest.approx(110 / 120, abs=0.001)
    assert made["budget_seconds"] == pytest.approx(12 * 60, abs=5)
    assert (made["spent_seconds"], made["left_seconds"]) == (
        600, pytest.approx(120, abs=5),
    )  # fmt: skip
    assert "objective 90 %: " in report().out and " of 12 min left" in report().out
    site.change("services", "services.plex.objective", 99.9)
    assert json.loads(report("--json").out)["objectives"]["plex"]["kept"] is False
    assert "objective 99.9 %: OVERDRAWN by 9 min" in report().out


@pytest.mark.parametrize("wrong", [100, 0, "99.9 %", -1])
def test_an_objective_that_is_none_is_refused(report: Runbook, site: Site, wrong: object):
    site.change("services", "services.plex.objective", wrong)
    done = report()
    assert done.status == 2 and "plex.objective" in done.err


def test_the_worst_incidents_are_told_failures_and_long_ones_first(
    report: Runbook, history: History
):
    outage(history)
    (one,) = json.loads(report("--json").out)["incidents"]
    assert (one["hop"], one["seconds"], one["services"]) == ("service plex@unraid", 600.0, ["plex"])
    assert one["page"].startswith("incidents/")
    assert "10 min: service plex@unraid: no connection – plex" in report().out


def test_the_report_as_markdown_is_tables_in_which_hostile_words_stay_text(
    report: Runbook, history: History, site: Site
):
    site.change("services", "services.plex.objective", 99.9)
    outage(history)
    with history.store.transaction() as db:
        db.execute("UPDATE episodes SET seen = '| <b>[x](y)' WHERE status = 4")
    said = report("--markdown").out
    assert "| service | 24 h | 7 d | 30 d | 90 d |" in said
    assert "**overdrawn by 9 min**" in said
    assert r"| service plex@unraid | \| \<b>\[x](y) | plex |" in said
    assert report("--markdown", "--json").status == 2


def test_the_json_is_as_its_published_schema_says(report: Runbook, history: History, site: Site):
    site.change("services", "services.plex.objective", 99.9)
    outage(history)
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(report("--json").out), schema)
    assert json.loads(report("--down", "plex", "--json").out)["schema"] == 1
