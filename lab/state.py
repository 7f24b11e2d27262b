"""Where a lab keeps what it wrote down: its id, its folder, its lock, its processes."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.errors import LabError

RUN = Path("/run/twinedge-lab")
CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process that cannot be mistaken for another one that got its pid later."""

    pid: int
    born: str  # the boot of the machine, and the clock ticks from it to the start

    @classmethod
    def of(cls, pid: int) -> "Process":
        return cls(pid=pid, born=_born(pid))

    @property
    def alive(self) -> bool:
        return bool(self.born) and _born(self.pid) == self.born


@dataclass(frozen=True, kw_only=True)
class State:
    """One lab's folder. Everything that the lab makes has `id` in its name."""

    id: str
    checkout: Path

    @classmethod
    def for_checkout(cls) -> "State":
        digest = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:6]
        return cls(id=os.environ.get("TWINEDGE_LAB") or digest, checkout=CHECKOUT)

    @property
    def folder(self) -> Path:
        return RUN / self.id

    @property
    def venv(self) -> Path:
        return self.checkout / ".venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @contextmanager
    def locked(self) -> Iterator[int]:
        """One change at a time. Gives the lock's descriptor: who inherits it holds it too."""
        RUN.mkdir(mode=0o700, exist_ok=True)
        with (RUN / f"{self.id}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock.fileno()

    def write(self, name: str, value: object) -> None:
        """Writes JSON atomically; with None, forgets it."""
        path = self.folder / name
        if value is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged = path.with_name(f".{path.name}")
        staged.write_text(json.dumps(value, indent=1))
        staged.rename(path)

    def read(self, name: str) -> object:
        """What was written under this name, or None."""
        try:
            return json.loads((self.folder / name).read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise LabError(
                f"{self.folder / name} is damaged ({error}); run `python -m lab down`"
            ) from error

    def remember(self, name: str, process: Process) -> None:
        self.write(f"processes/{name}.json", asdict(process))

    def process(self, name: str) -> Process | None:
        """The process of that name, if it still runs."""
        match self.read(f"processes/{name}.json"):
            case {"pid": int(pid), "born": str(born)}:
                process = Process(pid=pid, born=born)
                return process if process.alive else None
        return None


def _born(pid: int) -> str:
    """Empty for a process that is gone or is only waiting to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return "" if fields[0] in "ZX" else f"{boot}:{fields[19]}"
