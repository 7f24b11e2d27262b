"""How long a verify of a healthy edge takes, from the control node.

python -m benchmarks.verify [ROUNDS]   on the machine of the lab, as root, with nothing else on.
"""

import statistics
import sys
import time

from lab.api import Lab
from tests.lab.conftest import DEPLOY, runbook

CONTROLLER = "vps2"
WANTED = 5.0  # seconds, as the median


def main(rounds: int) -> int:
    lab = Lab.for_checkout()
    lab.up()
    lab.heal()
    lab.run(CONTROLLER, DEPLOY, check=True)
    took = []
    for _ in range(rounds):
        started = time.monotonic()
        assert runbook(lab, "verify", "--json").returncode == 0, "the edge is not healthy"
        took.append(time.monotonic() - started)
    print(f"a verify: {statistics.median(took):.2f} s as the median of {rounds}, "
          f"{min(took):.2f} to {max(took):.2f} s; wanted {WANTED:g} s")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 20))
