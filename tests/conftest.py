"""What unit and lab tests share."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.site import Site

# Enough to find what is easy to find, in a suite that stays under half a minute.
settings.register_profile("quick", max_examples=30, deadline=None)
settings.load_profile("quick")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    folder = tmp_path / "site"
    folder.mkdir()
    return Site(folder)
