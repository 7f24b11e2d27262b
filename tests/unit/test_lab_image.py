"""Which software the hosts of a lab have, as it is asked for."""

import pytest

from lab.errors import UsageError
from lab.image.image import choose
from lab.image.layer import Software
from lab.options import Options
from lab.state import CHECKOUT
from lab.topology import Topology, machines_of

HOSTS = {"vps1": ("edge", "100.67.88.109"), "vps2": ("edge", "100.102.55.88")}
KNOWN = Topology(
    machines=machines_of(HOSTS), origins=(), domain="edge.test", tunnel="t", control="vps2"
)


def asked(**given: str) -> dict[str, Software]:
    return choose(KNOWN, Options(site=CHECKOUT / "lab/site/config.yaml", **given))


def test_a_distribution_is_that_of_all_hosts_or_of_those_named():
    assert {each.distribution for each in asked(distribution="trixie").values()} == {"trixie"}
    one = asked(distribution="trixie,vps1=machine")
    assert (one["vps1"].distribution, one["vps2"].distribution) == ("machine", "trixie")


def test_a_package_is_added_where_it_is_asked_for():
    one = asked(package="vps1=caddy")
    assert "caddy" in one["vps1"].packages and "caddy" not in one["vps2"].packages
    assert one["vps1"].kind != one["vps2"].kind


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"distribution": "sid"}, "no 'sid' for a host (there is: machine, trixie)"),
        ({"distribution": "vps9=trixie"}, "no lab host 'vps9' (hosts: vps1, vps2,"),
        ({"package": "vps1=emacs"}, "no 'emacs' for a host (there is: caddy)"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(given, told):
    with pytest.raises(UsageError) as refused:
        asked(**given)
    assert told in str(refused.value)
