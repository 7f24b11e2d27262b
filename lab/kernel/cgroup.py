"""The lab's control group: which processes are the lab's, and how all of them end."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

PREFIX = "twinedge-lab-"
MOUNTS = Path("/proc/self/mounts")


@dataclass(frozen=True, kw_only=True)
class Group:
    """One control group. The kernel keeps the list of its processes, whoever dies."""

    path: Path

    @classmethod
    def of_lab(cls, lab_id: str) -> "Group":
        return cls(path=_hierarchy() / f"{PREFIX}{lab_id}")

    def child(self, name: str) -> "Group":
        return Group(path=self.path / name)

    @property
    def procs(self) -> Path:
        """The file through which a process enters."""
        return self.path / "cgroup.procs"

    @property
    def exists(self) -> bool:
        return self.path.is_dir()

    def make(self) -> "Group":
        self.path.mkdir(parents=True, exist_ok=True)
        return self

    def pids(self) -> list[int]:
        """Every process in this group and below it."""
        found: list[int] = []
        for folder, _, _ in os.walk(self.path):
            try:
                found += map(int, (Path(folder) / "cgroup.procs").read_text().split())
            except (FileNotFoundError, OSError):  # the group ended while we looked
                continue
        return found

    def freeze(self, frozen: bool) -> None:
        (self.path / "cgroup.freeze").write_text("1" if frozen else "0")

    def kill(self, *, timeout: float = 20) -> None:
        """Ends every process of the group and below it, and waits until they are gone."""
        if not self.exists:
            return
        (self.path / "cgroup.kill").write_text("1")
        deadline = time.monotonic() + timeout
        while "populated 1" in (self.path / "cgroup.events").read_text():
            if time.monotonic() > deadline:
                raise LabError(f"{self.path} keeps processes {self.pids()}; try again")
            time.sleep(0.01)

    def remove(self) -> None:
        """Ends the group with all groups below it."""
        self.kill()
        for folder, _, _ in os.walk(self.path, topdown=False):
            Path(folder).rmdir()


def _hierarchy() -> Path:
    """Where cgroup v2 is mounted: at the top, or beside v1 under `unified`."""
    for line in MOUNTS.read_text().splitlines():
        _, where, kind, options, *_ = line.split(" ")
        if kind == "cgroup2" and "rw" in options.split(","):
            return Path(where)
    raise LabError(
        "no writable cgroup v2 is mounted; "
        "`mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified`"
    )
