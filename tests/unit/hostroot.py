"""A root file system of its own for a host that lives in a folder.

The machine's programs are in it, read-only; its /etc, /var, /root, /run, /tmp and
/usr/local are the host's own. It keeps a script from harm by mistake, not a program that
wants out: it still sees the machine's processes.
"""

import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

CLONE_NEWNS = 0x00020000  # from <linux/sched.h>
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18  # <sys/mount.h>
MNT_DETACH = 2

PROGRAMS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")  # links into usr, or folders
LENT = ("usr", "proc", "etc/alternatives", "etc/ld.so.cache")  # read-only, where there are such
DEVICES = ("null", "zero", "full", "random", "urandom")
OWN = ("etc", "var/lib", "root", "run", "tmp", "dev")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    words = (source.encode(), target.encode(), kind.encode())
    _checked(_libc.mount(*words, ctypes.c_ulong(flags), options.encode()), target)


def _checked(status: int, where: str) -> None:
    if status:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), where)


@contextmanager
def own_mounts() -> Iterator[None]:
    """What this thread and all that it starts mount is seen by nobody else.

    Raises OSError where that cannot be had: without root, or where a sandbox forbids it.
    """
    before, cwd = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY), Path.cwd()
    try:
        _checked(_libc.unshare(CLONE_NEWNS), "a mount namespace")
        _mount("none", "/", "", MS_REC | MS_PRIVATE)
        yield
        _checked(_libc.setns(before, CLONE_NEWNS), "the mount namespace from before")
        os.chdir(cwd)
    finally:
        os.close(before)


class HostRoot:
    """The root file system in `folder`. Needs `own_mounts`; `close` takes the mounts away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        _mount(str(folder), str(folder), "", MS_BIND)  # all others lie in this one
        for name in OWN:
            (folder / name).mkdir(parents=True)
        (folder / "tmp").chmod(0o1777)
        (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (folder / "etc/group").write_text("root:x:0:\n")
        for name in PROGRAMS:
            self._lend_programs(Path("/", name))
        for name in LENT:
            self.lend(Path("/", name), f"/{name}", writable=False)
        for name in DEVICES:
            self.lend(Path("/dev", name), f"/dev/{name}")
        self.memory("/usr/local")

    def path(self, path: str) -> Path:
        """Where a path of the host lies on this machine."""
        inside = self.folder / path.lstrip("/")
        if ".." in inside.parts:
            raise ValueError(f"{path} may lead out of the host's root")
        return inside

    def lend(self, real: Path, path: str, *, writable: bool = True) -> None:
        """Show `real` of this machine at `path` of the host, where there is such a thing."""
        if not real.exists():
            return
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if real.is_dir():
            target.mkdir(exist_ok=True)
        elif not target.exists():
            target.touch()
        _mount(str(real), str(target), "", MS_BIND)
        if not writable:
            _mount("none", str(target), "", MS_REMOUNT | MS_BIND | MS_RDONLY)

    def memory(self, path: str, options: str = "") -> Path:
        """Mount an empty file system in memory there."""
        target = self.path(path)
        target.mkdir(parents=True, exist_ok=True)
        _mount("tmpfs", str(target), "tmpfs", 0, options)
        return target

    def read_only(self, path: str) -> None:
        """What is mounted there can no longer be written, through this mount or another."""
        _mount("none", str(self.path(path)), "", MS_REMOUNT | MS_RDONLY)

    def run(self, words: Sequence[str], given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """Run a command as root of the host."""
        chroot = shutil.which("chroot", path=PATH) or "chroot"
        command, env = [chroot, str(self.folder), *words], {"PATH": PATH, "HOME": "/root"}
        return subprocess.run(command, input=given, capture_output=True, env=env)

    def files(self) -> Iterator[Path]:
        """Every file that is the host's own."""
        lent = {str(self.path(name)) for name in (*LENT, *PROGRAMS, "dev")}
        for folder, folders, names in os.walk(self.folder):
            folders[:] = [name for name in folders if f"{folder}/{name}" not in lent]
            paths = [Path(folder, name) for name in names]
            yield from (path for path in paths if path.is_file())

    def processes(self) -> Iterator[int]:
        """Every process that runs there: what a script has left in the background."""
        here = self.folder.stat()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # gone, or ended and not yet waited for: it has no root
                if os.path.samestat((process / "root").stat(), here):
                    yield int(process.name)

    def close(self) -> None:
        """Ends what still runs there, as a power cut does, and takes the mounts away."""
        while left := list(self.processes()):
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        _checked(_libc.umount2(str(self.folder).encode(), MNT_DETACH), str(self.folder))

    def _lend_programs(self, real: Path) -> None:
        if real.is_symlink():
            self.path(str(real)).symlink_to(real.readlink())
        elif real.is_dir():
            self.lend(real, str(real), writable=False)
