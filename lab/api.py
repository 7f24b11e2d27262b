"""The lab as a value: bring it up, run things in it, break it, take it down."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab import assembly, breaking, faults, topology
from lab.errors import LabError
from lab.fault_kinds import HOST_KINDS
from lab.faults import Fault, Record
from lab.image import cache
from lab.kernel.machine import Host
from lab.options import Options
from lab.requirements import check
from lab.state import State
from lab.topology import Machine, Topology

FORWARDED = ("TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, kw_only=True)
class Lab:
    """One checkout's lab. Every change of it is made under the lab's lock."""

    state: State

    @classmethod
    def for_checkout(cls) -> "Lab":
        """The lab of this checkout, or the one that TWINEDGE_LAB names."""
        return cls(state=State.for_checkout())

    @property
    def topology(self) -> Topology:
        """What is up. Raises LabError when nothing is."""
        known = topology.load(self.state)
        if known is None:
            raise LabError("the lab is down; `python -m lab up`")
        return known

    @property
    def machines(self) -> Mapping[str, Machine]:
        return self.topology.machines

    @property
    def faults(self) -> tuple[Fault, ...]:
        return Record.of(self.state).faults

    def host(self, name: str) -> Host:
        return Host.of(self.state, self.topology.machine(name).name)

    @property
    def options(self) -> Options:
        """What was asked of the lab that is up, or is the default."""
        return Options.of(self.state)

    def up(
        self, say: Callable[[str], None] = assembly.silent, options: Options | None = None
    ) -> None:
        """Boots what is not up. Does nothing, quickly, when all of it is.

        Raises UsageError when what is up was made with other `options`; None are those.
        """
        check(self.state)
        with self.state.locked() as lock:
            assembly.up(self.state, lock, options or self.options, say)

    def down(self, *, purge: bool = False) -> None:
        """Ends everything; with `purge` also the software layer, if no other lab uses it."""
        check(self.state)
        with self.state.locked():
            assembly.clear(self.state)
        if purge:
            cache.remove_unused()

    def command(self, host: str, argv: Sequence[str], *, folder: Path | None = None) -> list[str]:
        """What runs `argv` on a host, by default in the checkout; give it `environment`."""
        return self.host(host).enter(argv, folder=folder or self.state.checkout)

    @property
    def environment(self) -> dict[str, str]:
        """A host's environment; of the caller's own only what describes the terminal."""
        terminal = {name: os.environ[name] for name in FORWARDED if name in os.environ}
        return {
            "HOME": "/root",
            "USER": "root",
            "LOGNAME": "root",
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
            "PATH": f"{self.state.venv / 'bin'}:{SYSTEM_PATH}",
            "VIRTUAL_ENV": str(self.state.venv),
            "TWINEDGE_CONFIG": str(self.options.config(self.state)),
        } | terminal

    def run(
        self,
        host: str,
        argv: Sequence[str],
        *,
        timeout: float | None = None,
        input: str | None = None,  # noqa: A002 - as in subprocess.run
        check: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a command on a host as subprocess.run does, with its output as text."""
        return subprocess.run(
            self.command(host, argv),
            timeout=timeout,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            check=check,
            text=True,
            capture_output=True,
            env=self.environment | dict(env or {}),
        )

    def popen(
        self,
        host: str,
        argv: Sequence[str],
        *,
        stdin: int | IO[str] | None = subprocess.DEVNULL,
        stdout: int | IO[str] | None = subprocess.PIPE,
        stderr: int | IO[str] | None = subprocess.PIPE,
        env: Mapping[str, str] | None = None,
    ) -> "subprocess.Popen[str]":
        """Starts a command on a host. Signals reach it, and it dies with what this returns."""
        return subprocess.Popen(
            self.command(host, argv),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=True,
            env=self.environment | dict(env or {}),
        )

    def fault(self, kind: str, subject: str, **options: str | float | None) -> Fault:
        """Starts a fault; options are its kind's, and `other` (a pair's far end)."""
        fault = self._asked(kind, subject, options)
        with self.state.locked():
            breaking.begin(self.state, self.topology, fault)
        return fault

    def end_fault(
        self, kind: str, subject: str, **options: str | float | None
    ) -> tuple[Fault, ...]:
        """Ends a fault, and says which ones that were; none is no error."""
        asked = self._asked(kind, subject, options)
        with self.state.locked() as lock:
            found = Record.of(self.state).matching(kind, subject, asked.other)
            for fault in found:
                breaking.end(self.state, self.topology, fault, lock)
        return found

    def heal(self) -> tuple[Fault, ...]:
        """Ends all faults, those of whole hosts first."""
        with self.state.locked() as lock:
            found = sorted(self.faults, key=lambda f: f.kind not in HOST_KINDS)
            for fault in found:
                breaking.end(self.state, self.topology, fault, lock)
        return tuple(found)

    def power_cut(self, host: str) -> None:
        self.fault("power-cut", host)

    def power_on(self, host: str) -> None:
        """Boots the host with its disk as it was, and returns when it is up."""
        self.end_fault("power-cut", host)

    def _asked(self, kind: str, subject: str, options: Mapping[str, str | float | None]) -> Fault:
        return faults.parse(self.topology, kind, subject, options)
