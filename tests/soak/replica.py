"""An edge whose Caddy cannot answer, or that has lost its tailnet address: what visitors lose."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.api import Lab
from tests.lab.conftest import shell

RATE = 50  # visits per second through Cloudflare, half of them at each replica
CLOUDFLARE, HOSTNAME = "203.0.113.100", "radarr.edge.test"
ADDRESS = "100.67.88.109/10 dev tailscale0"  # of vps1
REPLICAS = f"curl -sk https://{CLOUDFLARE}/cdn-cgi/lab/replicas"
CONNECTIONS = 4  # of each replica


@dataclass
class Visits:
    """What the visitors counted; `lost` are (when it began, what became of it)."""

    sent: int = 0
    slow: int = 0
    lost: tuple[tuple[float, str], ...] = ()


@contextmanager
def visiting(lab: Lab, rate: float = RATE) -> Iterator[Visits]:
    """Visitors of a service on unraid, through Cloudflare, the whole time."""
    counted = Visits()
    command = ["python", "-m", "tests.soak.visits", CLOUDFLARE, HOSTNAME, str(rate)]
    process = lab.popen("client", command, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(1)  # of visits before anything breaks
    try:
        yield counted
        time.sleep(1)
    finally:
        process.terminate()
        told = json.loads(process.communicate()[0])
        counted.sent, counted.slow = told["sent"], told["slow"]
        counted.lost = tuple((at, what) for at, what in told["lost"])


def are_whole(lab: Lab) -> bool:
    """Are both replicas in the tunnel, with all of their connections?"""
    told = json.loads(shell(lab, "client", REPLICAS))["replicas"]
    return [replica["connections"] for replica in told] == 2 * [CONNECTIONS]
