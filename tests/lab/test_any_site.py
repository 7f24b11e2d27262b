"""The lab, and the product in it, with hosts that are called and counted otherwise."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory.load import load_catalogue
from lab.api import Lab
from lab.errors import UsageError
from lab.options import Options
from lab.state import CHECKOUT, State
from tests.edges import site_of_edges
from tests.lab.conftest import DEPLOY, beside, get, shell

ASK = "curl -sk -m 10 -o /dev/null -w '%{{http_code}}\n' --resolve {0}:443:{1} https://{0}/"


@pytest.fixture
def other() -> Iterator[Lab]:
    """A lab beside the one that other tests share."""
    own = Lab(state=State(id=beside("other"), checkout=CHECKOUT))
    yield own
    own.down()


@pytest.mark.parametrize("count", [1, 4])
def test_a_site_of_one_edge_or_four_is_deployed_and_serves(other: Lab, tmp_path: Path, count: int):
    config = site_of_edges(tmp_path / "attic", count)
    other.up(options=Options.asked(other.state, site=config))
    control, edges = other.topology.control, other.topology.edges
    deployed = other.run(control, DEPLOY)
    assert deployed.returncode == 0, deployed.stderr
    names = [service.hostname for service in load_catalogue(config).web_services]
    for edge in edges:
        asked = "; ".join(ASK.format(name, edge.tailnet) for name in names)
        assert set(shell(other, "client", asked).split()) == {"200"}, edge.name
    token = json.loads(shell(other, control, "cat /etc/twinedge/access-token.json"))
    known = [f"CF-Access-Client-{k}: {token[f'client_{k.lower()}']}" for k in ("Id", "Secret")]
    headers = [word for header in known for word in ("-H", header)]
    outside = ("--resolve", "plex.attic.test:443:203.0.113.100")
    assert get(other, "client", "https://plex.attic.test/", *headers, *outside).status == 200
    again = other.run(control, DEPLOY)
    assert "nothing to do" in again.stdout, again.stderr
    with pytest.raises(UsageError, match="the lab is up with site"):
        other.up(options=Options.default(other.state))
