"""From 0.1.0 to what is tested, back, and forth again: nothing is lost, all answers all the time.

The checkouts of the control node and its stand-in are pulled in place; the site's YAML stays as
it was. The operator takes the key away that 0.1.0's stand-in has, and lends it for the rollback.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from lab.api import Lab
from lab.options import Options
from lab.state import CHECKOUT, State
from tests.lab import past, released
from tests.lab.conftest import beside, kind, shell
from tests.lab.released import Operator
from tests.lab.test_schedule import runs
from tests.lab.test_sync import TREE, until
from tests.soak.transaction import Knocks, knocking

pytestmark = [
    pytest.mark.skipif(
        not released.is_known(CHECKOUT),
        reason=f"this clone is shallow: it lacks 0.1.0, commit {released.COMMIT}",
    ),
    pytest.mark.timeout(2400),  # of a busy machine: the first test waits for both versions
]
RATE = 25  # requests per second through each edge


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A change of version: what was before, what is since, and the load through each edge."""

    before: past.Seen
    after: past.Seen
    load: Mapping[str, Knocks]


@pytest.fixture(scope="module")
def operator() -> Iterator[Operator]:
    """Runs 0.1.0 on a lab of its own, with a stand-in and a past: releases, a conflict, a drill, a
    silence.
    """
    state = State(id=beside("upgrade"), checkout=CHECKOUT)
    lab = Lab(state=state)
    # 0.1.0's site has these hosts, and says itself how their services run.
    lab.up(options=replace(kind(), site=Options.default(state).site, manager=""))
    try:
        made = Operator(lab=lab)
        made.clone()
        with past.listening(lab):
            past.make(made)
            yield made
    finally:
        lab.down()


@contextmanager
def under_load(lab: Lab) -> Iterator[Mapping[str, Knocks]]:
    with (
        knocking(lab, "client", "vps1", RATE) as first,
        knocking(lab, "client", "vps2", RATE) as second,
    ):
        yield {"vps1": first, "vps2": second}


@pytest.fixture(scope="module")
def upgraded(operator: Operator) -> Moved:
    """The checkout is pulled, and deployed."""
    before = past.see(operator)
    past.edit(operator.lab)
    with under_load(operator.lab) as load:
        operator.pull()
        operator.told("deploy", "--apply", "--allow-dirty")
    past.take_key_away(operator.lab)
    return Moved(before=before, after=past.see(operator), load=load)


@pytest.fixture(scope="module")
def returned(operator: Operator, upgraded: Moved) -> Mapping[str, Knocks]:
    """What was there before the upgrade, once more; gives the load meanwhile."""
    past.edit(operator.lab)
    with under_load(operator.lab) as load:
        operator.told("rollback", "--to", "previous", "--apply")
    return load


def test_an_upgrade_loses_no_request_through_either_edge(upgraded: Moved):
    assert all(knocks.sent > 100 for knocks in upgraded.load.values())
    assert {edge: knocks.lost for edge, knocks in upgraded.load.items()} == {"vps1": (), "vps2": ()}


def test_an_upgrade_is_done_once(operator: Operator, upgraded: Moved):
    again = operator.told("deploy", "--apply", "--allow-dirty")
    assert "nothing to do: every host is as the inventory says" in again


def test_an_upgrade_keeps_the_releases_the_timers_and_every_key_of_what_is_told(upgraded: Moved):
    before, after = upgraded.before, upgraded.after
    for host, releases in before.releases.items():
        assert len(releases) == 3
        assert releases < after.releases[host], "and there is one more"
    assert len(before.timers["vps1"]) == len(before.timers["vps2"]) == 3
    assert before.timers["vps2"] <= after.timers["vps2"]
    assert after.timers["vps1"] == {"twinedge-verify.timer"}, "what may only look does no more"
    assert before.metrics and before.metrics <= after.metrics
    assert past.shape(before.told) <= past.shape(after.told)


def test_a_stand_in_looks_on_with_a_key_of_its_own(operator: Operator, upgraded: Moved):
    assert past.stood_in(operator) in past.SEEN
    assert all("twinedge-look:vps1" in keys for keys in upgraded.after.keys.values())
    takeovers = runs(operator.lab, "vps1", "takeover")
    assert len(takeovers) == 1, "it still knew that it stood in"


def test_an_upgrade_keeps_what_was_in_conflict_and_joins_no_tree_anew(
    operator: Operator, upgraded: Moved
):
    before, after = upgraded.before, upgraded.after
    (kept,) = [each for sync in before.told["conflicts"] for each in sync["conflicts"]]
    assert kept["kept"] == [{"host": "vps1", "path": "test-both", "bytes": 6}]
    assert after.told["conflicts"] == before.told["conflicts"]
    travels(operator.lab, "test-1")
    assert past.joined(operator.lab) == before.joined


def test_the_history_reads_on(upgraded: Moved):
    before, after = upgraded.before.told["report"], upgraded.after.told["report"]
    assert [event["kind"] for event in before["events"]].count("deploy") == 3
    assert all(event in after["events"] for event in before["events"])
    (deploy,) = [event for event in after["events"] if event not in before["events"]]
    assert (deploy["kind"], deploy["status"]) == ("deploy", 0)
    assert before["troubles"] and before["drills"]
    assert {past.noticed(each) for each in before["troubles"]} <= {
        past.noticed(e) for e in after["troubles"]
    }
    assert after["drills"] == before["drills"]


def test_a_silence_that_was_pending_holds_until_it_is_ended(operator: Operator, upgraded: Moved):
    lab = operator.lab
    lab.fault("stop", "plex@unraid")
    try:
        assert operator.run("verify", *past.PATIENT).returncode == 1
        assert shell(lab, "client", f"cat {past.HEARD}") == ""
        assert operator.run("verify", *past.PATIENT, "--silence", "off").returncode == 1
        assert "plex" in shell(lab, "client", f"cat {past.HEARD}")
    finally:
        lab.heal()


def test_a_rollback_returns_to_what_was_written_and_loses_no_request(
    operator: Operator, upgraded: Moved, returned: Mapping[str, Knocks]
):
    assert past.written(operator.lab) == upgraded.before.files
    assert past.timers(operator.lab) == upgraded.before.timers
    assert past.keys(operator.lab) == upgraded.before.keys
    assert past.conflicts(operator) == upgraded.before.told["conflicts"]
    assert all(knocks.sent > 100 for knocks in returned.values())
    assert {edge: knocks.lost for edge, knocks in returned.items()} == {"vps1": (), "vps2": ()}


def test_a_rollback_leaves_nothing_running_that_the_older_version_had_not(
    operator: Operator, returned: object
):
    asked = "systemctl show --value -p LoadState -p ActiveState twinedge-replica"
    for edge in past.EDGES:
        assert shell(operator.lab, edge, asked).split() == ["not-found", "inactive"]
        bound = "systemctl show --value -p BindReadOnlyPaths -p ActiveState cloudflared"
        assert shell(operator.lab, edge, bound).split() == ["active"]


def test_after_a_rollback_the_syncs_go_on_and_the_older_checkout_has_nothing_to_do(
    operator: Operator, upgraded: Moved, returned: object
):
    travels(operator.lab, "test-2")
    assert past.joined(operator.lab) == upgraded.before.joined
    operator.go_back()
    past.lend_key(operator.lab)
    try:
        assert "nothing to do" in operator.told("deploy", "--apply")
        assert past.stood_in(operator) in past.SEEN
    finally:
        past.take_key_away(operator.lab)
        operator.pull()


def test_after_a_rollback_the_upgrade_succeeds_again(
    operator: Operator, upgraded: Moved, returned: object
):
    past.edit(operator.lab)
    operator.told("deploy", "--apply", "--allow-dirty")
    assert past.conflicts(operator) == upgraded.before.told["conflicts"]
    assert past.timers(operator.lab) == upgraded.after.timers
    assert past.stood_in(operator) in past.SEEN
    travels(operator.lab, "test-3")
    assert past.joined(operator.lab) == upgraded.before.joined


def travels(lab: Lab, name: str) -> None:
    """Both sides still know what they had: a delete is carried over and does not come back."""
    shell(lab, "vps1", f"rm {TREE}/{name} && echo new > {TREE}/{name}-new")
    arrived = f"cd {TREE} && test ! -e {name} && test -e {name}-new"
    until(lab, "vps2", arrived)
    shell(lab, "vps2", f"rm {TREE}/{name}-new")
    gone = f"cd {TREE} && test ! -e {name} && test ! -e {name}-new"
    until(lab, "vps1", gone)
