"""One lab host as a running thing: boot it, wait for it, enter it, cut its power."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import topology
from lab.errors import LabError
from lab.image.cache import last_line
from lab.image.image import Image
from lab.kernel.cgroup import Group
from lab.kernel.spawn import spawn
from lab.options import Options
from lab.state import Process, State

BOOT = Path(__file__).with_name("boot.sh")
JOIN = Path(__file__).with_name("join.py")
PYTHON = ("-I", "-S")  # join.py needs nothing of the environment
INIT_SECONDS = 10.0
SYSTEMD, UNRAID = "/lib/systemd/systemd", "/sbin/init"


@dataclass(frozen=True, kw_only=True)
class Host:
    """A host by name. It is up while its PID 1 lives."""

    name: str
    state: State
    group: Group  # of the host; systemd sees it as the top

    @classmethod
    def of(cls, state: State, name: str) -> "Host":
        return cls(name=name, state=state, group=Group.of_lab(state.id).child(name))

    @property
    def init(self) -> Process | None:
        return self.state.process(self.name)

    @property
    def is_unraid(self) -> bool:
        known = topology.load(self.state)
        return known is not None and known.machine(self.name).is_unraid

    @property
    def program(self) -> str:
        """What its PID 1 runs."""
        return UNRAID if self.is_unraid else SYSTEMD

    @property
    def log(self) -> Path:
        return self.state.folder / f"{self.name}.log"

    def boot(self, keeper: Process, *, lock: int) -> None:
        """Starts the host and returns at once. Its disk is as it was."""
        net = self.state.folder / "net" / self.name
        caddy, venv = self.state.venv / "bin" / "caddy", Image.of(self.state, self.name).venv
        own = [] if venv else python_home(self.state.python)
        seen = [*own, *Options.of(self.state).folders(self.state)]
        binds = {caddy: "/usr/bin/caddy", **{path: path for path in seen}}
        if venv:
            binds[Path(venv)] = self.state.venv
        self.group.make()
        self.group.child("visitors").make()
        self.log.write_bytes(b"")  # what an earlier life said is no sign of this one's end
        spawn(
            ["nsenter", "-t", str(keeper.pid), "-m", "--", "nsenter", f"--net={net}", "--",
             "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child",
             "--propagation", "private",
             "sh", str(BOOT), str(self.state.folder / "roots" / self.name),
             str(self.group.procs), self.name, str(self.state.folder / "shared"),
             str(self.state.checkout), self.program,
             *(f"{path}={at}" for path, at in binds.items())],
            group=Group.of_lab(self.state.id).child("keeper"), lock=lock, log=self.log,
        )  # fmt: skip

    def find_init(self) -> Process:
        """Waits for PID 1 and writes it down."""
        deadline = time.monotonic() + INIT_SECONDS
        while time.monotonic() < deadline:
            for pid in self.group.pids():
                if _is_init(pid):
                    init = Process.of(pid)
                    self.state.remember(self.name, init)
                    return init
            time.sleep(0.01)
        raise LabError(f"{self.name} does not start: {last_line(self.log)}")

    def enter(self, argv: Sequence[str], *, folder: Path = Path("/")) -> list[str]:
        """The command that runs `argv` in this host; it passes the exit status on."""
        init = self.init
        if init is None:
            raise LabError(f"{self.name} is off; `python -m lab up`")
        visitors = self.group.child("visitors").procs
        return [
            sys.executable,
            *PYTHON,
            str(JOIN),
            str(init.pid),
            str(visitors),
            str(folder),
            *argv,
        ]

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.enter(argv), text=True, capture_output=True, stdin=subprocess.DEVNULL
        )

    def wait_booted(self, deadline: float) -> str:
        """Waits for the end of the boot; what systemd then says of itself."""
        while time.monotonic() < deadline:
            init = self.init
            if init is None:
                raise LabError(f"{self.name} died in its boot: {last_line(self.log)}")
            said = self.condition(init)
            if said not in ("", "offline", "initializing", "starting"):
                return said
            time.sleep(0.1)
        raise LabError(f"{self.name} is still booting; see what it waits for: {self.jobs}")

    def condition(self, init: Process) -> str:
        """What the host says of itself: `running` is well, and empty is too early to ask."""
        run = Path(f"/proc/{init.pid}/root/run")
        if self.is_unraid:
            return "running" if (run / "booted").exists() else ""
        if not (run / "systemd/private").exists():
            return ""
        return self.run("systemctl", "is-system-running").stdout.strip()

    @property
    def jobs(self) -> str:
        return f"`python -m lab exec {self.name} -- systemctl list-jobs`"

    def failed_units(self) -> list[str]:
        if self.is_unraid:
            return []
        listed = self.run("systemctl", "list-units", "--failed", "--plain", "--no-legend").stdout
        return [line.split()[0] for line in listed.splitlines() if line.strip()]

    def set_array(self, *, started: bool) -> None:
        """Starts or stops the array of an Unraid-like host."""
        done = self.run("/etc/rc.d/rc.array", "start" if started else "stop")
        if done.returncode:
            raise LabError(f"{self.name}: rc.array: {done.stderr.strip()}; `python -m lab status`")

    def cut_power(self) -> None:
        """Ends everything in the host at once, as a power cut does."""
        self.group.remove()
        self.state.write(f"processes/{self.name}.json", None)


def python_home(python: Path) -> list[Path]:
    """Folders that the checkout's Python needs and a host would not have by itself."""
    home = python.resolve().parent.parent
    return [] if home == Path("/usr") else [home]


def _is_init(pid: int) -> bool:
    """PID 1 of a host that is already its init, not the shell that prepares it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    ids = fields.get("NSpid", "").split()
    return len(ids) > 1 and ids[-1] == "1" and fields["Name"].strip() in ("systemd", "init")
