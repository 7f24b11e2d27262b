"""What is found beside our file of unbound's, and where root does not look for it."""

import pytest

from inventory.load import load_catalogue
from tasks import unbound
from tasks.host import host_side
from tests.site import Site
from tests.unit.fakehosts import SHELLS, FakeHost

TREE = "/etc/unbound/local.d"  # of the sync of own records, in the lab's site
ELSEWHERE = "server:\n\tport: 5353\nforward-zone:\n\tname: .\n"
CHECKCONF = """\
[ "$1" != -o ] || { echo 5353; exit; }
echo "duplicate forward zone . ignored."
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_another_file_is_named_and_nothing_is_read_where_a_peer_can_write(
    site: Site, host: FakeHost, shell: str
):
    host.use_shell(shell)
    host.stub("unbound-checkconf", CHECKCONF)
    for path in ("unbound.conf", "unbound.conf.d/aaa.conf", "local.d/peer.conf", "marker"):
        file = host.path(f"/etc/unbound/{path}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(ELSEWHERE if path != "unbound.conf" else "")
    host.path(f"{TREE}/file.conf").symlink_to("/etc/unbound/marker")
    host.path(f"{TREE}/folder").symlink_to("/etc/unbound/unbound.conf.d")
    host.path("/etc/unbound/also").symlink_to(TREE)
    host.path("/etc/unbound/link.conf").symlink_to("/etc/unbound/marker")
    catalogue = load_catalogue(site.config)
    script = host_side("unbound.sh") + unbound.look_script(catalogue.hosts["vps1"], catalogue)
    done = host.run(script.encode())
    assert done.stderr == b""
    named = "/etc/unbound/link.conf, /etc/unbound/unbound.conf.d/aaa.conf"
    assert list(unbound.clashes(done.stdout.decode())) == [
        f"unbound listens on port 5353 ({named}), and names are asked at 53",
        f"{named} forwards all names, too: of the two unbound uses one, "
        "and says so in its log alone",
    ]
