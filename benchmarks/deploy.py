"""How much a deploy costs above the least that Nornir can do, as ratios of one run.

python -m benchmarks.deploy [ROUNDS]   on the machine of the lab, as root. In each round the
floor (benchmarks/floor.py) and the deploy run in turn, without and with a change.
"""

import statistics
import sys
import time

from lab.api import Lab
from tests.lab import sites
from tests.soak.transaction import Bench

CONTROLLER = "vps2"
WANTED = {"no change": 1.3, "full change": 3.0}


def seconds(lab: Lab, argv: list[str]) -> float:
    started = time.monotonic()
    done = lab.run(CONTROLLER, argv, timeout=300)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - started


def main(rounds: int) -> int:
    lab = Lab.for_checkout()
    lab.up()
    lab.heal()
    bench = Bench(lab)
    floor = ["python", "benchmarks/floor.py", sites.config("a")]
    seconds(lab, floor)
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for case, least, ours in (
            ("no change", floor, bench.command("a", 120)),
            ("full change", [*floor, "--change"], bench.command("b", 120)),
        ):
            times.setdefault((case, "floor"), []).append(seconds(lab, least))
            times.setdefault((case, "deploy"), []).append(seconds(lab, ours))
        bench.deploy(CONTROLLER, "a")
        seconds(lab, floor)
    print(f"medians of {rounds} rounds, in seconds")
    print(f"{'':<12} {'floor':>7} {'deploy':>7} {'ratio':>6} {'wanted':>7}")
    for case, limit in WANTED.items():
        least, ours = (statistics.median(times[case, who]) for who in ("floor", "deploy"))
        print(f"{case:<12} {least:7.2f} {ours:7.2f} {ours / least:6.2f} {limit:7.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 5))
