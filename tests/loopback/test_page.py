"""The page: what it says, that it is safe and needs nothing, and how a browser shows it."""

import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from inventory.catalogue import Catalogue
from inventory.load import load_catalogue
from journal.alerts.tell import Alerting
from journal.felt import Felt
from journal.history import History
from journal.page.heat import heat, words
from journal.page.page import page, write
from journal.page.picture import draw
from journal.page.present import Look, Present
from journal.page.services import Row, rows, verdict
from journal.page.stamp import stamp
from runbooks.verify import CHECKS, judge
from tasks.checks.diagnosis import diagnose
from tasks.checks.finding import Finding
from tasks.probe import Answer
from tests.loopback.browser import DARK, LIGHT, document, measure, needs_browser
from tests.site import Site
from tests.unit.histories import run_deploy, run_drill
from tests.unit.looks import MINUTE, NOON
from tests.unit.surveys import Edge, lose_host, ok

PHONE, DESKTOP = (390, 3000), (1280, 2000)
HOUR = timedelta(hours=1)
Bend = Callable[[Edge], None]


@pytest.fixture
def catalogue(site: Site) -> Catalogue:
    site.change("defaults", "data.alerts", {"urls": ["env:NOWHERE"], "looks": 1})
    return load_catalogue(site.config)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "journal.db")


def findings(catalogue: Catalogue, *bends: Bend) -> tuple[Finding, ...]:
    """What verify finds of the example edge, bent."""
    edge = Edge(catalogue)
    for bend in bends:
        bend(edge)
    return diagnose(judge(edge.survey(), CHECKS))


def without_unraid(edge: Edge) -> None:
    lose_host(edge, "unraid")
    for service in edge.catalogue.web_services:
        if service.placements == ("unraid",):
            bad = Answer(status=502)
            edge.guests[service.name] = bad
            for caddy in ("vps1", "vps2"):
                edge.routes[service.name, caddy] = bad
                edge.replies[caddy, f"loopback {service.name}"] = ok("502 0.01 no")


def full_disk(edge: Edge) -> None:
    reply = edge.replies["vps1", "disks"]
    edge.replies["vps1", "disks"] = replace(reply, text="/dev/sda1 1000 900 100 90% /")


def look(catalogue: Catalogue, history: History, at: datetime, *bends: Bend) -> None:
    found = findings(catalogue, *bends)
    history.look(found, at)
    Alerting(site=catalogue.site, history=history).looked(found, at)


@pytest.fixture
def broken(catalogue: Catalogue, history: History) -> str:
    """The page of an edge that has lost a host, after a day, a deploy and a drill."""
    look(catalogue, history, NOON)
    look(catalogue, history, NOON + 10 * HOUR)
    run_deploy(history, NOON + HOUR, status=0)
    run_drill(catalogue, history, NOON + 2 * HOUR)
    look(catalogue, history, NOON + 11 * HOUR, without_unraid, full_disk)
    look(catalogue, history, NOON + 11 * HOUR + 5 * MINUTE, without_unraid, full_disk)
    return page(catalogue, history, NOON + 11 * HOUR + 5 * MINUTE)


def test_a_page_before_the_first_look_says_so(catalogue: Catalogue, history: History):
    text = page(catalogue, history, NOON)
    assert "? Nobody has looked yet" in text and "python runbooks/verify.py" in text


def test_an_edge_that_is_well_has_a_picture_of_good_chips_alone(
    catalogue: Catalogue, history: History
):
    look(catalogue, history, NOON)
    text = page(catalogue, history, NOON)
    assert "✓ All is well" in text and "Nothing is open." in text
    present = Present(catalogue=catalogue, episodes=history.present(), at=NOON)
    picture = draw(present)
    assert {chip.cell.look for chip in picture.chips} == {Look.OK}
    assert {line.cell.look for line in picture.lines} == {Look.OK}


def test_a_dead_host_is_broken_in_the_picture_and_what_follows_is_told_apart(
    catalogue: Catalogue, history: History
):
    look(catalogue, history, NOON)
    look(catalogue, history, NOON + 5 * MINUTE, without_unraid)
    present = Present(catalogue=catalogue, episodes=history.present(), at=NOON + 5 * MINUTE)
    frames = {
        frame.name: {c.label: c.cell.look for c in frame.chips} for frame in draw(present).frames
    }
    assert frames["unraid"] == {
        "Host": Look.BAD,
        "Config": Look.UNKNOWN,
        **dict.fromkeys(("Plex", "Radarr", "Sonarr", "Tautulli", "SABnzbd"), Look.ALONG),
    }
    assert set(frames["vps1"].values()) == {Look.OK}


def test_the_page_tells_what_is_open_since_when_and_what_to_do(broken: str):
    assert "✗ Plex, Radarr and 3 more are down</p>" in broken
    card = broken.partition("</span> host unraid</h3>")[2].partition("</article>")[0]
    assert f"<dd>{stamp(NOON + 11 * HOUR)} (5 min)</dd>" in card
    assert "plex, radarr, sonarr, tautulli, sabnzbd" in card
    assert "is unraid up, and on the tailnet?" in card
    assert "disk / of vps1: 90 % used" in broken


def test_the_page_tells_of_deploys_drills_and_messages(broken: str):
    assert "deploy of 1234abcd: " in broken and "vps1: 5 files put in place" in broken
    assert "name: 0 of 600 lost, slowest 2.01 s, fallback after 2.0 s, back after 15.0 s" in broken
    assert "within the budget" in broken
    assert (
        "home.example: plex, radarr, sonarr and 2 more: new: host unraid is unreachable" in broken
    )
    assert f"{stamp(NOON + 11 * HOUR)}; waits" in broken


def test_a_page_written_long_after_the_last_look_says_that_it_is_old(
    catalogue: Catalogue, history: History
):
    look(catalogue, history, NOON)
    assert "Nobody has looked for 3 h" in page(catalogue, history, NOON + 3 * HOUR)


def test_a_silence_and_a_run_at_work_stand_on_the_page(catalogue: Catalogue, history: History):
    look(catalogue, history, NOON)
    run_deploy(history, NOON, status=None)
    text = page(catalogue, history, NOON + MINUTE)
    assert "Alerts are silent: a deploy is at work" in text and "at work, or killed" in text


def test_the_heat_map_is_what_the_history_says(catalogue: Catalogue, history: History):
    well, gone = findings(catalogue), findings(catalogue, without_unraid)
    for minutes in range(0, 6 * 60, 20):
        found = gone if 120 <= minutes < 180 else well
        history.look(found, NOON + minutes * MINUTE)
    now = NOON + 5 * HOUR + 40 * MINUTE
    shown = {row.name: row for row in heat(catalogue, history.episodes(since=NOON), now).rows}
    assert shown["Plex"].days[-1] == "82.352 %", "60 of 340 minutes"
    assert shown["Organizr"].days[-1] == "100 %"
    assert shown["unraid"].days[-1] == "82.352 %"
    assert shown["Plex"].days[0] == "–"
    kinds = [block.kind for block in shown["Plex"].blocks[-4:]]
    assert kinds == ["hn", "hn", "h3", ""], "nobody, nobody, an outage, yet to come"


def test_a_little_less_than_always_is_not_100_percent():
    from journal.availability import Availability, State

    spent = dict.fromkeys(State, 0.0) | {State.UP: 999_999.0, State.DOWN: 1.0}
    assert words(Availability(seconds=spent)) == "99.999 %"


def test_the_page_needs_nothing_but_itself(broken: str):
    assert "default-src 'none'" in broken
    links = re.findall(r'(?:src|href)="([^"]*)"', broken)
    own = [
        link for link in links if not re.match(r"https?://[a-z0-9-]+\.home\.example(:\d+)?$", link)
    ]
    assert own and all(re.match(r"#|data:,$|incidents/[a-z0-9-]+\.html$", link) for link in own)
    assert not re.search(r"src=|url\(|@import", broken)


def test_hostile_text_stays_text(catalogue: Catalogue, history: History):
    def hostile(edge: Edge) -> None:
        edge.strangers["plex"] = Answer(
            status=302, location="https://x/</p><script>alert(1)</script>"
        )
        edge.lost["unraid"] = "<img src=x onerror=alert(1)> \"quotes\" & 'more'"

    look(catalogue, history, NOON, hostile)
    text = page(catalogue, history, NOON)
    assert text.count("<script") == 1 and "<img" not in text


def test_the_file_is_replaced_in_one_step_and_everybody_may_read_it(tmp_path: Path):
    target = tmp_path / "new" / "index.html"
    write("one", target)
    write("two", target)
    assert target.read_text(encoding="utf-8") == "two"
    assert target.stat().st_mode & 0o777 == 0o644
    assert list(target.parent.iterdir()) == [target]


@needs_browser
@pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, LIGHT), (DESKTOP, DARK)], ids=["phone, light", "desktop, dark"]
)
def test_a_browser_can_show_all_of_it_to_everybody(
    broken: str, tmp_path: Path, size: tuple[int, int], scheme: int
):
    file = tmp_path / "status.html"
    write(broken, file)
    probe = Path(__file__).with_name("page_probe.js")
    seen = measure(file, probe, size=size, scheme=scheme)
    assert seen["dark"] is (scheme == DARK)
    assert seen["width"] <= seen["window"] == size[0], "it does not scroll sideways"
    assert seen["faint"] == [], "contrast is 4.5 at least (WCAG AA)"
    assert seen["small"] == [], "text is large enough to read"
    assert seen["overflowing"] == [], "every name fits its box"
    fits = {"Services, from every side", "Hosts, their own parts"}
    assert not fits & set(seen["scrolls"]), "these tables fit; that of the days may scroll"
    assert seen["nameless"] == 0, "every picture has words"
    assert seen["dead"] == [], "every link leads somewhere"
    assert (
        seen["stops"][:2] == ["#services", "#services"] and "The same as a table" in seen["stops"]
    )


@needs_browser
def test_a_page_that_is_old_by_the_reader_s_clock_says_first_that_nobody_has_looked(
    broken: str, tmp_path: Path
):
    file = tmp_path / "status.html"
    write(broken, file)
    shown = document(file, size=DESKTOP)
    assert re.search(
        r'class="verdict bad" id="verdict">✗ Nobody has looked for \d+ days</p>', shown
    )
    assert '<span id="said">✗ Plex, Radarr and 3 more are down</span>' in shown
    assert re.search(r"<title>✗ Nobody has looked for \d+ days: home.example</title>", shown)


@needs_browser
def test_the_reader_s_own_time_stands_beside_utc(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "status.html"
    write(broken, file)
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    assert "02 Mar 23:00 UTC (Mar 03, 04:30 AM GMT+5:30)</time>" in document(file, size=DESKTOP)


def felt_of(catalogue: Catalogue, *bends: Bend) -> tuple[list[Row], str]:
    """The rows and the headline of an edge that is so since five minutes."""
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder) / "journal.db")
        for at in (NOON, NOON + 5 * MINUTE):
            look(catalogue, history, at, *bends)
        present = Present(catalogue=catalogue, episodes=history.present(), at=at)
        made = rows(present, history, at)
        return made, verdict(made, present).words


def without_primary(edge: Edge) -> None:
    """organizr answers on its fallback alone."""
    from tests.unit.surveys import NO_CONNECTION, REFUSED

    edge.direct["organizr", "vps2"] = NO_CONNECTION
    edge.replies["vps1", "service organizr@vps2"] = REFUSED
    edge.replies["vps2", "service organizr@vps2"] = REFUSED
    upstream = edge.catalogue.upstreams_from("vps1", edge.catalogue.services["organizr"])[1]
    for caddy in ("vps1", "vps2"):
        edge.routes["organizr", caddy] = replace(edge.routes["organizr", caddy], served_by=upstream)


def open_door(edge: Edge) -> None:
    edge.strangers["plex"] = Answer(status=200, body="MediaContainer")


def slow_answers(edge: Edge) -> None:
    for caddy in ("vps1", "vps2"):
        edge.routes["radarr", caddy] = replace(edge.routes["radarr", caddy], seconds=1.5)
    edge.guests["radarr"] = replace(edge.guests["radarr"], seconds=1.5)


@pytest.mark.parametrize(
    ("bend", "service", "felt", "headline"),
    [
        (without_unraid, "plex", Felt.DOWN, "Plex, Radarr and 3 more are down"),
        (without_primary, "organizr", Felt.FALLBACK, "Organizr is on its fallback"),
        (open_door, "plex", Felt.UNGUARDED, "Plex is open to strangers"),
        (slow_answers, "radarr", Felt.SLOW, "Radarr is slow"),
        (full_disk, "plex", Felt.WELL, "All services work; 1 warning"),
    ],
)
def test_a_service_is_shown_as_its_users_feel_it_and_the_worst_comes_first(
    catalogue: Catalogue, bend: Bend, service: str, felt: Felt, headline: str
):
    made, said = felt_of(catalogue, bend)
    assert said == headline
    (row,) = [row for row in made if row.service.name == service]
    assert row.felt is felt
    assert made[0].felt is felt or felt is Felt.WELL


def test_a_service_that_is_down_says_since_when_why_and_what_to_do(
    catalogue: Catalogue, history: History
):
    look(catalogue, history, NOON)
    for minutes in (10, 15):
        look(catalogue, history, NOON + minutes * MINUTE, without_unraid)
    text = page(catalogue, history, NOON + 15 * MINUTE)
    card = text.partition('<ul class="services">')[2].partition("</li>")[0]
    assert "Plex <span" in card and ">down</span>" in card
    assert f"since {stamp(NOON + 10 * MINUTE)}" in card
    assert "host unraid: " in card and "timed out · do: <code>is unraid up" in card
    assert "<dt>24 h</dt><dd>66.666 %</dd>" in card and "<dt>90 d</dt>" in card
    assert 'href="https://plex.home.example"' in card
    assert 'href="http://unraid.home.example:32400"' in card
