"""Two-way sync on two real hosts: what arrives, what stays deleted, what is kept."""

import json
import time
from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests import patience
from tests.lab.conftest import runbook, shell

TREE = "/etc/unbound/local.d"
STATE = "/var/lib/twinedge/sync/resolver"
DIGEST = f"cd {TREE} && find . -type f -exec sha256sum {{}} + | sort -k 2 | sha256sum"


def until(lab: Lab, host: str, script: str, *words: str) -> None:
    """Wait until `script`, given `words`, succeeds on `host`."""
    command = ["sh", "-c", script, "sh", *words]
    patience.until(lambda: lab.run(host, command).returncode == 0, every=0.2)


def until_alike(lab: Lab) -> None:
    patience.until(lambda: shell(lab, "vps1", DIGEST) == shell(lab, "vps2", DIGEST), every=0.5)


def meanwhile(lab: Lab, both: dict[str, str]) -> None:
    """Each host runs its script in the tree while nothing travels, then all goes on."""
    for host in both:
        shell(lab, host, "systemctl stop lsyncd")
    shell(lab, "vps1", f"flock {STATE}/lock true")  # a run that was under way
    for host, script in both.items():
        shell(lab, host, f"cd {TREE} && {script}")
    for host in both:
        shell(lab, host, "systemctl start lsyncd")


def times_joined(lab: Lab) -> int:
    """How often the memory of both sides was made anew."""
    return int(shell(lab, "vps1", f"grep -c 'joined anew' {STATE}/history || :"))


def clear(lab: Lab) -> None:
    """What a test has left in the trees is deleted, and forgotten."""
    for host in ("vps1", "vps2"):
        shell(lab, host, f"rm -rf {TREE}/test-* {STATE}/conflicts/*")
    # Until the memory knows, the same content again would lose to its delete.
    until(lab, "vps1", "/usr/local/lib/twinedge/sync run resolver")
    until_alike(lab)


@pytest.fixture
def synced(lab: Lab) -> Iterator[Lab]:
    """The lab with both trees alike; what a test leaves in them is deleted."""
    until_alike(lab)
    yield lab
    lab.heal()
    until(lab, "vps1", "systemctl is-active lsyncd")
    clear(lab)


@pytest.mark.parametrize(("here", "there"), [("vps1", "vps2"), ("vps2", "vps1")])
def test_a_file_its_change_and_its_end_travel_each_way(synced: Lab, here: str, there: str):
    name = f'{TREE}/test-it\'s a "name"\tof-{here}'
    synced.run(here, ["sh", "-c", 'echo one > "$1"', "sh", name])
    until(synced, there, 'grep -qx one "$1"', name)
    synced.run(here, ["sh", "-c", 'echo two > "$1"', "sh", name])
    until(synced, there, 'grep -qx two "$1"', name)
    synced.run(here, ["rm", name])
    until(synced, there, '! test -e "$1"', name)
    until_alike(synced)
    assert synced.run(here, ["test", "-e", name]).returncode == 1, "the delete came back"


def test_of_a_concurrent_edit_the_loser_is_kept_and_told(synced: Lab):
    shell(synced, "vps1", f"echo first > {TREE}/test-both")
    until(synced, "vps2", f"test -e {TREE}/test-both")
    synced.fault("partition", "vps1")
    shell(synced, "vps1", f"echo older > {TREE}/test-both")
    time.sleep(1.1)
    shell(synced, "vps2", f"echo newer > {TREE}/test-both")
    synced.heal()
    for host in ("vps1", "vps2"):
        until(synced, host, f"grep -qx newer {TREE}/test-both")
    told = json.loads(runbook(synced, "sync", "conflicts", "--sync", "resolver", "--json").stdout)
    (conflict,) = told[0]["conflicts"]
    assert conflict["kept"] == [{"host": "vps1", "path": "test-both", "bytes": 6}]
    assert conflict["story"] == ["'test-both': changed on vps1, changed on vps2: vps2 won"]
    chosen = ("--sync", "resolver", "--id", conflict["id"], "--choose", "kept")
    assert runbook(synced, "sync", "conflicts", *chosen).returncode == 0
    for host in ("vps1", "vps2"):
        until(synced, host, f"grep -qx older {TREE}/test-both")
    replaced = shell(synced, "vps1", f"cat {STATE}/settled/{conflict['id']}.replaced/test-both")
    assert replaced == "newer\n"
    assert "no conflict" in runbook(synced, "sync", "conflicts", "--sync", "resolver").stdout


# What each side did while nobody watched: of a file of this name, so many minutes ago.
AN_HOUR = {
    "vps1": {f"test-{n}": 5 * n for n in range(1, 12)} | {"test-new": 20, "test-only vps1": 50},
    "vps2": {f"test-{n}": 62 - 5 * n for n in range(1, 12)}
    | {"test-new": 40, "test-only vps2": 45, "test-deleted by vps1": 55},
}


def test_a_side_that_was_down_for_an_hour_catches_up_and_undoes_no_newer_work(synced: Lab):
    known = [f"test-{n}" for n in range(1, 12)]
    known += ["test-only vps1", "test-only vps2", "test-deleted by vps1", "test-gone"]
    before = "; ".join(f"echo before > '{name}'; touch -d '-70 min' '{name}'" for name in known)
    shell(synced, "vps1", f"cd {TREE}; {before}")
    until(synced, "vps2", f"test -e {TREE}/test-gone")
    until_alike(synced)
    edits = {
        host: "; ".join(
            f"echo of {host} > '{name}'; touch -d '-{minutes} min' '{name}'"
            for name, minutes in hour.items()
        )
        for host, hour in AN_HOUR.items()
    }
    edits["vps1"] += "; rm 'test-deleted by vps1' test-gone"
    meanwhile(synced, edits)
    until_alike(synced)
    names = AN_HOUR["vps1"] | AN_HOUR["vps2"]
    newest = {n: min(AN_HOUR, key=lambda host: AN_HOUR[host].get(n, 99)) for n in names}
    stand = shell(synced, "vps2", f"cd {TREE}; grep . test-*").splitlines()
    assert dict(line.split(":of ") for line in stand) == newest, "and the delete was carried over"
    losers = shell(synced, "vps1", f"find {STATE}/conflicts -name 'test-*' | wc -l")
    losers_there = shell(synced, "vps2", f"find {STATE}/conflicts -name 'test-*' | wc -l")
    assert int(losers) + int(losers_there) == 12, "each loser is kept where it lost"


def test_a_tree_that_is_suddenly_empty_empties_nobody_and_a_repair_fills_it(synced: Lab):
    shell(synced, "vps1", f"echo x > {TREE}/test-precious")
    until(synced, "vps2", f"test -e {TREE}/test-precious")
    shell(synced, "vps2", f"cd {TREE} && find . -mindepth 1 -delete")
    until(synced, "vps2", f"grep -q failed {STATE}/daemon")
    assert synced.run("vps1", ["test", "-e", f"{TREE}/test-precious"]).returncode == 0
    flags = ("--sync", "resolver", "--apply", "--rule", "newer", "--json")
    (repaired,) = json.loads(runbook(synced, "sync", "repair", *flags).stdout)
    assert (repaired["ok"], repaired["left"]) == (True, [])
    assert synced.run("vps2", ["test", "-e", f"{TREE}/test-precious"]).returncode == 0
    saved = shell(synced, "vps1", f"tar -tzf {STATE}/{repaired['saved']}")
    assert "./test-precious" in saved.splitlines()


def test_a_limit_of_watches_that_cannot_be_raised_is_told_and_stops_nothing(synced: Lab):
    limit = "/proc/sys/fs/inotify/max_user_watches"
    low = f"echo 8 > /run/low; unshare -m sh -c 'mount --bind -o ro /run/low {limit}; exec \"$@\"'"
    tried = synced.run("vps1", ["sh", "-c", f"{low} sh /usr/local/lib/twinedge/sync prepare"])
    assert tried.returncode == 0
    assert f"inotify watches and {limit} says 8: raise it" in tried.stderr


def test_a_delete_wins_over_a_change_of_mode_and_an_edit_over_a_delete(synced: Lab):
    shell(
        synced,
        "vps1",
        f"cd {TREE} && mkdir 'test-fol der' test-emptied && "
        "for f in test-mode test-emptied/x 'test-fol der/mode' 'test-fol der/edit'; do "
        'echo first > "$f"; done',
    )
    until_alike(synced)
    change = "chmod 600 test-* */mode */edit */x; echo edited > 'test-fol der/edit'"
    meanwhile(synced, {"vps1": change, "vps2": "rm -r test-*"})
    listing = f"cd {TREE} && find test-* | sort | tr '\\n' ,"
    for host in ("vps1", "vps2"):
        until(synced, host, f'[ "$({listing})" = "$1" ]', "test-fol der,test-fol der/edit,")
        assert shell(synced, host, f"cat {TREE}/test-*/edit") == "edited\n"
    told = shell(synced, "vps1", f"cd {STATE}/conflicts; find; cat *.txt")
    for lost in ("test-mode", "test-emptied/x", "test-fol der/mode"):
        assert f"/{lost}\n" in told, "the loser is kept"
        assert f"deleted    {lost}" in told


def test_a_change_of_content_wins_over_a_mere_change_of_mode_or_time(synced: Lab):
    shell(synced, "vps1", f"cd {TREE} && echo first > 'test- 1' && echo first > 'test- 2'")
    until_alike(synced)
    moved = "echo of {} > /run/older && touch -d '-70 min' /run/older && mv /run/older 'test- {}'"
    change = "chmod 600 'test- {0}' && touch 'test- {0}'"
    both = {
        "vps1": f"{moved.format('vps1', 1)} && {change.format(2)}",
        "vps2": f"{moved.format('vps2', 2)} && {change.format(1)}",
    }
    meanwhile(synced, both)
    for host in both:
        until(synced, host, f'[ "$(cd {TREE} && cat test-*)" = "$1" ]', "of vps1\nof vps2")
    told = shell(synced, "vps1", f"cat {STATE}/conflicts/*.txt")
    assert "test- 1" in told and "test- 2" in told, "that a change of mode was lost is told"


def test_what_is_deleted_after_a_run_was_cut_off_stays_deleted(synced: Lab):
    shell(synced, "vps2", "systemctl stop lsyncd")
    arrived = shell(
        synced,
        "vps1",
        f"cd {TREE} && for n in $(seq 2000); do echo $n > test-$n; done; "
        f"log={STATE}/transfers; "
        "until grep -qs '^.END' $log; do :; done; systemctl stop lsyncd; "
        "arrived=$(sed -n 's/^.END. Copying //p' $log | head -n 1); echo $arrived; "
        "find . -name 'test-*' ! -name $arrived -delete",
    ).strip()
    edit = f"sleep 1.2; cd {TREE} && rm {arrived}; set -- test-* && echo edited > $1; echo $1"
    edited = shell(synced, "vps2", edit).strip()
    for host in ("vps1", "vps2"):
        shell(synced, host, "systemctl start lsyncd")
    for host in ("vps1", "vps2"):
        until(synced, host, f'[ "$(cd {TREE} && echo test-*)" = {edited} ]')
        assert shell(synced, host, f"cat {TREE}/{edited}") == "edited\n"


def test_a_memory_that_a_kill_left_half_put_in_place_is_whole_again_and_used(synced: Lab):
    shell(synced, "vps1", f"echo x > {TREE}/test-gone")
    until(synced, "vps2", f"test -e {TREE}/test-gone")
    before = times_joined(synced)
    # unison links a new memory, tm…, to ar… on each side: here the old one is gone already
    both = {
        "vps1": f"rm test-gone && cd {STATE}/unison && for ar in ar*; do mv $ar tm${{ar#ar}}; done",
        "vps2": f"cd {STATE}/unison && for ar in ar*; do ln $ar tm${{ar#ar}}; done",
    }
    meanwhile(synced, both)
    until(synced, "vps2", f"! test -e {TREE}/test-gone")
    assert times_joined(synced) == before, "a memory made anew would bring it back"


@pytest.mark.parametrize(
    ("host", "harm"),
    [
        ("vps1", "truncate -s 0"),
        ("vps2", "truncate -s 0"),
        ("vps2", "truncate -s 100"),
        ("vps1", "sed -i '1s/format [0-9]*/format 99/'"),  # of a newer unison
    ],
)
def test_a_memory_that_is_damaged_is_made_anew_and_nothing_is_deleted(
    synced: Lab, host: str, harm: str
):
    stays = f"{host} {len(harm)}"  # of one test alone: what is written anew alike loses to a delete
    shell(synced, "vps1", f"cd {TREE} && echo first > test-edited && echo {stays} > test-stays")
    until_alike(synced)
    both = {"vps1": "echo edited > test-edited", "vps2": "echo new > test-new"}
    damage = f"; {harm} {STATE}/unison/ar*"
    before = times_joined(synced)
    meanwhile(synced, {**both, host: both[host] + damage})
    for each in both:
        until(synced, each, f'[ "$(cd {TREE} && cat test-*)" = "$1" ]', f"edited\nnew\n{stays}")
    assert times_joined(synced) == before + 1, "and it is told"


def test_what_a_run_that_was_cut_off_had_carried_goes_even_with_a_damaged_memory(synced: Lab):
    cut = (
        "echo Unison started propagating changes at $(date '+%T.00 on %d %b %Y');"
        f"echo '[BGN] Copying test-cut from {TREE} to //vps2/{TREE}';"
        "echo '[END] Copying test-cut'"
    )
    both = {
        "vps1": f"{{ {cut}; }} > {STATE}/cut && touch -d '+1 min' {STATE}/cut; "
        f"truncate -s 0 {STATE}/unison/ar*",
        "vps2": "echo x > test-cut && touch -d '-70 min' test-cut && echo y > test-new",
    }
    meanwhile(synced, both)
    until(synced, "vps1", f"test -e {TREE}/test-new")
    for host in both:
        until(synced, host, f"! test -e {TREE}/test-cut")


def test_a_large_file_is_never_seen_half(synced: Lab):
    size = 50_000_000
    watch = (
        f"while :; do [ ! -e {TREE}/test-large ] || {{ stat -c %s {TREE}/test-large; exit; }}; done"
    )
    seen = synced.popen("vps2", ["timeout", "1200", "sh", "-c", watch])
    shell(synced, "vps1", f"head -c {size} /dev/urandom > {TREE}/test-large")
    out, _ = seen.communicate()
    assert out.strip() == str(size), "the first size that anybody could see"
    until_alike(synced)


def test_two_thousand_small_files_at_once_converge(synced: Lab):
    shell(
        synced,
        "vps1",
        f"mkdir {TREE}/test-many; cd {TREE}/test-many; "
        "for n in $(seq 2000); do echo $n > file-$n; done",
    )
    until(synced, "vps2", f'[ "$(ls {TREE}/test-many | wc -l)" -eq 2000 ]')
    until_alike(synced)


def test_verify_sends_a_canary_each_way_and_finds_no_echo(synced: Lab):
    done = runbook(synced, "sync", "verify", "--sync", "resolver")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("0 transfers back") == 2
    assert done.stdout.count("both sides alike") == 1


def test_the_key_of_a_sync_opens_nothing_else(synced: Lab):
    key = shell(synced, "vps2", "ls /etc/twinedge/sync/*key* /root/.ssh/*sync* 2>/dev/null | "
                                "grep -v '\\.pub$' | head -n 1").strip()  # fmt: skip
    assert key, "the deploy made a key"
    asked = f"ssh -i {key} -o IdentitiesOnly=yes -o BatchMode=yes root@100.67.88.109"
    for command in ("id", "cat /etc/shadow", ""):
        tried = synced.run("vps2", ["sh", "-c", f"{asked} {command!r} </dev/null"])
        assert tried.returncode != 0
        assert "uid=" not in tried.stdout and "root:" not in tried.stdout
