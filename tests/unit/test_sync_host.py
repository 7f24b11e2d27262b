"""The host's side of a sync; unison, ssh and the box are stubs."""

import subprocess
from pathlib import Path

import pytest

from tasks.configs.sync import PARTS
from tasks.host import host_side
from tests.unit.fakehosts import SHELLS, FakeHost

LIMIT = "/proc/sys/fs/inotify/max_user_watches"
SIZE = 1_000_000  # of a log, bytes

TABLE = """\
here=vps1 home=/var/lib/twinedge/sync names=one
settings() {
    directory=/tree owner=root runner=vps1 peer=vps2
    login=root address=100.64.0.2 port=22 after='' set_aside=''
}
"""
# Copies one file to the peer, with a log as long as that of many.
UNISON = """\
while [ "$1" != -logfile ]; do shift; done
echo "[BGN] Copying x from /tree to //vps2//tree" > "$2"
head -c 400000 /dev/zero | tr '\\0' x >> "$2"
"""


class Runner:
    """vps1, which runs the sync `one`."""

    def __init__(self, host: FakeHost) -> None:
        self.host, self.folder = host, host.state / "sync" / "one"
        self.folder.mkdir(parents=True)
        host.path("/tree/folder").mkdir(parents=True)
        host.stub("unison", UNISON)
        host.stub("ssh", "echo twinedge ready\ncat > /dev/null\n")
        host.path("/etc/table.sh").write_text(TABLE)
        program = host.path("/usr/local/lib/sync")
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\ntable=/etc/table.sh\n{''.join(map(host_side, PARTS))}")
        program.chmod(0o755)

    def call(self, *words: str) -> "subprocess.CompletedProcess[bytes]":
        return self.host.root.run(["sh", "/usr/local/lib/sync", *words])

    def size(self, name: str) -> int:
        return sum(path.stat().st_size for path in self.folder.glob(f"{name}*"))


@pytest.fixture(params=SHELLS)
def runner(request: pytest.FixtureRequest, host: FakeHost) -> Runner:
    host.use_shell(request.param)
    return Runner(host)


@pytest.mark.parametrize(("before", "then"), [(8, 2 * 2 + 8192), (8195, 8196), (500_000, 500_000)])
def test_a_limit_of_watches_that_is_too_low_is_raised_and_another_left_alone(
    runner: Runner, tmp_path: Path, before: int, then: int
):
    limit = tmp_path / "limit"
    limit.write_text(f"{before}\n")
    runner.host.root.lend(limit, LIMIT)
    done = runner.call("prepare")
    assert (done.returncode, done.stderr) == (0, b"")
    assert int(limit.read_text()) == then


def test_a_history_that_has_grown_is_set_aside_and_a_new_one_begun(runner: Runner):
    line = "1790000000 120ms 1 0\n"
    for _ in range(3):
        (runner.folder / "history").write_text(line * (SIZE // len(line) + 1))
        assert runner.call("run", "one").returncode == 0
        runner.call("run", "one")
        assert (runner.folder / "history").read_text().count("\n") == 1
    assert runner.size("history") < 2.01 * SIZE


def test_the_log_of_transfers_never_takes_more_than_two_files_of_its_size(runner: Runner):
    for _ in range(8):
        assert runner.call("run", "one").returncode == 0
    assert sorted(path.name for path in runner.folder.glob("log*")) == ["log", "log.1"]
    assert SIZE < runner.size("log") < 3 * SIZE
    assert not (runner.folder / "transfers").exists()


def test_copies_are_dropped_by_age_and_size_the_oldest_first_and_that_is_told(runner: Runner):
    for folder, name in (
        ("backup", "a b\nc"),
        ("settled", "s"),
        ("conflicts/20260101T000000", "k"),
    ):
        (runner.folder / folder).mkdir(parents=True, exist_ok=True)
        (runner.folder / folder / name).write_text("12345")
    with (runner.folder / "conflicts/large").open("w") as large:
        large.truncate(500_000_000 - 5)
    assert runner.call("event", "one").returncode == 0
    assert "dropped" not in (runner.folder / "history").read_text()
    (runner.folder / "swept").unlink()
    (runner.folder / "conflicts/newer").write_text("1")
    runner.host.stub("date", "exec /bin/date -d '+31 days' \"$@\"\n")
    assert runner.call("event", "one").returncode == 0
    told = (runner.folder / "history").read_text()
    assert "dropped from backup: 1 files, 5 bytes" in told
    assert "dropped from settled" not in told
    assert "dropped from conflicts: " in told
    kept = {path.name for path in (runner.folder / "conflicts").rglob("*") if path.is_file()}
    assert "newer" in kept and len(kept) == 2, "the oldest goes, and only as much as is needed"


def test_a_full_disk_never_starts_unison_with_less_than_it_was_to_be_told(host: FakeHost):
    disk = host.root.memory("/var/lib/twinedge", "size=4m")
    runner = Runner(host)
    with (disk / "fill").open("wb", buffering=0) as fill, pytest.raises(OSError, match="space"):
        while True:
            fill.write(bytes(4096))
    done = runner.call("run", "one")
    assert done.returncode != 0 and b"is the disk full?" in done.stderr
    assert not [call for call in host.calls if call.startswith("unison")]
