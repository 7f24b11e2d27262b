"""What our scripts write on a host is whole and on the disk before it replaces anything.

Each writing function of tasks/host/ runs on a small disk that is full, read-only, or
gone by the time that it is asked to keep something: it fails, and the old file stays.
"""

import base64
import hashlib
import io
import tarfile
from dataclasses import dataclass, field

import pytest

from tasks.host import host_side
from tests.unit.fakehosts import SHELLS, FakeHost

OLD = "as it was\n"
RELEASE = ("write.sh", "release.sh")
DRILL = (*RELEASE, "drill.sh")
UNITS = "/etc/systemd/system"
FRONT = """\
state=/disk home=/disk keys=/disk name=one directory=/disk/tree user=root lsyncd_config=/none
export TREE=/disk/tree
purpose=sync owner=root mask=077
init=systemd id=r2 token=t holder=me window=60 lease=60 keep=5 step_timeout=5 break_lock=no
"""
KEYGEN = """\
while [ "$1" != -f ]; do shift; done
echo private > "$2" && echo public > "$2.pub"
"""
IN_R2 = "release=/disk/releases/r2; "
LISTED = {"/disk/current": "r2\n", "/disk/releases/r2/meta": "commit a\nhost vps9 100.64.0.9\n"}
GO = "#!/bin/bash\n/usr/local/sbin/emhttp\n"
MANIFEST = (
    f"1 0644 root:root {'0' * 64} {hashlib.sha256(OLD.encode()).hexdigest()} - app /disk/app\n"
)


@dataclass(frozen=True, kw_only=True)
class Writing:
    """One function: the disk before, how it is called, and what a failure leaves as it was.

    `made` is what it makes on a healthy disk; `syncs` whether it asks for anything to be kept.
    """

    scripts: tuple[str, ...]
    call: str
    made: str
    disk: str = "/disk"
    before: dict[str, str] = field(default_factory=dict)
    given: bytes = b""
    syncs: bool = True


def packed() -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("new/1"))
        big = tarfile.TarInfo("manifest")
        big.size = 4096
        tar.addfile(big, io.BytesIO(bytes(4096)))
    return base64.encodebytes(written.getvalue())


WRITINGS = {
    "the lock": Writing(
        scripts=RELEASE,
        call="guarded take_lock",
        before={"/disk/lock": "t0\nann\n1\n2\n"},
        made="/disk/lock",
    ),
    "a staged release": Writing(
        scripts=RELEASE,
        call="begin_stage; unpack; trap - EXIT",
        given=packed(),
        made="/disk/releases/r2/manifest",
    ),
    "an adopted release": Writing(
        scripts=RELEASE,
        call=IN_R2 + "cd /disk/releases/r1; mkdir new validate tool activate; adopt r1",
        before={
            "/disk/releases/r1/manifest": MANIFEST,
            "/disk/releases/r1/folders": "",
            "/disk/releases/r1/meta": "commit a\n",
            "/disk/releases/r2/meta": "commit b\nby me\n",
        },
        made="/disk/releases/r2/meta",
    ),
    "made folders": Writing(
        scripts=RELEASE,
        call=IN_R2 + "make_folders",
        before={"/disk/releases/r2/folders": "/disk/folder\n"},
        made="/disk/folder",
        syncs=False,
    ),
    "the changes of a commit": Writing(
        scripts=RELEASE,
        call=IN_R2 + 'write_changes || die "$why"',
        before={
            "/disk/lock": "t\nme\n1\n9999999999\n",
            "/disk/app": OLD,
            "/disk/current": "r1\n",
            "/disk/release.sh": OLD,
            "/disk/releases/r2/manifest": MANIFEST,
            "/disk/releases/r2/new/1": "new\n",
            "/disk/releases/r2/release.sh": "new\n",
        },
        made="/disk/pending",
    ),
    "the revert's sleeper": Writing(
        scripts=RELEASE,
        call="init=none; arm && disarm && date > /armed",
        before={"/disk/release.sh": "sleep 60\n"},
        made="/armed",
        syncs=False,
    ),
    "the revert's unit": Writing(
        scripts=RELEASE,
        call="boot_unit",
        disk=UNITS,
        before={f"{UNITS}/twinedge-boot.service": OLD},
        made=f"{UNITS}/twinedge-boot.service",
    ),
    "what Unraid does at boot": Writing(
        scripts=RELEASE,
        call="boot_line",
        disk="/boot/config",
        before={"/boot/config/go": GO},
        made="/boot/config/go",
    ),
    "what Unraid does at boot no more": Writing(
        scripts=(*RELEASE, "retire.sh"),
        call="init=none state=/none/state; leave",
        disk="/boot/config",
        before={"/boot/config/go": f"{GO}true # twinedge: back to the last confirmed release\n"},
        made="/boot/config/go",
    ),
    "the hosts of the site": Writing(
        scripts=(*RELEASE, "members.sh"),
        call="list_hosts",
        before=LISTED,
        given=b"vps1 100.64.0.1\n",
        made="/disk/releases/r2/meta",
    ),
    "a host that has left": Writing(
        scripts=(*RELEASE, "members.sh"),
        call="forget vps9",
        before=LISTED,
        made="/disk/releases/r2/meta",
    ),
    "a tree before its repair": Writing(
        scripts=("write.sh", "sync_look.sh"),
        call="in_tree() { head -c 9000 /dev/urandom; }; save s1",
        made="/disk/one/repairs/s1.tar.gz",
    ),
    "what is put back into a tree": Writing(
        scripts=("sync_trees.sh",),
        call="put_back /disk/kept /disk/replaced",
        before={"/disk/kept/app": "kept\n", "/disk/tree/app": OLD},
        made="/disk/tree/app",
    ),
    "a tree's canary": Writing(
        scripts=("sync_trees.sh",),
        call="canary words",
        made="/disk/tree/twinedge-canary",
        syncs=False,  # it stands in the tree, which it would see on
    ),
    "the restore's unit": Writing(
        scripts=DRILL,
        call="drill_boot_unit",
        disk=UNITS,
        before={f"{UNITS}/twinedge-drill-boot.service": OLD},
        made=f"{UNITS}/twinedge-drill-boot.service",
    ),
    "a drill's restore": Writing(
        scripts=DRILL,
        call="mkdir -p $drill; put_drill undo.sh",
        given=base64.b64encode(b"true\n"),
        made="/disk/drill/undo.sh",
    ),
    "a drill's note": Writing(
        scripts=DRILL,
        call="mkdir -p $drill; inject() { date > /broken; }; inject_drill",
        made="/broken",
    ),
    "the sync's key": Writing(
        scripts=("write.sh", "keys.sh"), call="make_key", made="/disk/key.pub"
    ),
    "known hosts": Writing(
        scripts=("write.sh", "keys.sh"),
        call="install_known",
        before={"/disk/known_hosts": OLD},
        given=b"vps2 key\n",
        made="/disk/known_hosts",
    ),
    "authorized keys": Writing(
        scripts=("write.sh", "keys.sh"),
        call="install_authorized",
        disk="/root",
        before={"/root/.ssh/authorized_keys": "operator's key\nkey twinedge-sync:vps2\n"},
        given=b"other key twinedge-sync:vps2\n",
        made="/root/.ssh/authorized_keys",
    ),
    "authorized keys without an operator's": Writing(
        scripts=("write.sh", "keys.sh"),
        call="install_authorized",
        disk="/root",
        before={"/root/.ssh/authorized_keys": "key twinedge-sync:vps2\n"},
        given=b"other key twinedge-sync:vps2\n",
        made="/root/.ssh/authorized_keys",
    ),
}


class Disk:
    """A host with a disk of 256 KiB where one function writes; `behind` still sees a lost one."""

    def __init__(self, host: FakeHost, writing: Writing) -> None:
        self.host, self.writing = host, writing
        self.path = host.root.memory(writing.disk, "size=256k")
        host.root.lend(self.path, "/behind")
        host.path(UNITS).mkdir(parents=True, exist_ok=True)
        host.stub("ssh-keygen", KEYGEN)
        host.stub("systemd-run", "")
        for path, text in {"/disk/tree/.keep": "", **writing.before}.items():
            host.path(path).parent.mkdir(parents=True, exist_ok=True)
            host.path(path).write_text(text)

    def call(self) -> int:
        script = f"{FRONT}{host_side(*self.writing.scripts)}\n{self.writing.call}\n"
        done = self.host.root.run(["sh", "-c", script], self.writing.given)
        return done.returncode

    def fill(self) -> None:
        with (
            (self.path / "fill").open("wb", buffering=0) as fill,
            pytest.raises(OSError, match="space"),
        ):
            while True:
                fill.write(bytes(4096))

    def vanish_when_asked_to_keep(self) -> None:
        self.host.stub("sync", f'umount -l {self.writing.disk}\nexec /bin/sync "$@"\n')

    def assert_as_before(self) -> None:
        for path, text in self.writing.before.items():
            behind = self.host.path(path.replace(self.writing.disk, "/behind", 1))
            assert behind.read_text() == text
        if self.writing.made not in self.writing.before:
            assert not self.host.path(self.writing.made).exists()


@pytest.fixture
def disk(request: pytest.FixtureRequest, host: FakeHost) -> Disk:
    return Disk(host, WRITINGS[request.param])


@pytest.mark.parametrize("disk", WRITINGS, indirect=True)
def test_on_a_healthy_disk_it_is_written(disk: Disk):
    assert disk.call() == 0
    made = disk.host.path(disk.writing.made)
    before = disk.writing.before.get(disk.writing.made, "")
    assert made.is_dir() or made.read_bytes() != before.encode()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("disk", WRITINGS, indirect=True)
def test_a_full_disk_refuses_it_and_leaves_what_was_there(disk: Disk, shell: str):
    disk.host.use_shell(shell)
    disk.fill()
    assert disk.call() != 0
    disk.assert_as_before()


@pytest.mark.parametrize("disk", WRITINGS, indirect=True)
def test_a_read_only_disk_refuses_it_and_leaves_what_was_there(disk: Disk):
    disk.host.root.read_only(disk.writing.disk)
    assert disk.call() != 0
    disk.assert_as_before()


@pytest.mark.parametrize("disk", [n for n, w in WRITINGS.items() if w.syncs], indirect=True)
def test_a_disk_that_vanishes_before_it_has_kept_it_is_told(disk: Disk):
    disk.vanish_when_asked_to_keep()
    assert disk.call() != 0
    disk.assert_as_before()
