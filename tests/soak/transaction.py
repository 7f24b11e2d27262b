"""Every fault at every step of a deploy: what the hosts are left with.

A cell is (controller, host, step, fault). Each starts with version a everywhere, deploys
version b, breaks something when the host is just before that step, waits until the host
has settled by itself, and then demands:

- every managed file is byte for byte that of a or of b, all of one host's the same
  version, and the release that the host names is that one;
- the other edge's Caddy has lost no request at 50 a second, and neither has the broken
  host's own, unless its power was cut;
- nothing is pending or locked after the window, and the next deploy succeeds without help.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.api import Lab
from tests.lab import sites
from tests.lab.conftest import shell
from tests.lab.faults_of_verify import FAKETIME
from tests.lab.points import Points, Step

WIDE = {"COLUMNS": "1000"}  # so that a runbook folds no line
WINDOW = 12  # seconds; the shortest that a healthy commit of all files fits in
RATE = 50  # requests per second
GIVE_UP = 900  # seconds, on a machine however busy: what is not over by then never is
FAULTS = ("kill", "partition", "power-cut", "disk-full", "fail", "hang")
# The controller is killed, and until the host has settled: systemd reloads all the time, as in a
# package upgrade, or whatever it starts from then on has a clock that is an hour off.
STORMS = ("reloads", "clock -1h", "clock +1h")
RELOADS = """\
PATH=/usr/bin:/bin
true > /run/storm
(while [ -e /run/storm ]; do systemctl daemon-reload; sleep 0.5; done) > /dev/null 2>&1 &
"""
CLOCK = """\
PATH=/usr/bin:/bin
systemctl set-environment LD_PRELOAD=$(echo {faketime}) FAKETIME={by}
systemctl kill -s KILL twinedge-revert 2>/dev/null || :
"""
CALM = "rm -f /run/storm; systemctl unset-environment LD_PRELOAD FAKETIME"
FILES = (
    "/etc/caddy/Caddyfile",
    "/etc/cloudflared/config.yml",
    "/etc/lsyncd/lsyncd.conf.lua",
    "/etc/systemd/system/lsyncd.service",
    "/etc/unbound/unbound.conf.d/twinedge.conf",
    "/etc/mcp/mcp.json",
)
HOSTS = ("vps1", "vps2", "unraid")
HOSTNAME = "organizr.edge.test"


@dataclass(frozen=True)
class Cell:
    """One experiment: `fault` when `host` is just before `step`."""

    controller: str
    host: str
    step: Step
    fault: str


@dataclass(frozen=True)
class Verdict:
    """What came of it. `wrong` is empty when every demand was met."""

    cell: Cell
    exit_status: int | None
    left_on: str
    seconds: float
    wrong: tuple[str, ...]


@dataclass(frozen=True)
class Versions:
    """The managed files' digests of a and of b, per host."""

    digests: dict[str, dict[str, str]]

    def of(self, host: str, digest: str) -> str:
        found = [version for version, hosts in self.digests.items() if hosts[host] == digest]
        return found[0] if found else "a mixture"


class Bench:
    """The lab, made ready for cells: two versions, wrappers, and what each version's files are."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        for controller in ("vps2", "client"):
            sites.install(lab, controller)
        digests = {}
        for version in ("b", "a"):
            self.deploy("vps2", version)
            digests[version] = {host: self.digest(host) for host in HOSTS}
        self.versions = Versions(digests)

    def deploy(self, controller: str, version: str, window: int = 120) -> None:
        done = self.lab.run(controller, self.command(version, window))
        assert done.returncode == 0, f"deploying {version}: {done.stderr}"

    @staticmethod
    def command(version: str, window: int = WINDOW) -> list[str]:
        flags = ["--apply", "--allow-dirty", "--allow-older", "--window", str(window)]
        return ["python", "runbooks/deploy.py", "--config", sites.config(version), *flags]

    def left_on(self, host: str) -> str:
        """The version whose files `host` has, byte for byte; or that they are a mixture."""
        return self.versions.of(host, self.digest(host))

    def digest(self, host: str) -> str:
        """One digest over all managed files of a host, but for the commit in their headers."""
        script = f"cat {' '.join(FILES)} 2>/dev/null | grep -v 'Made by twinedge' | sha256sum"
        return shell(self.lab, host, script).split()[0]

    def steps(self, controller: str, host: str) -> list[Step]:
        """Every outside command that a deploy runs on `host`, in order."""
        points = Points(self.lab, host)
        points.install()
        try:
            points.arm(None)
            self.deploy(controller, "b", WINDOW)
            return points.log()
        finally:
            points.remove()
            self.deploy(controller, "a")

    def run(self, cell: Cell) -> Verdict:
        started = time.monotonic()
        points = Points(self.lab, cell.host)
        points.install()
        points.arm(cell.step, mode="fail" if cell.fault == "fail" else "wait")
        other = "vps1" if cell.host == "vps2" else "vps2"
        try:
            with (
                knocking(self.lab, "client", other) as others,
                knocking(self.lab, cell.host, cell.host) as own,
            ):
                reached, status = self._break(cell, points)
                wrong = self._settle(cell)
        finally:
            points.remove()
        left_on = self.left_on(cell.host)
        wrong += [] if reached else ["a deploy no longer comes to this step: nothing was broken"]
        wrong += self._judge(cell, others, own)
        wrong += self._next_deploy(cell)
        return Verdict(cell, status, left_on, round(time.monotonic() - started, 1), tuple(wrong))

    def _break(self, cell: Cell, points: Points) -> tuple[bool, int]:
        """Was there anything to break, and how the deploy ended."""
        nowhere = subprocess.DEVNULL
        command = self.command("b")
        deploy = self.lab.popen(cell.controller, command, stdout=nowhere, stderr=nowhere)
        reached = points.wait(lambda: deploy.poll() is not None)
        if reached:
            self._inject(cell, deploy)
            if cell.fault not in ("hang", "power-cut"):
                points.go()
        try:
            return reached, deploy.wait(timeout=GIVE_UP)
        finally:
            if cell.fault == "hang":
                points.go()

    def _inject(self, cell: Cell, deploy: "subprocess.Popen[str]") -> None:
        if cell.fault == "kill":
            deploy.kill()
        elif cell.fault == "partition":
            self.lab.fault("partition", cell.host)
        elif cell.fault == "power-cut":
            self.lab.power_cut(cell.host)
            if cell.controller == cell.host:
                deploy.kill()
        elif cell.fault == "disk-full":
            fill = "PATH=/usr/bin; cat /dev/zero > /fill 2>/dev/null; true"
            shell(self.lab, cell.host, fill)
        elif cell.fault in STORMS:
            deploy.kill()
            by = cell.fault.removeprefix("clock ")
            storm = RELOADS if by == "reloads" else CLOCK.format(faketime=FAKETIME, by=by)
            shell(self.lab, cell.host, storm)

    def _settle(self, cell: Cell) -> list[str]:
        """Wait for the host to be done by itself, then end the fault."""
        if cell.fault == "power-cut":
            time.sleep(1)
            self.lab.power_on(cell.host)
        wrong = [] if self.is_quiet(cell.host, GIVE_UP) else ["still pending or locked"]
        self.lab.heal()
        self.lab.run(cell.host, ["rm", "-f", "/fill"])
        if cell.fault in STORMS:
            shell(self.lab, cell.host, CALM)
        if cell.fault == "power-cut":
            # Its Caddy was up before the services were and holds them down for two checks
            # (20 s): the next cell's fault would be a second one.
            shell(self.lab, cell.host, "systemctl reload caddy")
        return wrong

    def is_quiet(self, host: str, seconds: float) -> bool:
        """No pending release, and no lock that has not run out, within `seconds`."""
        script = (
            "cd /var/lib/twinedge && [ ! -e pending ] && "
            '{ [ ! -e lock ] || [ "$(sed -n 4p lock)" -le "$(date +%s)" ]; }'
        )
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.lab.run(host, ["sh", "-c", script]).returncode == 0:
                return True
            time.sleep(0.3)
        return False

    def _judge(self, cell: Cell, others: "Knocks", own: "Knocks") -> list[str]:
        wrong = []
        wrong += [
            f"{host} is on {self.left_on(host)}"
            for host in HOSTS
            if self.left_on(host) not in self.versions.digests
        ]
        if named := self._unlike_its_release(cell.host):
            wrong.append(f"not as the release that it names says: {named}")
        if others.lost:
            wrong.append(
                f"{len(others.lost)} of {others.sent} lost through the other edge: {others.lost[0]}"
            )
        if own.lost and cell.fault != "power-cut":
            wrong.append(f"{len(own.lost)} of {own.sent} lost through its own Caddy: {own.lost[0]}")
        return wrong

    def _unlike_its_release(self, host: str) -> str:
        done = self.lab.run("client", ["python", "runbooks/status.py", "--host", host], env=WIDE)
        drifted = [line for line in done.stdout.splitlines() if " hand " in line]
        return done.stderr.strip() or "; ".join(drifted)

    def _next_deploy(self, cell: Cell) -> list[str]:
        done = self.lab.run(cell.controller, self.command("a", 120))
        if done.returncode:
            return [f"the next deploy failed: {done.stderr.strip()}"]
        hosts = self.versions.digests["a"]
        return [f"{h} is not on a after it" for h in hosts if self.digest(h) != hosts[h]]


@dataclass
class Knocks:
    """What a knocker counted."""

    sent: int = 0
    lost: tuple[tuple[float, str], ...] = ()


@contextmanager
def knocking(
    lab: Lab, source: str, edge: str, rate: float = RATE, pause: float = 0.0
) -> Iterator[Knocks]:
    """Requests from `source` through `edge`'s Caddy the whole time; none when it is no edge.

    Each is sent `pause` seconds after its connection.
    """
    counted = Knocks()
    address = lab.machines[edge].tailnet
    if edge not in ("vps1", "vps2") or address is None:
        yield counted
        return
    command = ["python", "-m", "tests.lab.knock", address, HOSTNAME, str(rate), str(pause)]
    process = lab.popen(source, command, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield counted
    finally:
        process.terminate()
        out, _ = process.communicate()  # and closes the pipe
        if out:
            result = json.loads(out)
            counted.sent = result["sent"]
            counted.lost = tuple((at, error) for at, error in result["lost"])
