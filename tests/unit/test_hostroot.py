"""A host's script that a test runs as root stays inside of the host."""

from pathlib import Path

import pytest

from tests.unit.fakehosts import FakeHost

MACHINE = (Path("/etc/motd"), Path("/etc/passwd"), Path("/root/.ssh/authorized_keys"))


def contents(paths: tuple[Path, ...]) -> list[bytes | None]:
    return [path.read_bytes() if path.exists() else None for path in paths]


def test_what_a_script_writes_to_a_real_path_is_on_the_host_and_not_on_this_machine(
    host: FakeHost,
):
    before = contents(MACHINE)
    for path in MACHINE:
        done = host.run(f"mkdir -p {path.parent} && echo a-test-was-here >> {path}".encode())
        assert (done.returncode, done.stderr) == (0, b"")
    inside = contents(tuple(host.path(str(path)) for path in MACHINE))
    assert all(b"a-test-was-here" in (text or b"") for text in inside)
    assert contents(MACHINE) == before


@pytest.mark.parametrize(
    "path", ["/usr/bin/sh", "/usr/new", "/proc/sys/fs/inotify/max_user_watches"]
)
def test_what_the_machine_lends_a_host_cannot_be_written(host: FakeHost, path: str):
    done = host.run(f"echo 8192 > {path}".encode())
    assert done.returncode != 0
    assert b"ead-only file system" in done.stderr


def test_nothing_of_a_hosts_root_is_seen_by_the_rest_of_the_machine(host: FakeHost):
    assert str(host.root.folder) in Path("/proc/thread-self/mountinfo").read_text()
    assert str(host.root.folder) not in Path("/proc/1/mountinfo").read_text()


@pytest.mark.parametrize("path", ["../../etc/motd", "/etc/../../motd"])
def test_a_test_names_no_path_that_leads_out_of_a_host(host: FakeHost, path: str):
    with pytest.raises(ValueError, match="out of the host's root"):
        host.path(path)


def test_what_a_script_left_in_the_background_ends_with_its_host(mounts: None, tmp_path: Path):
    host = FakeHost(tmp_path / "host")
    host.run(b"setsid sh -c 'while :; do sleep 1; done' >/dev/null 2>&1 &")
    sleeper, *_ = host.root.processes()
    host.root.close()
    assert not Path(f"/proc/{sleeper}/root/bin").exists()
