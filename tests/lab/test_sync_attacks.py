"""A synced edge that was broken into, against the other: it gets at nothing but the tree.

Each test plays an attacker with harmless markers and reports what it got through.
"""

from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab.conftest import runbook, shell
from tests.lab.test_sync import STATE, TREE, clear, meanwhile, until, until_alike

HOSTS = ("vps1", "vps2")  # the runner, whose unison is the client; the one that serves
FOLDERS = ("/root/marks", "/etc/marks", "/etc/unbound/marks")
MARKER = "a marker that nobody may read"
OURS = (*FOLDERS, "/etc/twinedge/sync", STATE, f"{STATE}/conflicts", "/etc/cron.d", "/usr/bin")
PLANTED = [f"{folder}/planted" for folder in OURS]
SECRETS = (
    *(f"{folder}/{name}" for folder in FOLDERS for name in ("secret", "public")),
    *("/etc/twinedge/sync/key", "/etc/shadow", "/etc/hostname", f"{STATE}/history", "/proc/1/comm"),
    f"{TREE}/../marks/secret",
)
MARK = f"""\
for folder in {" ".join(FOLDERS)}; do
    mkdir -p $folder && cd $folder || exit 1
    echo '{MARKER}' | tee secret public > owned
    chmod 600 secret
    chown 7:7 owned
done
"""
STANDING = f"find {' '.join(FOLDERS)} -type f -exec stat -c '%n %a %u %g' {{}} + -exec cat {{}} +"
UNMARK = (
    f"rm -rf {' '.join(FOLDERS)} /usr/local/bin/unison /root/loot "
    f"{TREE}/test-* {TREE}/.twinedge-canary.tmp {STATE}/unison/tmplanted"
)

# What stands in the place of a unison that has been taken over, in the box.
TAKEN_OVER = f"""\
#!/bin/sh
exec 2>/dev/null
for path in {" ".join(SECRETS)}; do [ -z "$(cat "$path")" ] || echo "read $path"; done
for folder in {" ".join(OURS)}; do touch "$folder/planted"; done
[ -z "$(ls {STATE}/settled {STATE}/repairs)" ] || echo 'lists what lies beside'
cp /bin/sh {TREE}/test-setuid && chmod 4755 {TREE}/test-setuid && echo 'made a file setuid'
mknod {TREE}/test-device b 8 0 && echo 'made a device'
kill -0 1 && echo 'signals others'
bash -c 'exec 3<>/dev/tcp/127.0.0.1/22' && echo 'reaches this host'
bash -c 'exec 3<>/dev/tcp/100.102.55.88/22' && echo 'reaches the tailnet'
mount -t tmpfs none /usr && echo 'mounts'
: > {TREE}/test-done
"""


@pytest.fixture
def marked(lab: Lab) -> Iterator[Lab]:
    until_alike(lab)
    for host in HOSTS:
        shell(lab, host, MARK)
    yield lab
    lab.heal()
    for host in HOSTS:
        shell(lab, host, f"systemctl start lsyncd; {UNMARK}")
    clear(lab)


def standing(lab: Lab) -> dict[str, str]:
    return {host: shell(lab, host, STANDING) for host in HOSTS}


def planted(lab: Lab, host: str) -> list[str]:
    return shell(lab, host, f"ls -d {' '.join(PLANTED)} 2>/dev/null || :").split()


def test_a_unison_that_was_taken_over_reaches_nothing_but_the_tree_on_either_end(marked: Lab):
    before = standing(marked)
    shell(marked, "vps1", f"systemctl stop lsyncd; flock -w 20 {STATE}/lock true")
    for host in HOSTS:  # the other end is our own each time: the client, then the server
        told = f"{TREE}/test-got"
        script = TAKEN_OVER.replace("exec 2>", f"exec > {told} 2>", 1)
        put = f"cat > /usr/local/bin/unison <<'END'\n{script}END\nchmod 755 /usr/local/bin/unison"
        shell(marked, host, f"rm -f {TREE}/test-*; {put}")
        marked.run("vps1", ["/usr/local/lib/twinedge/sync", "run", "resolver"])
        until(marked, host, f"test -e {TREE}/test-done")
        shell(marked, host, "rm /usr/local/bin/unison")
        assert shell(marked, host, f"cat {told}") == "", f"{host}: this got through"
        assert planted(marked, host) == []
        assert "s" not in shell(marked, host, f"stat -c %A {TREE}/test-setuid")
    assert standing(marked) == before


# What the key's owner has unison name as the root on the other side.
ROOTS = (*FOLDERS, f"{TREE}/../marks", f"{TREE}/test-link", "/", STATE, "/etc/twinedge/sync")
STEAL = """\
mkdir -p /root/loot/tree && cd /root/loot && export UNISON=/root/loot/memory
keys=/etc/twinedge/sync
echo planted > tree/planted
timeout 30 unison /root/loot/tree "ssh://root@{address}/{root}" -batch -auto -ui text \
    -ignore 'Path proc' -ignore 'Path sys' -follow 'Name test-link' -perms -1 \
    -sshargs "-i $keys/key -o BatchMode=yes -o UserKnownHostsFile=$keys/known_hosts \
        -o HostKeyAlias=vps2" \
    -servercmd 'serve resolver -' </dev/null > /root/loot/said 2>&1
grep -q Connected /root/loot/said && echo connected
grep -r -l -F '{marker}' /root/loot/tree && echo 'got the marker'
rm -rf /root/loot
"""


def test_the_runners_key_takes_nothing_away_and_leaves_nothing_by_any_root(marked: Lab):
    shell(marked, "vps1", f"ln -s /root/marks {TREE}/test-link")
    until(marked, "vps2", f"test -h {TREE}/test-link")
    shell(marked, "vps1", "systemctl stop lsyncd")
    before = standing(marked)
    address, through = marked.machines["vps2"].tailnet, []
    for root in ROOTS:
        told = shell(marked, "vps1", STEAL.format(address=address, root=root, marker=MARKER))
        through += [f"{root}: {line}" for line in told.splitlines() if line != "connected"]
    assert through == []
    assert standing(marked) == before
    assert planted(marked, "vps2") == []


def test_the_verbs_of_the_gate_follow_no_link_out_of_the_tree(marked: Lab):
    shell(marked, "vps1", f"ln -s /root/marks {TREE}/test-link")
    until(marked, "vps2", f"test -h {TREE}/test-link")
    ask = "/usr/local/lib/twinedge/sync gate vps1"
    paths = "test-link/secret\\ntest-link/nothing\\n"
    absent = shell(marked, "vps2", f"printf '{paths}' | {ask} 'absent resolver'").split()
    assert absent == ["test-link/secret", "test-link/nothing"], "what is there is not told"
    untouched = shell(marked, "vps2", f"printf '{paths}' | {ask} 'untouched resolver 1 2'")
    assert untouched == ""
    folder = "dGVzdC1saW5rL3BsYW50ZWQ="  # test-link/planted
    marked.run("vps2", ["sh", "-c", f"{ask} 'folder resolver {folder}'"])
    assert planted(marked, "vps2") == []


# Where root's own words would go, had the peer put a link there.
LINKS = f"""\
cd {STATE} && mkdir -p conflicts/20260101T000000
ln -s /root/marks/secret conflicts/20260101T000000/test-kept
mkdir -p conflicts/20260101T000000/test-folder
echo planted > conflicts/20260101T000000/test-folder/planted
ln -s /root/marks {TREE}/test-folder
ln -s /root/marks/planted {TREE}/.twinedge-canary.tmp
ln -s /root/marks/secret {TREE}/test-kept
ln -sf /root/marks/planted unison/tmplanted
for note in event.said daemon.next run.next open history.1; do
    ln -sf /root/marks/planted $note
done
echo a lost one > conflicts/20260101T000000/test-lost
"""


def test_no_look_and_no_decision_follows_a_link_that_the_peer_has_made(marked: Lab):
    before = standing(marked)
    meanwhile(marked, dict.fromkeys(HOSTS, LINKS))
    said = ""
    for words in (
        ("status",),
        ("verify",),
        ("conflicts", "--id", "20260101T000000"),
        ("conflicts", "--id", "20260101T000000", "--choose", "kept"),
        ("repair", "--apply", "--rule", "newer"),
    ):
        done = runbook(marked, "sync", *words, "--sync", "resolver", "--json")
        said += done.stdout + done.stderr
    assert MARKER not in said
    assert standing(marked) == before
    for host in HOSTS:
        assert planted(marked, host) == []
        kept = shell(marked, host, f"grep -r -l -F '{MARKER}' {STATE} || :")
        assert kept == "", "and nothing of it was copied"
