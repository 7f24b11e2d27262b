"""Incidents: when they begin and end, what is one and what are two, and their pages."""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from inventory.load import load_catalogue
from journal.history import History
from journal.incidents import Incident, incidents
from journal.page.incidents import Entry, outdated, pages
from tests.site import Site
from tests.unit.looks import MINUTE, NOON, Broken, dead, disk, look, stopped

PLEX = stopped("plex", "unraid")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "journal.db")


def lived(history: History, *looks: tuple[int, tuple[Broken, ...]]) -> list[Incident]:
    """Of looks at these minutes after noon, with that broken."""
    for minutes, broken in looks:
        history.look(look(*broken), NOON + minutes * MINUTE)
    return incidents(history.episodes(since=NOON), NOON + looks[-1][0] * MINUTE)


def test_an_incident_lasts_from_its_first_finding_until_a_look_finds_the_hop_well(
    history: History,
):
    (one,) = lived(history, (0, ()), (5, (PLEX,)), (10, (PLEX,)), (15, ()))
    assert (one.hop, one.begin, one.end) == (
        "service plex@unraid", NOON + 5 * MINUTE, NOON + 15 * MINUTE,
    )  # fmt: skip
    assert one.over and not one.lasts


def test_one_that_lasts_keeps_the_address_of_its_page(history: History):
    (one,) = lived(history, (0, (PLEX,)), (5, (PLEX,)))
    (later,) = lived(history, (10, (PLEX,)), (15, ()))
    assert one.lasts and not later.lasts
    assert one.path == later.path == "incidents/20260302-120000-service-plex-unraid.html"


def test_a_dead_host_is_one_incident_that_names_what_it_takes_with_it(history: History):
    (one,) = lived(history, (0, ()), (5, (dead("unraid"),)), (10, ()))
    assert one.hop == "host unraid"
    assert set(one.services) == {"plex", "radarr", "sonarr"}


def test_what_comes_back_within_an_hour_is_the_same_incident_and_later_another(history: History):
    looks = [
        (0, (PLEX,)),
        (10, ()),
        (20, (PLEX,)),
        (30, ()),
        *((n, ()) for n in range(40, 100, 10)),
    ]
    (one,) = lived(history, *looks)
    assert one.end == NOON + 30 * MINUTE
    assert len(lived(history, (100, (PLEX,)), (110, ()))) == 2


def test_one_whose_end_nobody_saw_says_so(history: History):
    (one,) = lived(history, (0, (PLEX,)), (5, (PLEX,)), (300, ()))
    assert not one.lasts and not one.over
    assert "5 min or longer: nobody looked on" in Entry(incident=one).when


def test_a_warning_is_an_incident_that_looks_like_one(history: History):
    (one,) = lived(history, (0, (disk("vps1", 90),)), (5, ()))
    assert Entry(incident=one).look == "warn"


def test_a_page_is_written_once_more_only_while_it_may_change(
    site: Site, history: History, tmp_path: Path
):
    catalogue = load_catalogue(site.config)
    lived(history, (0, (PLEX,)), (5, ()))
    now = NOON + 10 * MINUTE
    ((file, text),) = pages(catalogue, history, now, tmp_path)
    assert "service plex@unraid" in text and "Nobody was told." in text
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8")
    assert len(list(pages(catalogue, history, now, tmp_path))) == 1
    assert list(pages(catalogue, history, now + timedelta(days=2), tmp_path)) == []
    os.utime(file, (0, 0))
    assert outdated(tmp_path, NOON) == [file]


def test_hostile_words_stay_text(site: Site, history: History, tmp_path: Path):
    hostile = "<script>alert(1)</script>"
    found = [replace(f, seen=hostile, todo=hostile) for f in look(PLEX)]
    history.look(found, NOON)
    ((_, text),) = pages(load_catalogue(site.config), history, NOON, tmp_path)
    assert "<script" not in text and "&lt;script" in text
