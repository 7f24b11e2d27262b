"""What a broken-in edge can do to the other hosts with the keys that lie on it.

Each test plays an attacker with harmless markers and reports what it got through.
"""

from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab import sites
from tests.lab.conftest import shell
from tests.lab.test_schedule import apply, lend_secrets

FOLDER = "/root/watch"
SCHEDULE = {
    "hosts": ["vps2", "vps1"],
    "settings": f"{FOLDER}/config.yaml",
    "verify": {"every": "6h"},  # none by itself in the middle of a test
    "readiness": False,
    "sync": False,
}
ADDRESSES = {"vps1": "100.67.88.109", "vps2": "100.102.55.88", "unraid": "100.76.168.116"}
MARKER = "a marker that nobody may read"
MARK = f"echo '{MARKER}' > /root/marker; chmod 600 /root/marker"
UNMARK = "rm -rf /root/marker /root/planted /root/loot* /root/stolen"
LOOK = "/etc/twinedge/look"
OPTIONS = "-F none -o BatchMode=yes -o IdentitiesOnly=yes -o ExitOnForwardFailure=yes"
PINNED = f"{OPTIONS} -o UserKnownHostsFile={LOOK}/known_hosts -i {LOOK}/key"
ANY_HOST = f"{OPTIONS} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
ALL_KEYS = """\
find /etc /root /home /var/lib -xdev -type f -size -64k \\
    -exec grep -lsE -e '-BEGIN [A-Z ]*PRIVATE KEY-' {} + || :
"""
COMMAND = "cat /root/marker; touch /root/planted"
# By name, with the host's address for `%`. What it prints and takes home is looked at.
TRIES = {
    "a shell": f"echo '{COMMAND}' | ssh {PINNED} root@%",
    "a shell with a terminal": f"echo '{COMMAND}' | ssh -tt {PINNED} root@%",
    "a command": f"ssh {PINNED} root@% '{COMMAND}'",
    "an argument": f"ssh {PINNED} root@% twinedge-look '; {COMMAND}'",
    "the environment": f"LC_ALL='$({COMMAND})' ssh {PINNED} -o SendEnv=LC_ALL root@% true",
    "scp from it": f"scp {PINNED} root@%:/root/marker /root/loot-1",
    "the old scp from it": f"scp -O {PINNED} root@%:/root/marker /root/loot-2",
    "scp to it": f"scp {PINNED} /etc/hostname root@%:/root/planted",
    "sftp": f"echo 'get /root/marker /root/loot-3' | sftp {PINNED} -b - root@%",
    "a port behind it": f"ssh -W 127.0.0.1:22 {PINNED} root@%",
    "a port on it": f"ssh -R 4242:127.0.0.1:22 -N {PINNED} root@%",
}


@pytest.fixture
def marked(lab: Lab) -> Iterator[Lab]:
    for host in ADDRESSES:
        shell(lab, host, MARK)
    yield lab
    for host in (*ADDRESSES, "client"):
        shell(lab, host, UNMARK)


@pytest.fixture(scope="module")
def standing(deployed_lab: Lab) -> Iterator[Lab]:
    """vps1 stands in for vps2."""
    for host in ("vps1", "vps2"):
        sites.scheduled(deployed_lab, host, FOLDER, SCHEDULE)
    lend_secrets(deployed_lab)
    apply(deployed_lab)
    yield deployed_lab
    apply(deployed_lab, "--remove")


def test_no_key_of_an_edge_that_is_neither_control_node_nor_stand_in_logs_in_anywhere(marked: Lab):
    keys = shell(marked, "vps1", ALL_KEYS).split()
    assert "/etc/twinedge/sync/key" in keys and "/etc/ssh/ssh_host_ed25519_key" in keys
    assert not [key for key in keys if key.startswith("/root/.ssh") or LOOK in key]
    for key in keys:
        for address in ADDRESSES.values():
            tried = marked.run("vps1", ["sh", "-c", f"ssh {ANY_HOST} -i {key} root@{address} "
                                                    f"'{COMMAND}' </dev/null"])  # fmt: skip
            assert MARKER not in tried.stdout and tried.returncode != 0, (key, address)
    for host in ADDRESSES:
        shell(marked, host, "test ! -e /root/planted")


def test_a_stand_ins_key_opens_nothing_but_the_look(standing: Lab, marked: Lab):
    for address in ADDRESSES.values():
        assert MARKER in shell(marked, "client", f"ssh root@{address} cat /root/marker")
    for host in ("vps2", "unraid"):
        tries = "\n".join(
            f"({words.replace('%', ADDRESSES[host])}) </dev/null >/root/loot.{n} 2>&1 &"
            for n, words in enumerate(TRIES.values())
        )
        shell(marked, "vps1", f"{tries}\nwait")
        for n, name in enumerate(TRIES):
            seen = shell(marked, "vps1", f"cat /root/loot.{n}")
            got_through = MARKER in seen or "SSH-2.0" in seen
            assert not got_through, (name, host, seen)
            if name in ("a shell", "a command", "an argument", "the environment"):
                assert "twinedge-begins\nlook " in seen, (name, host, seen)
        assert shell(marked, "vps1", "ls -d /root/loot-* 2>/dev/null || :") == ""
        shell(marked, host, "test ! -e /root/planted")


def test_a_stand_ins_key_is_of_no_use_elsewhere(standing: Lab, marked: Lab):
    key = shell(marked, "vps1", f"cat {LOOK}/key")
    steal = ["sh", "-c", "umask 077; cat > /root/stolen"]
    marked.run("client", steal, input=key, check=True)
    for address in ADDRESSES.values():
        way = f"ssh {ANY_HOST} -i /root/stolen root@{address} true </dev/null"
        tried = marked.run("client", ["sh", "-c", way])
        assert tried.returncode == 255 and tried.stdout == "", address


def test_nobody_but_the_control_node_and_the_client_has_the_operators_key(lab: Lab):
    holders = [
        name
        for name in lab.machines
        if "operator" in shell(lab, name, "test ! -e /root/.ssh/id_ed25519 || echo operator")
    ]
    assert sorted(holders) == ["client", "vps2"]
