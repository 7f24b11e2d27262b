"""Own DNS records of a synced tree: what unbound may see of them; unbound is a stub."""

import pytest

from tasks.configs.sync import PARTS
from tasks.host import host_side
from tests.unit.fakehosts import SHELLS, FakeHost

RECORDS = "/etc/unbound/unbound.conf.d/twinedge/own"
TABLE = f"""\
here=vps1 home=/var/lib/twinedge/sync names=own
settings() {{
    directory=/tree owner=root runner=vps1 peer=vps2
    login=root address=100.64.0.2 port=22 after='' set_aside=''
    records={RECORDS} reload=''
}}
"""
GOOD = """\
# names of the house
server:
\tlocal-zone: "lan." static

    local-data: "printer.lan. 300 IN A 192.168.1.9"   # upstairs
    local-data: 'note.lan. TXT "it is here"'
local-data-ptr: "192.168.1.9 printer.lan"
  local-zone: doubleclick.example redirect\r
"""
OPTIONS = (
    'username: "root"',
    'include: "/etc/shadow"',
    'include-toplevel: "/etc/shadow"',
    "logfile: /etc/cron.d/x",
    "pidfile: '/etc/passwd'",
    "remote-control:",
    "python:",
    "forward-zone:",
    "module-config: python",
    "server: username: root",
    'local-data: "a A 192.0.2.1" username: root',
    'local-data: "a A 192.0.2.1\\" username: root',
    'local-zone: "lan" static include: x',
    'local-zone: "lan" 0',
    'local-data: "open',
    "local-data: a A 192.0.2.1",
    "local-zone: lan static \x0bincludes",
)


class Resolver:
    """vps1, and the tree of its own records."""

    def __init__(self, host: FakeHost) -> None:
        self.host, self.tree, self.seen = host, host.path("/tree"), host.path(RECORDS)
        self.tree.mkdir()
        host.path("/etc/table.sh").write_text(TABLE)
        host.stub("unbound-checkconf", "! grep -s -q 192.0.2.999 /etc/unbound/*.d/*/*/*\n")
        host.stub("unison", "")
        program = host.path("/usr/local/lib/sync")
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\ntable=/etc/table.sh\n{''.join(map(host_side, PARTS))}")
        program.chmod(0o755)

    def look(self) -> str:
        """What is refused, once the tree has been looked at."""
        done = self.host.root.run(["sh", "/usr/local/lib/sync", "records"])
        assert done.returncode == 0, done.stderr
        return (self.host.state / "sync/own/refused").read_text()


@pytest.fixture
def resolver(host: FakeHost) -> Resolver:
    return Resolver(host)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_file_of_records_is_seen_by_unbound_and_can_be_read_by_its_user(
    resolver: Resolver, shell: str
):
    resolver.host.use_shell(shell)
    (resolver.tree / "own.conf").write_text(GOOD)
    (resolver.tree / "own.conf").chmod(0o600)
    (resolver.tree / "own.txt").write_text("no file of unbound's")
    assert resolver.look() == ""
    (seen,) = resolver.seen.iterdir()
    assert seen.read_text().rstrip("\n") == GOOD.replace("\r", "").rstrip("\n")
    assert seen.stat().st_mode & 0o777 == 0o644


def test_nothing_but_records_is_let_through_and_the_state_before_stays(resolver: Resolver):
    for number in range(len(OPTIONS)):
        (resolver.tree / f"{number}.conf").write_text(GOOD)
    resolver.look()
    for number, option in enumerate(OPTIONS):
        (resolver.tree / f"{number}.conf").write_text(f"server:\n# mine\n{option}\n")
    refused = resolver.look()
    for number, option in enumerate(OPTIONS):
        assert f"/tree/{number}.conf:3: " in refused, option
        assert "username" not in (resolver.seen / f"{number}.conf").read_text()
        assert "printer.lan" in (resolver.seen / f"{number}.conf").read_text()


def test_a_record_that_unbound_cannot_read_is_refused_and_the_others_are_seen(resolver: Resolver):
    (resolver.tree / "bad.conf").write_text('server:\nlocal-data: "a A 192.0.2.999"\n')
    (resolver.tree / "good.conf").write_text(GOOD)
    assert resolver.look().startswith("/tree/bad.conf: ")
    assert [path.name for path in resolver.seen.iterdir()] == ["good.conf"]


def test_what_is_deleted_is_seen_no_longer_and_what_is_mended_is(resolver: Resolver):
    (resolver.tree / "gone.conf").write_text(GOOD)
    (resolver.tree / "mended.conf").write_text("pidfile: x\n")
    assert "/tree/mended.conf:1: " in resolver.look()
    (resolver.tree / "gone.conf").unlink()
    (resolver.tree / "mended.conf").write_text(GOOD)
    assert resolver.look() == ""
    assert [path.name for path in resolver.seen.iterdir()] == ["mended.conf"]


def test_a_link_out_of_the_folder_and_a_name_of_odd_characters_are_refused(resolver: Resolver):
    (resolver.tree / "link.conf").symlink_to("/nowhere/shadow")
    (resolver.tree / "a name\n.conf").write_text(GOOD)
    refused = resolver.look()
    assert "/tree/link.conf: leads out of the folder" in refused
    assert "a name of other than" in refused
    assert not list(resolver.seen.iterdir())


@pytest.mark.parametrize(
    ("noted", "kept"),
    [
        ("1 failed: the records in /tree cannot be looked at\n", False),
        ("1 failed: systemctl restart dns: exit status 1\n", True),
    ],
)
def test_records_that_could_not_be_looked_at_are_no_failure_once_they_are_seen(
    resolver: Resolver, noted: str, kept: bool
):
    after = resolver.host.state / "sync/own/after"
    after.parent.mkdir(parents=True, exist_ok=True)
    after.write_text(noted)
    (resolver.tree / "own.conf").write_text(GOOD)
    assert resolver.look() == ""
    assert (after.read_text() == noted) is kept
    assert kept or after.read_text().endswith(" ok\n")
