"""How soon a write is on the other side of a sync, and what a quiet sync costs.

python -m benchmarks.sync [WRITES]   on the machine of the lab, as root: so many from each
side in turn, about two seconds apart, after a time in which nothing is written.
"""

import os
import random
import statistics
import subprocess
import sys
import time
from itertools import permutations

from lab.api import Lab
from tests.lab.conftest import DEPLOY, shell

HOSTS = ("vps1", "vps2")
FILE = "/etc/unbound/local.d/twinedge-benchmark"
QUIET = 90  # seconds
CPU = "systemctl show --property=CPUUsageNSec --value lsyncd"  # with all that it has started
RUNS = f"""\
runs=0 before=$(cat /var/lib/twinedge/sync/*/run) end=$(($(date +%s) + {QUIET}))
while [ "$(date +%s)" -lt $end ]; do
    sleep 0.5
    now=$(cat /var/lib/twinedge/sync/*/run)
    [ "$now" = "$before" ] || runs=$((runs + 1))
    before=$now
done
echo $runs
"""

Witness = subprocess.Popen[str]


def told(witness: Witness, verb: str = "") -> str:
    """The witness's next word, once it has been told `verb`."""
    assert witness.stdin and witness.stdout
    if verb:
        print(verb, file=witness.stdin, flush=True)
    return witness.stdout.readline().strip()


def write(here: Witness, there: Witness) -> float:
    """Seconds until what `here` writes can be read by `there`."""
    told(there, "wait")
    told(here, "write")
    return int(told(there)) / 1e9


def writes(lab: Lab, count: int) -> dict[str, list[float]]:
    words = ["python", "benchmarks/witness.py", FILE]
    witnesses = {host: lab.popen(host, words, stdin=subprocess.PIPE) for host in HOSTS}
    rng = random.Random(count)
    seconds: dict[str, list[float]] = {}
    for _ in range(count):
        for here, there in permutations(HOSTS):
            time.sleep(rng.uniform(1.5, 2.5))  # the echo of the last one is over
            took = write(witnesses[here], witnesses[there])
            seconds.setdefault(f"{here} to {there}", []).append(took)
    for witness in witnesses.values():
        witness.terminate()
        witness.communicate()
    shell(lab, HOSTS[0], f"rm {FILE}")
    return seconds


def idle(lab: Lab) -> tuple[float, int]:
    """CPU seconds on both hosts in a quiet time, and the runs of unison in it."""
    before = sum(int(shell(lab, host, CPU)) for host in HOSTS)
    done = lab.run(HOSTS[0], ["sh", "-c", RUNS], timeout=QUIET + 60, check=True)
    after = sum(int(shell(lab, host, CPU)) for host in HOSTS)
    return (after - before) / 1e9, int(done.stdout)


def main(count: int) -> int:
    lab = Lab.for_checkout()
    lab.up()
    lab.heal()
    lab.run("vps2", DEPLOY, timeout=180, check=True)
    time.sleep(10)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    cpu, runs = idle(lab)
    print(f"{QUIET} quiet seconds: {cpu:.3f} s CPU on both hosts, {cpu / QUIET:.2%} of a core, "
          f"{runs} runs of unison")  # fmt: skip
    seconds = writes(lab, count)
    seconds["both"] = [took for times in seconds.values() for took in times]
    print(f"{'':<14} {'writes':>6} {'median':>7} {'95 %':>7} {'worst':>7}")
    for way, times in seconds.items():
        high = statistics.quantiles(times, n=20)[-1]
        print(f"{way:<14} {len(times):6} {statistics.median(times):7.2f} {high:7.2f} "
              f"{max(times):7.2f}")  # fmt: skip
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 100))
