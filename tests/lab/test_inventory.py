"""Hostile inventories: told in our own words, or rendered so that a host's programs take them."""

from lab.api import Lab
from tests.soak.inventory.batch import InventoryBench


def test_two_hundred_hostile_inventories_are_refused_in_words_or_taken_by_the_programs(lab: Lab):
    """`script/soak inventory` does ten thousand."""
    result = InventoryBench(lab).run(1)
    assert result["wrong"] == []
    assert result["accepted"] > 10 and result["validated"] > 10
