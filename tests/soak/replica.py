"""An edge whose Caddy cannot answer, or that has lost its tailnet address: what visitors lose."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lab.api import Lab
from tasks.configs.replica import LEFT
from tests.lab.conftest import DEPLOY, EDGES, shell
from tests.patience import until

RATE = 50  # visits per second through Cloudflare, half of them at each replica
CLOUDFLARE, HOSTNAME = "203.0.113.100", "radarr.edge.test"
ADDRESS = "100.67.88.109/10 dev tailscale0"  # of vps1
REPLICAS = f"curl -sk https://{CLOUDFLARE}/cdn-cgi/lab/replicas"
CONNECTIONS = 4  # of each replica
ANSWERS = "curl -so /dev/null http://127.0.0.1:8081/"
KILL, STOP = (f"systemctl kill -s {name} caddy" for name in ("KILL", "STOP"))


@dataclass
class Visits:
    """What the visitors counted: `slow` are when each began, `lost` that and what became of it."""

    sent: int = 0
    slow: tuple[float, ...] = ()
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
        counted.sent, counted.slow = told["sent"], tuple(told["slow"])
        counted.lost = tuple((at, what) for at, what in told["lost"])


def replicas(lab: Lab) -> dict[str, int]:
    """The connections of each replica that is in the tunnel; one that comes back has a new name."""
    told = json.loads(shell(lab, "client", REPLICAS))["replicas"]
    return {replica["connectorId"]: replica["connections"] for replica in told}


def are_whole(lab: Lab) -> bool:
    """Are both replicas in the tunnel, with all of their connections?"""
    return list(replicas(lab).values()) == 2 * [CONNECTIONS]


def left(lab: Lab, host: str = "vps1") -> str:
    """Why the replica of `host` has left the tunnel on purpose, or nothing."""
    return shell(lab, host, f"cat {LEFT} 2>/dev/null || :").strip()


# --- the proof: each fault once, with what it may cost


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is done to vps1, or to both edges, and how many visits may be lost or slow at the most.

    `run` ends when the fault does; it is back from then on, or, where it `heals` without help,
    from its beginning on.
    """

    run: Callable[[Lab], None]
    most: int
    heals: bool = False


def _on_vps1(script: str) -> Callable[[Lab], None]:
    return lambda lab: print(shell(lab, "vps1", script), end="")


def _late(lab: Lab) -> None:
    shell(lab, "vps1", "systemctl --no-block start caddy cloudflared; sleep 20; "
                       f"ip address replace {ADDRESS}")  # fmt: skip


def _both_killed(lab: Lab) -> None:
    killers = [lab.popen(edge, ["sh", "-c", KILL]) for edge in EDGES]
    for killer in killers:
        killer.communicate()


def _hang(lab: Lab) -> None:
    shell(lab, "vps1", STOP)


def _deploy(lab: Lab) -> None:
    done = lab.run("vps2", DEPLOY)
    assert done.returncode == 0, done.stderr


LATE = "tailnet address 20 s late at the start of both units"
DEPLOYED = "Caddy's file replaced by a deploy"
FAULTS: Mapping[str, Fault] = {
    "Caddy stopped for 10 s": Fault(
        run=_on_vps1("systemctl stop caddy; sleep 10; systemctl start caddy"), most=0
    ),
    "Caddy restarted": Fault(run=_on_vps1("systemctl restart caddy"), most=0),
    DEPLOYED: Fault(run=_deploy, most=0),
    "Caddy killed": Fault(run=_on_vps1(KILL), most=1, heals=True),
    "Caddy killed six times, 3 s apart": Fault(
        run=_on_vps1(f"for _ in 1 2 3 4 5 6; do {KILL}; sleep 3; done"), most=6
    ),
    LATE: Fault(run=_late, most=0),
    "Caddy hangs for good": Fault(run=_hang, most=65, heals=True),
    "tailnet address gone for 12 s": Fault(
        run=_on_vps1(f"ip address delete {ADDRESS}; sleep 12; ip address replace {ADDRESS}"),
        most=60,
    ),
    "both Caddys killed": Fault(run=_both_killed, most=50, heals=True),
}


class ReplicaBench:
    """The lab, deployed as the checkout has it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        _deploy(lab)

    def run(self, name: str) -> dict[str, Any]:
        fault = FAULTS[name]
        until(self.is_back)
        if name == LATE:
            shell(
                self.lab, "vps1", f"systemctl stop cloudflared caddy; ip address delete {ADDRESS}"
            )
        if name == DEPLOYED:
            shell(self.lab, "vps1", "echo >> /etc/caddy/Caddyfile")
        with visiting(self.lab) as visits:
            begun = time.monotonic()
            fault.run(self.lab)
            since = begun if fault.heals else time.monotonic()
            until(self.is_back)
            back = time.monotonic() - since
        hit = [*visits.slow, *(at for at, _ in visits.lost)]
        wrong = f"{len(hit)} lost or slow, at the most {fault.most}"
        return {
            "sent": visits.sent,
            "lost": len(visits.lost),
            "slow": len(visits.slow),
            "most": fault.most,
            "within": round(max(hit) - min(hit), 1) if hit else 0,
            "back": round(back, 1),
            "wrong": [wrong] if len(hit) > fault.most else [],
        }

    def is_back(self) -> bool:
        """Both replicas in the tunnel, and both Caddys answer."""
        asked = [self.lab.run(edge, ["sh", "-c", ANSWERS]).returncode for edge in EDGES]
        return not any(asked) and are_whole(self.lab)


def replica_table(lines: Sequence[dict[str, Any]]) -> str:
    head = "| vps1 | visits | lost | slower than 2 s | may be | within | back after |\n"
    rows = "".join(
        f"| {line['key']} | {line['sent']} | {line['lost']} | {line['slow']} "
        f"| {line['most']} | {line['within']} s | {line['back']} s |\n"
        for line in lines
    )
    return f"{head}|---|---|---|---|---|---|---|\n{rows}"
