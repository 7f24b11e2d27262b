"""Hours in which drills are forbidden."""

from datetime import datetime

import pytest

from inventory.errors import InventoryError
from inventory.hours import Hours
from inventory.load import load_catalogue
from tasks.drill.preflight import object_to_time
from tests.site import Site

FRIDAY, SATURDAY = 6, 7  # of March 2026


@pytest.mark.parametrize(
    ("hours", "inside", "outside"),
    [
        ("18:00-23:00", (FRIDAY, 18, 0), (FRIDAY, 23, 0)),
        ("Fri 18:00-23:00", (FRIDAY, 22, 59), (SATURDAY, 20, 0)),
        ("Fri 22:00-02:00", (SATURDAY, 1, 59), (SATURDAY, 22, 0)),
        ("fri,sat 00:00-00:00", (SATURDAY, 12, 0), (FRIDAY - 1, 23, 59)),
    ],
)
def test_a_drill_is_refused_within_the_hours_and_not_outside(site: Site, hours, inside, outside):
    site.change("defaults", "data.drills.forbidden", [hours])
    catalogue = load_catalogue(site.config)

    def objections(day: int, hour: int, minute: int) -> list[str]:
        when = datetime(2026, 3, day, hour, minute)
        return [str(objection) for objection in object_to_time(catalogue, when)]

    assert objections(*outside) == []
    (told,) = objections(*inside)
    assert f"drills are forbidden now ({hours})" in told and "wait until" in told


@pytest.mark.parametrize("wrong", ["tonight", "18:00", "25:00-26:00", "Foo 18:00-23:00", 18])
def test_hours_that_make_no_sense_are_refused_with_an_example(site: Site, wrong: object):
    site.change("defaults", "data.drills.forbidden", [wrong])
    with pytest.raises(InventoryError, match=r"drills\.forbidden\.0: .*is not hours such as"):
        load_catalogue(site.config)


def test_hours_past_midnight_belong_to_the_day_on_which_they_begin():
    assert not Hours.parse("Sat 22:00-02:00").covers(datetime(2026, 3, SATURDAY, 1, 0))
