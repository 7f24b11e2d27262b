"""The host's side of a drill, run for real in a folder, with docker as a stub."""

from collections.abc import Callable, Iterator

import pytest

from inventory.catalogue import Host
from runbooks.cli import Session, open_session
from tasks.drill import restore
from tasks.drill.faults import Fault, make_fault
from tasks.drill.restore import Ending
from tasks.release import Run
from tests.patience import until
from tests.site import Site
from tests.unit.fakehosts import SHELLS, FakeHost, FakeHosts

# Remembers in a file whether the container runs, and whether it is paused.
DOCKER = """\
state=/container
case $1 in
stop | kill) echo 'false false' > $state ;;
start) echo 'true false' > $state ;;
pause) echo 'true true' > $state ;;
unpause) echo 'true false' > $state ;;
inspect) cat $state ;;
esac
"""


class Drill:
    """One drill on the fake vps2."""

    def __init__(self, session: Session, fake: FakeHost, window: int = 60) -> None:
        self.session, self.fake = session, fake
        self.host: Host = session.catalogue.hosts["vps2"]
        self.fault = self.new_fault("hang")
        self.run = self.new_run(window)

    def new_fault(self, kind: str, seconds: int = 1) -> Fault:
        catalogue = self.session.catalogue
        return make_fault(kind, catalogue, catalogue.services["organizr"], "vps2", seconds)

    @staticmethod
    def new_run(window: int, id: str = "d1") -> Run:  # noqa: A002
        return Run(
            id=id,
            token=f"t-{id}",
            holder="me@here",
            commit="drill",
            product="",
            at="",
            window=window,
        )

    def _do(self, work: Callable) -> object:
        outcome = self.session.run(work, ["vps2"])
        for error in outcome.errors.values():
            raise error
        return outcome.done["vps2"]

    def inject(self) -> object:
        return self._do(lambda task: restore.inject(task, self.host, self.run, self.fault))

    def undo(self) -> object:
        return self._do(lambda task: restore.restore(task, self.host, self.run))

    def look(self) -> restore.DrillState:
        return self._do(lambda task: restore.look(task, self.host, self.run))

    @property
    def container(self) -> str:
        return self.fake.path("/container").read_text().strip()


@pytest.fixture(params=SHELLS)
def drill(request, site: Site, hosts: FakeHosts) -> Iterator[Drill]:
    fake = hosts["vps2"]
    fake.use_shell(request.param)
    fake.stub("docker", DOCKER)
    fake.path("/container").write_text("true false\n")
    from runbooks.failover import flags

    yield Drill(open_session(flags().parse_args(["--config", str(site.config)])), fake)
    fake.run(b"kill -- -$(cat /var/lib/twinedge/drill/sleeper)")


def test_a_fault_is_made_behind_an_armed_restore_and_taken_back(drill: Drill):
    drill.inject()
    assert drill.container == "true true"
    assert drill.look().armed == "d1"
    drill.undo()
    assert drill.container == "true false"
    state = drill.look()
    assert state.armed is None and state.host.lock is None


def test_restoring_twice_or_without_a_drill_is_harmless(drill: Drill):
    assert drill.undo() is Ending.BEFORE
    drill.inject()
    assert drill.undo() is Ending.UNDONE
    assert drill.undo() is Ending.BEFORE
    assert drill.container == "true false"


def test_a_host_that_is_left_alone_restores_itself(drill: Drill):
    drill.run = drill.new_run(1)
    drill.inject()
    until(lambda: drill.look().armed is None)
    assert drill.container == "true false"


def test_a_second_drill_is_told_who_is_at_work_and_breaks_nothing(drill: Drill):
    drill.inject()
    drill.run = drill.new_run(60, id="d2")
    with pytest.raises(restore.DrillRefused, match="me@here is at work on this host"):
        drill.inject()
    assert drill.look().armed == "d1"


def test_a_release_that_is_not_confirmed_refuses_a_drill(drill: Drill):
    state = drill.fake.path("/var/lib/twinedge")
    state.mkdir(parents=True)
    (state / "pending").write_text("r1\n9999999999\nt\n")
    with pytest.raises(restore.DrillRefused, match="release r1 is not confirmed yet"):
        drill.inject()
    assert drill.container == "true false"
    assert drill.look().host.lock is None


def test_a_fault_that_cannot_be_made_leaves_nothing_armed(drill: Drill):
    broken = DOCKER.replace("pause) echo", "pause) echo no such container >&2; exit 1; echo")
    drill.fake.stub("docker", broken)
    with pytest.raises(restore.DrillRefused, match="no such container"):
        drill.inject()
    state = drill.look()
    assert state.armed is None and state.host.lock is None


def test_a_restore_that_does_not_work_says_so_and_stays_armed(drill: Drill, monkeypatch):
    drill.inject()
    script = drill.fake.path("/var/lib/twinedge/drill/healthy.sh")
    script.write_text("echo container is gone; false\n")
    text = restore._script()
    impatient = text.replace("HEAL_SECONDS=20", "HEAL_SECONDS=1")
    monkeypatch.setattr(restore, "_script", lambda: impatient)
    with pytest.raises(restore.NotRestored, match="container is gone"):
        drill.undo()
    assert drill.look().armed == "d1"


def test_what_is_left_of_a_drill_that_died_half_armed_is_restored_by_the_next(drill: Drill):
    drill.inject()
    armed = drill.fake.path("/var/lib/twinedge/drill/armed")
    armed.write_text("d1\n1\nt-d1\n")
    drill.undo()
    armed.write_text("d0\n1\nt-d0\n")
    drill.run = drill.new_run(60, id="d2")
    drill.inject()
    assert drill.look().armed == "d2"
    drill.undo()


def test_the_operators_command_is_all_that_is_needed(drill: Drill):
    drill.inject()
    undo_by_hand(drill)
    assert drill.container == "true false"
    assert drill.look().armed is None


def undo_by_hand(drill: Drill) -> None:
    command = restore.by_hand(drill.host)
    remote = command.partition(" ")[2].partition(" ")[2].strip("'")
    assert drill.fake.run(remote.encode()).returncode == 0


def test_the_operators_command_works_when_nothing_is_armed_and_the_controllers_does_not(
    drill: Drill,
):
    drill.inject()
    drill.undo()
    drill.fake.path("/container").write_text("false false\n")
    assert drill.undo() is Ending.BEFORE
    assert drill.container == "false false", "stopped since, by whoever wanted it so"
    undo_by_hand(drill)
    assert drill.container == "true false"


# As docker does it: who starts a container that is stopping is told that all is well, and at
# the end of the stop it is killed.
STOPPING = """\
state=/container
case $1 in
stop) : > /stopping
    ( /bin/sleep 1; echo 'false false' > $state; rm /stopping ) >/dev/null 2>&1 &
    {meanwhile} ;;
start) [ -e /stopping ] || echo 'true false' > $state ;;
inspect) cat $state ;;
esac
"""
BY_HAND = "sh /var/lib/twinedge/drill/drill.sh restore_drill"


def restored(drill: Drill) -> bool:
    """Nothing is armed any more, and what was still stopping has stopped."""
    until(lambda: drill.look().armed is None and not drill.fake.path("/stopping").exists())
    return drill.container == "true false"


def test_a_restore_in_the_middle_of_a_stop_waits_for_its_end(drill: Drill):
    undone = f"{BY_HAND} > /undone 2>&1 & while [ -e /stopping ]; do sleep 0.1; done"
    drill.fake.stub("docker", STOPPING.format(meanwhile=undone))
    drill.fault = drill.new_fault("stop")
    drill.inject()
    assert restored(drill)


def test_a_stop_that_nobody_waits_for_any_more_is_undone_after_the_last_moment_of_it(
    drill: Drill, monkeypatch
):
    text = restore._script().replace("MARGIN_SECONDS=5", "MARGIN_SECONDS=1")
    monkeypatch.setattr(restore, "_script", lambda: text)
    lost = "echo the daemon went away >&2; exit 1"
    drill.fake.stub("docker", STOPPING.format(meanwhile=lost))
    drill.fault = drill.new_fault("stop")
    with pytest.raises(restore.DrillRefused, match="the daemon went away"):
        drill.inject()
    assert restored(drill)


def test_a_fault_that_is_over_before_its_time_is_told(drill: Drill):
    drill.inject()
    drill.fake.path("/container").write_text("true false\n")
    assert drill.undo() is Ending.BY_ITSELF
    assert drill.look().armed is None
