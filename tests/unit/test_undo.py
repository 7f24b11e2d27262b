"""The undo of a deploy on its host, whatever happens to it: the script is real, in three shells."""

from pathlib import Path

import pytest

from tasks.host import host_side
from tasks.live import HostState, parse_state
from tests.unit.fakehosts import SHELLS, FakeHost

OLD, NEW = "as it was\n", "as it is to be\n"
ABSENT = "absent"
FRONT = """\
state=/var/lib/twinedge init=none id=r2 token=t holder=me window=60 lease=60 keep=5
step_timeout=20 break_lock=no lsyncd_config=/none
"""


class Undo:
    """A host that runs r1, with r2 staged: two files that are replaced, and one that is new."""

    def __init__(self, host: FakeHost) -> None:
        self.host = host
        self.state = host.path("/var/lib/twinedge")
        self.write("/var/lib/twinedge/current", "r1\n")
        self.write("/var/lib/twinedge/lock", "t\nme\n1\n9999999999\n")
        self.write("/etc/app", OLD)
        self.write("/etc/other", OLD)
        self.write("/etc/kept/.keep", "")
        for n in range(3):
            self.write(f"{self.release}/new/{n}", NEW)
        self.activation("")
        self.write(f"{self.release}/release.sh", f'{self.script()}\n"$@"\n')

    release = "/var/lib/twinedge/releases/r2"

    def write(self, path: str, text: str) -> None:
        inside = self.host.path(path)
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.write_text(text)

    def read(self, path: str) -> str:
        inside = self.host.path(path)
        return inside.read_text() if inside.exists() else ABSENT

    def activation(self, run: str, check: str = "true") -> None:
        """What putting the files to use does; and the manifest, by the files as they are."""
        self.write(f"{self.release}/activate/1-app.run", f"{run}\n")
        self.write(f"{self.release}/activate/1-app.check", f"{check}\n")
        self.write(f"{self.release}/activate/1-app.patience", "5\n")
        lines = "".join(
            f"{n} 0644 root:root {self.digest(NEW)} {base} 1-app {path[5:]} {path}\n"
            for n, (path, base) in enumerate(
                {
                    "/etc/app": self.digest(OLD),
                    "/etc/other": self.digest(OLD),
                    "/etc/kept/new": ABSENT,
                }.items()
            )
        )
        self.write(f"{self.release}/manifest", lines)

    def digest(self, text: str) -> str:
        self.write("/tmp/text", text)
        return self.run('digest_of /tmp/text; say "$digest"').strip()

    @staticmethod
    def script() -> str:
        script = host_side("write.sh", "release.sh")
        return FRONT + script.replace("AGAIN_SECONDS=5", "AGAIN_SECONDS=1")

    def run(self, words: str) -> str:
        """What the script prints when it is told `words`."""
        done = self.host.root.run(["sh", "-c", f"{self.script()}\n{words}"])
        return done.stdout.decode() + done.stderr.decode()

    @property
    def files(self) -> tuple[str, str, str]:
        return self.read("/etc/app"), self.read("/etc/other"), self.read("/etc/kept/new")

    def look(self) -> HostState:
        self.write("/var/lib/twinedge/releases/r1/meta", "")
        self.write("/var/lib/twinedge/releases/r1/manifest", "")
        return parse_state(self.run("look < /dev/null"), [])

    @property
    def current(self) -> str:
        return self.read("/var/lib/twinedge/current").strip()

    @property
    def pending(self) -> str:
        return self.read("/var/lib/twinedge/pending")


BEFORE, AFTER = (OLD, OLD, ABSENT), (NEW, NEW, NEW)


@pytest.fixture(params=SHELLS)
def undo(request: pytest.FixtureRequest, host: FakeHost) -> Undo:
    host.use_shell(request.param)
    return Undo(host)


def test_a_revert_ends_a_commit_that_is_still_at_work_and_all_that_it_runs(undo: Undo):
    undo.activation("echo $$ > /activating; sleep 3")
    told = undo.run(
        "start_commit > /told 2>&1 & until [ -s /activating ]; do sleep 0.1; done\n"
        "revert; wait; cat /told"
    )
    assert "reverted r2" in told
    assert "the commit was ended on the host, which goes back to what it had" in told
    assert "committed r2" not in told
    assert (undo.current, undo.files, undo.pending) == ("r1", BEFORE, ABSENT)
    assert not is_running(undo.read("/activating").strip())


def is_running(pid: str) -> bool:
    command = Path("/proc", pid, "cmdline")
    return command.exists() and command.read_bytes() != b""


def test_what_has_the_number_of_an_ended_sleeper_is_left_alone(undo: Undo):
    told = undo.run(
        "setsid sleep 60 & other=$!; /bin/sleep 0.5; echo $other > $state/sleeper\n"
        "disarm; kill -0 $other && say it runs; kill $other"
    )
    assert "it runs" in told


@pytest.mark.parametrize("signal", ["HUP", "PIPE", "TERM"])
def test_a_stage_whose_connection_ends_leaves_no_lock(undo: Undo, signal: str):
    undo.run(f"id=r3; begin_stage; kill -{signal} $$; end_stage")
    assert undo.read("/var/lib/twinedge/lock") == ABSENT
    assert not undo.host.path("/var/lib/twinedge/releases/r3").exists()


@pytest.mark.parametrize(
    ("flock", "seen"),
    [
        (None, "not installed there: flock"),
        ("#!/bin/sh\necho 'Usage: flock [-sxun] FD' >&2\nexit 1\n", "flock there is busybox's"),
    ],
)
def test_a_host_without_a_flock_that_waits_is_refused_in_words(
    undo: Undo, flock: str | None, seen: str
):
    if flock is None:
        look = 'command() { [ "$2" != flock ] && type "$2"; }; look < /dev/null'
    else:
        undo.host.stub("flock", flock)
        look = "PATH=/usr/local/sbin:$PATH; look < /dev/null"
    assert f"failed {seen}" in undo.run(look)


def stamp(since: int, until: int, boot: str = "") -> str:
    """The lines that count in what the new code writes; seconds from now."""
    return f"{boot or boot_id()}\n{up_for() + since}\n{up_for() + until}\n"


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def up_for() -> int:
    return int(float(Path("/proc/uptime").read_text().split()[0]))


OTHER_BOOT = "0" * 36
PAST, FAR = 1, 9_999_999_999  # by the wall clock
DEADLINES = {
    "to come": (PAST, lambda: stamp(-5, 600), False),
    "over": (FAR, lambda: stamp(-5, -1), True),
    "of another boot": (FAR, lambda: stamp(-5, 600, OTHER_BOOT), True),
    "of an uptime that has gone back": (FAR, lambda: stamp(300, 600), True),  # a container's boot
    "0.1.0's, to come": (FAR, str, False),
    "0.1.0's, over": (PAST, str, True),
}


@pytest.mark.parametrize("deadline", DEADLINES)
def test_a_deadline_is_of_this_boots_uptime_and_of_the_clock_only_where_0_1_0_wrote_it(
    undo: Undo, deadline: str
):
    wall, stamped, is_over = DEADLINES[deadline]
    undo.write("/var/lib/twinedge/pending", f"r2\n{wall}\nt\n{stamped()}")
    undo.write(f"{undo.release}/changed", "")
    undo.write("/var/lib/twinedge/current.next", "r2\n")  # the commit has not come to its end
    told = undo.run("id=r3; begin_stage; trap - EXIT")
    assert ("unconfirmed r2" in told) != is_over
    assert (undo.pending == ABSENT) == is_over


def test_a_lock_of_another_boot_is_no_obstacle_and_one_of_this_boot_is(undo: Undo):
    theirs = f"x\nann\n1\n{FAR}\n"
    undo.write("/var/lib/twinedge/lock", theirs + stamp(0, 600))
    assert "locked x\tann" in undo.run("guarded take_lock")
    undo.write("/var/lib/twinedge/lock", theirs + stamp(0, 600, OTHER_BOOT))
    assert "locked" not in undo.run("guarded take_lock && write_lock")


def test_what_is_written_is_what_0_1_0_reads(undo: Undo):
    undo.run("now() { echo 1000; }; write_lock; release=$state/releases/r2; write_changes")
    lock, pending = undo.read("/var/lib/twinedge/lock").split("\n"), undo.pending.split("\n")
    assert lock[:4] == ["t", "me", "1000", "1060"]
    assert pending[:3] == ["r2", "1060", "t"]
    assert lock[4] == pending[3] == boot_id()


def test_a_host_without_systemd_goes_back_when_its_time_is_over_and_disarms_itself(undo: Undo):
    script = undo.script().replace("window=60", "window=2")
    undo.write(f"{undo.release}/release.sh", f'{script}\n"$@"\n')
    told = undo.run(
        "start_commit; while [ -e $state/pending ]; do sleep 0.1; done\n"
        "until [ ! -e $state/lock ] && [ ! -e $state/sleeper ]; do sleep 0.1; done"
    )
    assert "committed r2" in told
    assert (undo.current, undo.files) == ("r1", BEFORE)


def test_on_unraid_a_power_cut_is_followed_by_a_revert_once_the_state_is_there(undo: Undo):
    undo.write("/boot/config/go", "#!/bin/bash\n/usr/local/sbin/emhttp\nexit 0\n")
    undo.run("start_commit; start_commit; end_sleeper $state/sleeper $state")  # the power is cut
    go = undo.read("/boot/config/go")
    assert (go.count("# twinedge"), go.splitlines()[0]) == (1, "#!/bin/bash")
    assert undo.files == AFTER
    undo.host.stub("emhttp", "")
    undo.run(
        "mv $state /away; sh /boot/config/go; sleep 1; mv /away $state\n"
        "while [ -e $state/pending ]; do sleep 0.2; done"
    )
    assert (undo.current, undo.files) == ("r1", BEFORE)


# As where a file is immutable, or its file system read-only.
REFUSES = 'case "$*" in */etc/app) [ ! -e /refuse ] || { echo "mv: no" >&2; exit 1; } ;; esac\n'
SETTLED = "while [ -e $state/pending ]; do sleep 0.1; done"


def test_a_file_that_cannot_be_put_back_holds_up_no_other_and_is_tried_until_it_is(undo: Undo):
    undo.activation("echo once >> /activated")
    undo.host.stub("mv", REFUSES + 'exec /bin/mv "$@"\n')
    undo.run("start_commit")
    told = undo.run("true > /refuse; revert")
    assert "failed cannot put back /etc/app: mv: no" in told
    assert (undo.current, undo.files) == ("r1", (NEW, OLD, ABSENT))
    assert "going back" in undo.run("confirm")
    state = undo.look()
    assert (state.pending, state.missing) == ("r2", ("/etc/app",))
    assert "/etc/app could not be put back yet" in state.pending_words
    assert undo.read("/activated") == "once\n", "not while a file of it is missing"
    undo.run(f"rm /refuse; {SETTLED}")
    assert (undo.current, undo.files) == ("r1", BEFORE)
    assert undo.read("/activated") == "once\nonce\n"
    assert undo.look().missing == ()


def test_a_new_file_that_cannot_be_taken_away_is_tried_again(undo: Undo):
    refuses = 'case "$*" in */etc/kept/new*) [ ! -e /refuse ] || exit 1 ;; esac\n'
    undo.host.stub("rm", refuses + 'exec /bin/rm "$@"\n')
    undo.run("start_commit; true > /refuse; revert")
    assert undo.files == (OLD, OLD, NEW)
    undo.run(f"rm /refuse; {SETTLED}")
    assert undo.files == BEFORE


def test_a_folder_in_the_place_of_a_file_is_not_taken_for_it(undo: Undo):
    undo.run("start_commit; rm /etc/app; mkdir /etc/app")
    assert "failed cannot put back /etc/app: a folder is there" in undo.run("revert")
    undo.run(f"rmdir /etc/app; {SETTLED}")
    assert undo.files == BEFORE


@pytest.mark.parametrize("left", ["", "r", "r2\n", "r2\n17"])
def test_a_pending_note_that_is_empty_or_cut_off_is_gone_back_from(undo: Undo, left: str):
    undo.run(f"start_commit; printf '{left}' > $state/pending; {SETTLED}")
    assert (undo.current, undo.files) == ("r1", BEFORE)


def test_an_empty_note_of_a_host_that_has_nothing_to_go_back_from_blocks_no_deploy(undo: Undo):
    undo.run("start_commit; confirm; true > $state/pending")
    assert undo.look().pending == "unknown"
    assert "failed" not in undo.run("id=r3; begin_stage; trap - EXIT")
    assert (undo.current, undo.files, undo.pending) == ("r2", AFTER, ABSENT)
