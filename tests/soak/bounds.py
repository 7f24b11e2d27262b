"""The bounds of a verdict: one ill path moves nobody, an app that is wholly ill moves everybody.

python -m tests.soak.bounds PATH RATE SECONDS   (the load: a process on a lab host)
It asks organizr through each Caddy, every third request a POST, and prints its ledger as JSON.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from inventory.load import load_catalogue
from lab.api import Lab
from tasks.drill.ledger import Row
from tasks.drill.load import Load, Question
from tasks.drill.vantage import vantages
from tests.lab.conftest import DEPLOY, EDGES, PRIMARY, served_by, shell
from tests.patience import until

ILL_PATH = "/answer?status=503"
ILL = 1.5  # requests per second, of which a GET a second
BESIDE = 9.0  # requests per second
BUSY = 30.0  # requests per second that an app gets which falls ill
PATIENT = 60  # seconds in which one ill path may move nobody
PROMPT = 1.0  # seconds in which a wholly ill app has to be left alone
STEADY, FALLEN = 3, 6  # seconds of load before and since the fault
NAMES = {PRIMARY: "vps2", "100.67.88.109:80": "vps1"}


class Bounds:
    """The lab, deployed. Each measurement is a line for the table; `wrong` is a bound not kept."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        lab.run("vps2", DEPLOY, check=True)

    def one_path(self, seconds: int = PATIENT) -> dict[str, Any]:
        """A path answers 503 once a second while the rest is asked."""
        self._begin()
        loads = [self._load(ILL_PATH, ILL, seconds), self._load("/", BESIDE, seconds)]
        ill, beside = (_rows(load.communicate()[0]) for load in loads)
        return judge_path(ill, beside)

    def ill_app(self) -> dict[str, Any]:
        """Everything but the health page answers 503 from one moment on."""
        self._begin()
        load = self._load("/", BUSY, STEADY + FALLEN)
        assert load.stdout is not None
        load.stdout.readline()
        time.sleep(STEADY)
        self.lab.fault("5xx-app", "organizr@vps2")
        rows = _rows(load.communicate()[0])
        self.lab.heal()
        return judge_app(rows)

    def _begin(self) -> None:
        """Both Caddys know nothing, and serve from the primary."""
        self.lab.heal()
        for edge in EDGES:
            shell(self.lab, edge, "systemctl restart caddy")
        until(lambda: {served_by(self.lab, edge) for edge in EDGES} == {PRIMARY})

    def _load(self, path: str, rate: float, seconds: int) -> Any:
        words = ["python", "-m", "tests.soak.bounds", path, str(rate), str(seconds)]
        return self.lab.popen("client", words)


def judge_path(ill: Sequence[Row], beside: Sequence[Row]) -> dict[str, Any]:
    """`ill` holds what was asked of the path that fails, `beside` all else."""
    failed = [row for row in ill if row.method == "GET"]
    others = [*beside, *(row for row in ill if row.method != "GET")]
    moved = [row for row in others if row.served_by != "vps2"]
    wrong = [] if {row.status for row in failed} == {503} else ["the path did not answer 503"]
    wrong += [f"{len(moved)} of {len(others)} left the primary"] if moved else []
    return {"asked": len(others), "failed": len(failed), "moved": len(moved), "wrong": wrong}


def judge_app(rows: Sequence[Row]) -> dict[str, Any]:
    """`after` are the seconds from the first ill answer to the last, the longest of a vantage."""
    ordered = sorted(rows, key=lambda row: (row.vantage, row.due))
    after = {
        vantage: _left_after(list(own))
        for vantage, own in groupby(ordered, key=lambda row: row.vantage)
    }
    lost = [row for row in rows if row.lost]
    reads = sum(row.method == "GET" for row in lost)
    wrong = [f"{v}: after {s:.2f} s" for v, s in after.items() if s > PROMPT]
    wrong += [f"{reads} GETs lost"] if reads else []
    return {
        "after": max(after.values()),
        "lost_reads": reads,
        "lost_writes": len(lost) - reads,
        "wrong": wrong,
    }


def _left_after(rows: Sequence[Row]) -> float:
    """Seconds from the first request that the primary failed to the end of the last that it got."""
    first = next(row.due for row in rows if row.lost or row.served_by != "vps2")
    return max(0.0, *(row.done - first for row in rows if row.served_by == "vps2"))


def bounds_table(lines: Sequence[dict[str, Any]]) -> str:
    return "\n".join(_table(lines)) + "\n"


def _table(lines: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield "| what is ill | runs | asked beside it, moved | left alone after | lost GETs / POSTs |"
    yield "|---|---|---|---|---|"
    paths = [line for line in lines if "moved" in line]
    if paths:
        asked, moved = (sum(line[key] for line in paths) for key in ("asked", "moved"))
        what = f"one path, 503 once a second for {PATIENT} s"
        yield f"| {what} | {len(paths)} | {asked}, {moved} | – | – |"
    apps = [line for line in lines if "after" in line]
    if apps:
        times = sorted(line["after"] for line in apps)
        reads = sum(line["lost_reads"] for line in apps)
        writes = sorted(line["lost_writes"] for line in apps)
        yield (
            f"| all but the health page, at {BUSY:g}/s | {len(apps)} | – | {times[0]:.2f} to "
            f"{times[-1]:.2f} s | {reads} / {writes[0]} to {writes[-1]} a run |"
        )


def _rows(printed: str) -> list[Row]:
    return [Row(**row) for row in json.loads(printed.splitlines()[-1])]


def main(path: str, rate: float, seconds: float) -> None:
    catalogue = load_catalogue(Path(os.environ["TWINEDGE_CONFIG"]))
    service = catalogue.services["organizr"]
    question = Question(
        path=path, rate=rate, echo="/echo", run=f"bounds-{time.time_ns()}", signers=NAMES
    )
    through = [v for v in vantages(catalogue, service) if v.name in EDGES]
    load = Load(question=question, vantages=through)
    load.start()
    print("asking", flush=True)
    time.sleep(seconds)
    print(json.dumps([asdict(row) for row in load.stop()]))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
