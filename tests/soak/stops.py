"""A drill stops a container that takes long to stop, and its maker is killed: it comes back."""

import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any

from lab.api import Lab
from tests.lab.conftest import DEPLOY, EDGES, get, shell
from tests.lab.test_docker import PING, PRIMARY, runs, served_by
from tests.lab.test_failover import Running
from tests.patience import until
from tests.soak.suites import Kinds

# Seconds from when the stop has begun until the maker is killed; docker kills the container
# after 15.
MOMENTS = (0, 8, 14, 18)
# What is done on vps2 then.
ENDS: Mapping[str, str] = {
    "nothing": ":",
    "undone by hand": "sh /var/lib/twinedge/drill/drill.sh restore_drill",
    "docker restarted": "systemctl restart docker",
    "power cut": "",
}
EFFECT = "/var/lib/twinedge/drill/effect"  # is there from then on
GIVE_UP = 600  # seconds, on a machine however busy: what is not back by then never is
STILL = 25  # seconds; longer than a stop that may be under way


class StopsBench(Kinds):
    """The checkout's lab with containers, deployed."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.become("docker")
        deploy = lab.run("vps2", DEPLOY)
        assert deploy.returncode == 0, deploy.stderr

    def stop(self, moment: int, end: str) -> dict[str, Any]:
        until(self.is_steady)
        self.lab.fault("ignore-term", "organizr@vps2")
        running = self.begin()
        time.sleep(moment)
        running.end(signal.SIGKILL)
        since = time.monotonic()
        if end == "power cut":
            self.lab.power_cut("vps2")
            self.lab.power_on("vps2")
        else:
            shell(self.lab, "vps2", ENDS[end])
        back = self.comes_back(since)
        wrong = [] if back else ["it never came back"]
        time.sleep(STILL)
        if back and not runs(self.lab):
            wrong.append("it went down again")
        self.lab.heal()
        return {"moment": moment, "end": end, "back": back, "wrong": wrong}

    def begin(self) -> Running:
        """A drill whose stop has begun; a slow machine may refuse it at first."""
        while True:
            running = Running(self.lab, "client", "--window", "25")
            while running.process.poll() is None:
                if self.lab.run("vps2", ["test", "-e", EFFECT]).returncode == 0:
                    return running
            running.process.communicate()

    def comes_back(self, since: float) -> float | None:
        """After how many seconds the primary ran, with nothing armed."""
        while (passed := time.monotonic() - since) < GIVE_UP:
            if runs(self.lab):
                return round(passed, 1)
            time.sleep(0.5)
        return None

    def is_steady(self) -> bool:
        """The primary runs, and both Caddys serve from it."""
        if not runs(self.lab) or get(self.lab, "client", PING).status != 200:
            return False
        return {served_by(self.lab, edge) for edge in EDGES} == {PRIMARY}


def stops_table(lines: Sequence[dict[str, Any]]) -> str:
    """A row for what came then, a column for when: seconds until the primary ran."""
    found = {(line["end"], line["moment"]): line for line in lines}
    head = "| then | " + " | ".join(f"killed after {moment} s" for moment in MOMENTS) + " |\n"
    rows = [
        f"| {end} | " + " | ".join(_cell(found.get((end, moment))) for moment in MOMENTS) + " |\n"
        for end in ENDS
    ]
    return head + "|---" * (len(MOMENTS) + 1) + "|\n" + "".join(rows)


def _cell(line: dict[str, Any] | None) -> str:
    if line is None:
        return "–"
    return f"**{'; '.join(line['wrong'])}**" if line["wrong"] else f"{line['back']} s"
