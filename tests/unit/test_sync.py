"""The sync runbook against two fake hosts; their synced tree is one folder."""

import json
import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from journal.history import History
from tasks.sync.work import story
from tests.runbook import Runbook
from tests.site import Site
from tests.unit.fakehosts import FakeHosts

STAMP, EARLIER = "20260301T120000", "20260228T080000"
TREE = "/etc/unbound/local.d"
RESOLVER = {"hosts": ["vps1", "vps2"], "directory": TREE, "service": "dns", "after": "reload"}
HOW = "changed  <==== changed    it's mine  \nchanged  ====> deleted    other  \n"


class Pair:
    """vps1, which has kept a file of a conflict, and vps2."""

    def __init__(self, hosts: FakeHosts, tree: Path) -> None:
        self.hosts, self.tree = hosts, tree
        self.folders = {name: hosts[name].state / "sync" / "resolver" for name in ("vps1", "vps2")}
        for folder in self.folders.values():
            (folder / "conflicts").mkdir(parents=True)
        (tree / "it's mine").write_text("newer\n")
        self.keep(STAMP)

    def keep(self, stamp: str) -> None:
        conflicts = self.folders["vps1"] / "conflicts"
        (conflicts / stamp).mkdir()
        (conflicts / stamp / "it's mine").write_text("older\n")
        (conflicts / f"{stamp}.txt").write_text(HOW)


@pytest.fixture
def pair(hosts: FakeHosts, site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pair:
    tree = tmp_path / "tree"
    tree.mkdir()
    monkeypatch.setattr("runbooks.twoway.canary.QUIET", 0)
    site.change("services", "syncs.resolver", RESOLVER)
    for name in ("vps1", "vps2"):
        hosts[name].root.lend(tree, TREE)
        answer = f"case $1 in is-active) echo active ;; show) echo {os.getpid()} ;; esac\n"
        hosts[name].stub("systemctl", answer)
    return Pair(hosts, tree)


@pytest.fixture
def sync(pair: Pair, in_process: Callable[[str], Runbook]) -> Runbook:
    """Runs runbooks/sync.py in this process."""
    return in_process("sync")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("status",), "directions"),
        (("verify",), "canaries"),
        (("conflicts",), "conflicts"),
        (("conflicts", "--id", STAMP), "conflicts"),
        (("conflicts", "--id", STAMP, "--choose", "current"), "settled"),
        (("repair",), "differ"),
    ],
)
def test_with_json_standard_output_is_json_alone_and_the_words_go_to_the_other(
    sync: Runbook, arguments: tuple[str, ...], told: str
):
    done = sync(*arguments, "--json")
    (answer,) = json.loads(done.out)
    assert done.status == 0
    assert answer["sync"] == "resolver" and answer["ok"] and told in answer
    assert done.err


def test_the_json_of_a_conflict_holds_what_its_words_do(sync: Runbook):
    (answer,) = json.loads(sync("conflicts", "--json").out)
    (conflict,) = answer["conflicts"]
    assert conflict == {
        "id": STAMP,
        "story": [
            '"it\'s mine": changed on vps1, changed on vps2: vps2 won',
            "'other': changed on vps1, deleted on vps2: vps1 won",
        ],
        "kept": [{"host": "vps1", "path": "it's mine", "bytes": 6}],
    }


def test_the_json_of_status_tells_when_the_last_transfer_was_in_each_direction(
    sync: Runbook, pair: Pair
):
    (pair.folders["vps1"] / "history").write_text("1790000000 120ms 0 2\n1790000060 80ms 1 0\n")
    (answer,) = json.loads(sync("status", "--json").out)
    last = {way["from"]: way["last"] for way in answer["directions"]}
    assert last["vps1"] == {"at": "2026-09-21T14:13:20Z", "seconds": 0.12, "items": 2}
    assert last["vps2"] == {"at": "2026-09-21T14:14:20Z", "seconds": 0.08, "items": 1}


def test_an_unknown_conflict_is_refused_with_those_there_are(sync: Runbook, pair: Pair):
    pair.keep(EARLIER)
    done = sync("conflicts", "--id", "20260301T120001", "--choose", "kept")
    assert done.status == 2
    assert f"no conflict '20260301T120001' (conflicts: {EARLIER}, {STAMP})" in done.err
    assert (pair.tree / "it's mine").read_text() == "newer\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("status", "--sync", "resolve"), "no sync 'resolve' (syncs: resolver)"),
        (("status", "--apply"), "--apply: of repair only, not of status"),
        (
            ("verify", "--rule", "newer", "--apply"),
            "--rule, --apply: of repair only, not of verify",
        ),
        (("conflicts", "--apply"), "--apply: of repair only, not of conflicts"),
        (("repair", "--id", STAMP), "--id: of conflicts only, not of repair"),
        (("conflicts", "--choose", "kept"), "--choose needs --id"),
        (("repair", "--apply"), "--rule should be newer, or the host that wins: vps1 or vps2"),
        (("repair", "--rule", "vps3"), "--rule should be newer, or the host that wins"),
        (("status", "--host", "vps1"), "a sync needs both of its hosts"),
    ],
)
def test_what_makes_no_sense_is_refused_and_no_run_of_it_is_remembered(
    sync: Runbook, site: Site, arguments: tuple[str, ...], said: str
):
    done = sync(*arguments)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert not site.journal.exists()


def test_a_look_is_no_run_and_a_decision_is_one(sync: Runbook, site: Site):
    for look in (("status",), ("conflicts",), ("conflicts", "--id", STAMP), ("repair",)):
        sync(*look)
    assert not site.journal.exists()
    sync("conflicts", "--id", STAMP, "--choose", "kept")
    (run,) = History(site.journal).runs(since=datetime.fromtimestamp(0, UTC))
    assert (run.kind, run.words) == ("sync", f"{STAMP}: kept stays: well: resolver")


def test_what_was_kept_goes_back_and_what_it_replaces_is_kept_in_turn(sync: Runbook, pair: Pair):
    listed = sync("conflicts").out
    assert f"resolver  {STAMP}" in listed and """vps1 keeps "it's mine" (6 bytes)""" in listed
    assert max(map(len, listed.splitlines())) <= 80
    assert "-older\n+newer" in sync("conflicts", "--id", STAMP).out
    done = sync("conflicts", "--id", STAMP, "--choose", "kept")
    settled = pair.folders["vps1"] / "settled"
    assert f"lies on vps1 in /var/lib/twinedge/sync/resolver/settled/{STAMP}.replaced" in done.out
    assert (pair.tree / "it's mine").read_text() == "older\n"
    assert (settled / f"{STAMP}.replaced" / "it's mine").read_text() == "newer\n"
    assert (settled / STAMP / "it's mine").read_text() == "older\n"
    assert sync("conflicts").out == "resolver  no conflict is kept\n"


def test_what_is_there_stays_and_what_was_kept_is_not_thrown_away(sync: Runbook, pair: Pair):
    pair.keep(EARLIER)
    sync("conflicts", "--id", STAMP, "--choose", "current")
    assert (pair.tree / "it's mine").read_text() == "newer\n"
    kept = pair.folders["vps1"] / "settled" / STAMP / "it's mine"
    assert kept.read_text() == "older\n"
    listed = sync("conflicts").out
    assert EARLIER in listed and STAMP not in listed


def test_a_delete_that_lost_cannot_be_chosen(sync: Runbook, pair: Pair):
    (pair.folders["vps1"] / "conflicts" / f"{EARLIER}.txt").write_text(HOW.splitlines()[1])
    done = sync("conflicts", "--id", EARLIER, "--choose", "kept")
    assert done.status == 2 and "what lost was a delete" in done.err
    assert sync("conflicts", "--id", EARLIER, "--choose", "current").status == 0


def test_the_difference_of_a_file_that_is_gone_shows_all_of_what_was_kept(
    sync: Runbook, pair: Pair
):
    (pair.tree / "it's mine").unlink()
    assert "-older\n" in sync("conflicts", "--id", STAMP).out


def test_status_says_when_a_host_runs_out_of_watches(
    sync: Runbook, monkeypatch: pytest.MonkeyPatch
):
    assert "inotify" not in sync("status").out
    monkeypatch.setattr("tasks.checks.host.WATCHES_NEARLY_USED", 0)
    said = sync("status").out
    assert said.count("inotify watches: 0 % of") == 2  # one for each host
    assert "on vps1: sysctl fs.inotify.max_user_watches=" in said


def test_status_tells_of_the_side_that_answers_when_the_other_does_not(sync: Runbook, pair: Pair):
    daemon = f"{time.time():.0f} failed 3 {time.time() - 90:.0f} no route to host\n"
    (pair.folders["vps2"] / "daemon").write_text(daemon)
    pair.hosts["vps1"].refuses = OSError("connection refused")
    done = sync("status")
    assert done.status == 1
    lines = done.out.splitlines()
    assert any("vps1 -> vps2 unknown" in line for line in lines)
    assert any(re.search(r"vps2 -> vps1 active .* \d+ s ", line) for line in lines)
    assert lines[-2].startswith("vps1      cannot be reached over SSH")
    assert lines[-1] == "vps2      resolver: no route to host"
    assert max(map(len, lines[:-2])) <= 80
    (answer,) = json.loads(sync("status", "--json").out)
    assert [way["lsyncd"] for way in answer["directions"]] == ["unknown", "active"]


def test_words_of_unison_that_nobody_knows_are_told_as_they_are():
    assert story("new file ====> chgd dir   a  b\n??\n", "one", "two") == [
        "'a  b': made on one, changed on two: one won",
        "??",
    ]
