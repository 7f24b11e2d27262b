"""A service or a host with another name: the same one to a deploy, and in what is remembered."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from inventory.errors import InventoryError
from inventory.load import load_catalogue
from inventory.watch import Alerts
from journal.alerts.book import Book
from journal.alerts.notice import Notice, follow_up
from journal.alerts.problem import Look
from journal.history import History
from journal.renaming import Renames, rename
from tasks.checks.finding import Finding
from tests.runbook import Runbook
from tests.site import Site
from tests.unit.histories import run_drill
from tests.unit.looks import MINUTE, NOON, STEP, look, stopped
from tests.unit.world import World

RENAMES = Renames(services={"plex": "films"}, hosts={"unraid": "nas"})
BROKEN = look(stopped("plex", "unraid"))


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "journal.db")


def now_called(finding: Finding) -> Finding:
    """What the same look finds once the names are those of RENAMES."""
    return Finding(
        **vars(finding)
        | {
            "subject": RENAMES.subject(finding.subject, finding.service),
            "vantage": RENAMES.host(finding.vantage),
            "service": RENAMES.service(finding.service),
            "host": RENAMES.host(finding.host),
            "hop": RENAMES.hop(finding.hop),
            "cause": RENAMES.hop(finding.cause),
        }
    )


def test_what_was_found_before_goes_on_under_the_name_of_now(history: History):
    history.look(BROKEN, NOON)
    assert rename(history.store, RENAMES)
    assert not rename(history.store, RENAMES)
    history.look([now_called(finding) for finding in BROKEN], NOON + STEP)
    found = history.episodes(since=NOON)
    assert len(found) == len(BROKEN)
    assert {episode.until - episode.since for episode in found} == {STEP}
    told = {word for e in found for word in (e.subject, e.hop, e.service, e.host, e.cause) if word}
    assert [word for word in told if "plex" in word or "unraid" in word] == []
    assert "service films@nas" in told


@pytest.mark.parametrize(
    ("subject", "service", "now"),
    [
        ("plex through vps1", "plex", "films through vps1"),
        ("plex through vps1", "organizr", "plex through vps1"),
        ("disk / of unraid", None, "disk / of nas"),
        ("unraid to vps1", None, "nas to vps1"),
        ("a stranger at plex.home.example", "plex", "a stranger at plex.home.example"),
        ("/etc/plex/plex.conf on unraid", "plex", "/etc/plex/plex.conf on nas"),
        ("plex-4k@unraid", "plex-4k", "plex-4k@nas"),
    ],
)
def test_a_name_is_no_part_of_another_of_a_path_or_of_a_dns_name(
    subject: str, service: str | None, now: str
):
    assert RENAMES.subject(subject, service) == now


def test_a_problem_that_lasts_is_told_neither_as_mended_nor_as_new(history: History):
    rules = Alerts()
    notices: Sequence[Notice] = []
    for n in range(3):
        seen = Look.of(BROKEN)
        notices, _ = follow_up(notices, seen, NOON + n * STEP, rules, quiet=False, watched=True)
    book = Book(history.store)
    book.note(NOON, notices, [], [])
    history.look(BROKEN, NOON)
    rename(history.store, RENAMES)
    same = Look.of([now_called(finding) for finding in BROKEN])
    _, news = follow_up(book.notices(), same, NOON + 3 * STEP, rules, quiet=False, watched=True)
    assert news == []


def test_a_drill_of_before_is_the_last_one_of_the_name_of_now(history: History, site: Site):
    run_drill(load_catalogue(site.config), history, NOON)
    rename(history.store, Renames(services={"organizr": "start"}, hosts={"vps2": "paris"}))
    ((_, drill),) = history.drills(since=NOON - MINUTE)
    assert (drill.service, drill.host) == ("start", "paris")
    assert (drill.document["service"], drill.document["host"]) == ("start", "paris")


def test_a_host_that_nobody_logs_in_to_has_a_former_name_too(site: Site):
    entry = {"hostname": "192.168.1.10", "data": {"ssh": False, "was": "proxmox"}}
    site.change("hosts", "pve", entry)
    assert Renames.of(load_catalogue(site.config)).hosts == {"proxmox": "pve"}
    site.change("hosts", "pve.data.was", "unraid")
    with pytest.raises(InventoryError, match="'unraid' is somebody's name now"):
        load_catalogue(site.config)


def test_a_deploy_asks_before_it_what_the_service_was_called_and_tells_so(
    deploy: Runbook, site: Site, world: World
):
    assert deploy("--apply").status == 0
    services = site.read("services")
    plex = services["services"].pop("plex")
    services["services"]["films"] = plex | {"hostname": "films", "was": "plex", "unit": "plex"}
    site.write("services", services)
    asked: list[str] = []

    def note(_: object, question: object) -> None:
        if str(question) == "films through vps1":
            asked.append(question.hostname)  # type: ignore[attr-defined]

    world.says = note  # type: ignore[assignment]
    done = deploy("--apply")
    assert (done.status, done.err) == (0, "")
    assert "films     was plex until now, and its history goes on" in done.out
    assert asked == ["plex.home.example", "films.home.example"]
    assert "until now" not in deploy().out


def test_a_former_name_that_is_somebodys_is_refused(site: Site, deploy: Runbook):
    site.change("services", "services.plex.was", "sonarr")
    site.change("hosts", "vps1.data", {"was": "vps2"})
    done = deploy()
    assert done.status == 2
    assert "plex.was: 'sonarr' is somebody's name now" in done.err
    assert "vps1.data.was: 'vps2' is somebody's name now" in done.err


def test_one_name_was_not_two_services(site: Site, deploy: Runbook):
    for name in ("plex", "sonarr"):
        site.change("services", f"services.{name}.was", "films")
    assert "sonarr.was: plex was films already" in deploy().err
