"""Synced trees in states that nobody planned: disks, sockets, odd owners, broken records."""

import json
from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests import patience
from tests.lab.conftest import runbook, shell
from tests.lab.test_sync import STATE, TREE, clear, until, until_alike

HOSTS = ("vps1", "vps2")
LAB_NAME = "test-printer.example.net"
RECORD = f'server:\n  local-data: "{LAB_NAME}. 60 IN A {{}}"\n'


@pytest.fixture
def alike(lab: Lab) -> Iterator[Lab]:
    until_alike(lab)
    yield lab
    for host in HOSTS:
        shell(lab, host, f"umount {TREE} 2>/dev/null; systemctl restart lsyncd")
    clear(lab)


def status(lab: Lab) -> dict[str, dict[str, object]]:
    told = json.loads(runbook(lab, "sync", "status", "--sync", "resolver", "--json").stdout)
    return {way["from"]: way for way in told[0]["directions"]}


def put(lab: Lab, host: str, name: str, text: str, mode: str = "644") -> None:
    beside = f"{TREE}/{name}.tmp"
    script = f"cat > {beside} && chmod {mode} {beside} && mv {beside} {TREE}/{name}"
    lab.run(host, ["sh", "-c", script], input=text, check=True)


def answers(lab: Lab, host: str, address: str) -> None:
    """Wait until the resolver of `host` gives this address for LAB_NAME."""
    until(lab, host, f'[ "$(dig +short +time=1 +tries=1 @127.0.0.1 {LAB_NAME})" = "$1" ]', address)


@pytest.mark.parametrize("host", HOSTS)
def test_a_disk_that_is_not_mounted_empties_nobody_and_all_goes_on_once_it_is_back(
    alike: Lab, host: str
):
    other = next(each for each in HOSTS if each != host)
    shell(alike, host, f"echo x > {TREE}/test-precious")
    until(alike, other, f"test -e {TREE}/test-precious")
    until(alike, "vps1", "/usr/local/lib/twinedge/sync run resolver")  # and all is written down
    before = int(shell(alike, "vps1", f"wc -l < {STATE}/history"))
    shell(
        alike, host, f"mount -t tmpfs none {TREE} && mkdir {TREE}/lost+found && touch {TREE}/test-x"
    )
    shell(alike, host, "systemctl restart lsyncd")
    until(alike, host, f"grep -q 'holds no .twinedge-sync' {STATE}/daemon")
    assert "holds no .twinedge-sync: is its disk mounted?" in str(status(alike)[host]["error"])
    assert shell(alike, other, f"cat {TREE}/test-precious") == "x\n"
    shell(alike, host, f"umount {TREE}; systemctl restart lsyncd")
    until(alike, host, f"grep -q ' ok' {STATE}/daemon")
    until_alike(alike)
    assert int(shell(alike, "vps1", f"wc -l < {STATE}/history")) == before, "nothing was carried"


def test_owners_are_numbers_and_what_cannot_travel_is_named_and_stops_nothing(alike: Lab):
    shell(
        alike,
        "vps1",
        f"cd {TREE} && mkfifo 'test-odd fifo' && mknod test-odd-device c 1 3 && mkdir test-d && "
        "echo x > test-d/f && chown 4321:5432 test-d/f && chmod 6755 test-d/f",
    )
    until(alike, "vps2", f'[ "$(stat -c %a:%u:%g {TREE}/test-d/f)" = 755:4321:5432 ]')
    until(alike, "vps1", "/usr/local/lib/twinedge/sync run resolver")  # and all is written down
    # A run that began before they came and met them calls them an error, the next one does not.
    patience.until(lambda: status(alike)["vps1"]["error"] is None, every=1)
    assert status(alike)["vps1"]["skipped"] == [
        "vps1 device test-odd-device",
        "vps1 fifo test-odd?fifo",
    ]
    assert alike.run("vps2", ["sh", "-c", f"ls {TREE}/test-odd*"]).returncode
    told = shell(alike, "vps1", f"grep -c 'cannot travel.*test-odd' {STATE}/history")
    assert int(told) == 2, "each once"


def test_a_directory_that_is_replaced_under_lsyncd_is_watched_again(alike: Lab):
    shell(alike, "vps2", f"cp -a {TREE} /etc/unbound/restored && mv {TREE} /etc/unbound/moved")
    shell(alike, "vps2", f"mv /etc/unbound/restored {TREE}")
    until(alike, "vps2", "journalctl -u lsyncd -n 50 | grep -q 'a watched directory was replaced'")
    until(alike, "vps2", "systemctl is-active lsyncd")
    shell(alike, "vps2", f"echo x > {TREE}/test-after; rm -r /etc/unbound/moved")
    until(alike, "vps1", f"test -e {TREE}/test-after")


def test_records_are_checked_before_unbound_sees_them_and_what_is_mended_is_seen(alike: Lab):
    put(alike, "vps1", "test-own.conf", RECORD.format("192.0.2.1"), mode="600")
    for host in HOSTS:  # the side that writes it reloads, too
        answers(alike, host, "192.0.2.1")
    broken = {
        "an option": RECORD.format("192.0.2.2") + "  logfile: /root/test-log\n",
        "a typo": RECORD.format("192.0.2.999"),
    }
    for text in broken.values():
        put(alike, "vps2", "test-own.conf", text)
        for host in HOSTS:
            until(alike, host, f"grep -q '^{TREE}/test-own.conf' {STATE}/refused")
            assert f"{TREE}/test-own.conf" in str(status(alike)[host]["error"])
            shell(alike, host, "systemctl reload unbound; systemctl restart unbound")
            answers(alike, host, "192.0.2.1")
    put(alike, "vps1", "test-own.conf", RECORD.format("192.0.2.3"))
    for host in HOSTS:
        answers(alike, host, "192.0.2.3")
    assert status(alike)["vps1"]["error"] is None
    assert alike.run("vps1", ["test", "-e", "/root/test-log"]).returncode == 1


def test_tailscale_ssh_in_the_place_of_sshd_is_named(alike: Lab):
    banner = (
        "import socket; s = socket.create_server(('100.67.88.109', 2222));\n"
        "while True:\n c, _ = s.accept()\n"
        " c.sendall(b'SSH-2.0-Tailscale\\r\\n'); c.recv(99); c.close()"
    )
    server = alike.popen("vps1", ["python", "-c", banner])
    table = "/etc/twinedge/sync/table.sh"
    try:
        shell(
            alike, "vps2", f"cp -p {table} /root/table.kept; sed -i 's/port=22$/port=2222/' {table}"
        )
        shell(alike, "vps2", f"touch {TREE}/test-it")
        until(alike, "vps2", f"grep -q 'Tailscale SSH answers on vps1' {STATE}/daemon")
        assert "Tailscale SSH" in str(status(alike)["vps2"]["error"])
    finally:
        server.kill()
        server.communicate()
        shell(alike, "vps2", f"mv /root/table.kept {table}")
