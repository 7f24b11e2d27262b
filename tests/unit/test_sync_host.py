"""The host's side of a sync, in a folder; unison and ssh are stubs."""

import subprocess
from pathlib import Path

import pytest

from tasks.host import host_side

LIMIT = "/proc/sys/fs/inotify/max_user_watches"
SIZE = 1_000_000  # of a log, bytes

TABLE = """\
here=vps1 home={root}/home names=one
settings() {{
    directory={root}/tree owner=root runner=vps1 peer=vps2
    login=root address=100.64.0.2 port=22 after='' set_aside=''
}}
"""
# Copies one file to the peer, with a log as long as that of many.
UNISON = """\
#!/bin/sh
while [ "$1" != -logfile ]; do shift; done
echo "[BGN] Copying x from {root}/tree to //vps2/{root}/tree" > "$2"
head -c 400000 /dev/zero | tr '\\0' x >> "$2"
"""


class OneHost:
    """vps1, the runner."""

    def __init__(self, root: Path) -> None:
        self.limit, self.folder = root / "limit", root / "home" / "one"
        self.folder.mkdir(parents=True)
        (root / "tree" / "folder").mkdir(parents=True)
        (root / "bin").mkdir()
        stubs = {"unison": UNISON.format(root=root), "ssh": "#!/bin/sh\n"}
        for name, text in stubs.items():
            (root / "bin" / name).write_text(text)
            (root / "bin" / name).chmod(0o755)
        (root / "table").write_text(TABLE.format(root=root))
        text = host_side("sync.sh").replace(LIMIT, str(self.limit))
        text = text.replace("\nPATH=", f"\nPATH={root}/bin:")
        self.script = f"table={root}/table\n{text}"

    def call(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = ["sh", "-c", self.script, "sync", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=30)

    def size(self, name: str) -> int:
        return sum(path.stat().st_size for path in self.folder.glob(f"{name}*"))


@pytest.fixture
def host(tmp_path: Path) -> OneHost:
    return OneHost(tmp_path)


@pytest.mark.parametrize(("before", "then"), [(8, 2 * 2 + 8192), (8195, 8196), (500_000, 500_000)])
def test_a_limit_of_watches_that_is_too_low_is_raised_and_another_left_alone(
    host: OneHost, before: int, then: int
):
    host.limit.write_text(f"{before}\n")
    done = host.call("prepare")
    assert (done.returncode, done.stderr) == (0, "")
    assert int(host.limit.read_text()) == then


def test_a_history_that_has_grown_is_set_aside_and_a_new_one_begun(host: OneHost):
    line = "1790000000 120ms 1 0\n"
    for _ in range(3):
        (host.folder / "history").write_text(line * (SIZE // len(line) + 1))
        assert host.call("run", "one").returncode == 0
        host.call("run", "one")
        assert (host.folder / "history").read_text().count("\n") == 1
    assert host.size("history") < 2.01 * SIZE


def test_the_log_of_transfers_never_takes_more_than_two_files_of_its_size(host: OneHost):
    for _ in range(8):
        assert host.call("run", "one").returncode == 0
    assert sorted(path.name for path in host.folder.glob("log*")) == ["log", "log.1"]
    assert SIZE < host.size("log") < 3 * SIZE
    assert not (host.folder / "transfers").exists()
