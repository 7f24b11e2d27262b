"""A service as it runs on a lab host: what stops it, starts it and freezes it."""

from dataclasses import dataclass

from lab.errors import LabError
from lab.kernel.cgroup import Group
from lab.kernel.machine import Host
from lab.topology import Origin


@dataclass(frozen=True, kw_only=True)
class Running:
    """A systemd unit."""

    host: Host
    name: str

    def stop(self) -> None:
        self._must("systemctl", "stop", self.name)

    def kill(self) -> None:
        self._must("systemctl", "kill", "--signal=KILL", self.name, unless="not loaded")

    def start(self) -> None:
        self._start("start")

    def start_anew(self) -> None:
        self._start("restart")

    def _start(self, verb: str) -> None:
        self.host.run("systemctl", "reset-failed", self.name)  # six in ten seconds are too many
        self._must("systemctl", verb, self.name)

    def freeze(self, frozen: bool) -> None:
        """A frozen service keeps its sockets and answers nothing, like a hung one."""
        group = self._group()
        if group is not None and group.exists:
            group.freeze(frozen)
        elif frozen:
            raise LabError(
                f"{self.host.name}: {self.name} does not run, so it cannot hang; start it first"
            )

    def _group(self) -> Group | None:
        return self.host.group.child("system.slice").child(f"{self.name}.service")

    def _must(self, *argv: str, unless: str = "") -> str:
        done = self.host.run(*argv)
        said = (done.stderr or done.stdout).strip()
        if done.returncode and not (unless and unless in said):
            raise LabError(f"{self.host.name}: {' '.join(argv)}: {said}; `python -m lab status`")
        return done.stdout.strip()


@dataclass(frozen=True, kw_only=True)
class Container(Running):
    """A docker container. Frozen from outside: docker itself goes on to say that it runs."""

    def stop(self) -> None:
        self._must("docker", "stop", self.name)

    def kill(self) -> None:
        self._must("docker", "kill", self.name, unless="is not running")

    def start(self) -> None:
        self._must("docker", "start", self.name)

    def start_anew(self) -> None:
        self._must("docker", "restart", self.name)

    def _group(self) -> Group | None:
        pid = self._must("docker", "inspect", "-f", "{{.State.Pid}}", self.name)
        if pid == "0":
            return None
        told = self._must("sed", "-n", "s/^0:://p", f"/proc/{pid}/cgroup")
        return self.host.group.child(told.lstrip("/"))


def running(origin: Origin, host: Host) -> Running:
    kind = Container if origin.is_container else Running
    return kind(host=host, name=origin.unit)
