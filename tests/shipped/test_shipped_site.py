"""What a fresh clone says is right, and is the topology that the lab and the tests have."""

from collections.abc import Iterator

import pytest

from inventory.load import load_catalogue
from tests import operators
from tests.site import ROOT, SETTINGS
from tests.unit.test_editor import KEPT, READ, wrong


@pytest.fixture(autouse=True)
def opened() -> Iterator[None]:
    operators.close(False)
    yield
    operators.close(True)


def test_the_shipped_site_has_the_hosts_and_services_of_the_labs():
    ours, labs = load_catalogue(ROOT / "config.yaml"), load_catalogue(ROOT / SETTINGS)
    assert {h.name: h.address for h in ours.hosts.values()} == {
        h.name: h.address for h in labs.hosts.values()
    }
    placed = [
        {s.name: (s.port, s.placements, s.access) for s in site.services.values()}
        for site in (ours, labs)
    ]
    # In the lab it has port 80, as 0.1.0's example had: there Caddy has to do without.
    assert (placed[0].pop("organizr")[0], placed[1].pop("organizr")[0]) == (8082, 80)
    assert placed[0] == placed[1]
    assert ours.syncs == labs.syncs


def test_an_editor_knows_the_schema_of_each_shipped_file_and_has_nothing_to_say():
    assert wrong(ROOT / "inventory") == []
    for name in READ:
        first = (ROOT / "inventory" / f"{name}.yaml").read_text("utf-8").partition("\n")[0]
        named = (ROOT / "inventory" / first.rpartition("$schema=")[2]).resolve()
        assert named == KEPT / f"{name}.schema.json"
