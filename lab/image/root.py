"""Writing into a host's root file system from the machine."""

import shutil
from dataclasses import dataclass
from pathlib import Path

UNITS = "/etc/systemd/system"
NOTHING = Path("/dev/null")


@dataclass(frozen=True, kw_only=True)
class Root:
    """A host's root file system; every path is the host's own, from `/`."""

    folder: Path

    def path(self, path: str) -> Path:
        return self.folder / path.lstrip("/")

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Replaces whatever is there: a link of the machine's is not followed."""
        target = self._free(path)
        target.touch(mode=0o600)
        target.write_text(text)
        target.chmod(mode)

    def read(self, path: str) -> str:
        return self.path(path).read_text() if self.path(path).exists() else ""

    def link(self, path: str, to: str | Path) -> None:
        self._free(path).symlink_to(to)

    def remove(self, path: str) -> None:
        target = self.path(path)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    def enable(self, unit: str, *, target: str = "multi-user.target") -> None:
        own = f"{UNITS}/{unit}"
        vendor = f"/lib/systemd/system/{unit}"
        self.link(f"{UNITS}/{target}.wants/{unit}", own if self.path(own).exists() else vendor)

    def mask(self, unit: str) -> None:
        self.link(f"{UNITS}/{unit}", NOTHING)

    def _free(self, path: str) -> Path:
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        return target
