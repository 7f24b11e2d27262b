"""Which cells the transaction's soak consists of: every step, every fault."""

import random
from collections.abc import Iterator

from tests.lab.points import Step
from tests.soak.transaction import FAULTS, STORMS, Cell

# What a deploy does on a host, in order: (name for the table, the command it is about to run).
STEPS = {
    "look": Step("sha256sum *", 1),
    "lock": Step("mv -f */lock.* */lock", 1),
    "stage: folders": Step("mkdir */releases/*/new *", 1),
    "stage: unpack": Step("tar *", 1),
    "validate resolver": Step("unbound-checkconf *", 1),
    "validate caddy": Step("caddy validate *", 1),
    "validate lsyncd": Step("lsyncd -nodaemon *", 1),
    "detach": Step("setsid sh *", 1),
    "check the lock": Step("flock -w 10 9", 2),
    "copy beside": Step("cp */new/* /etc/caddy/*", 1),
    "keep the old": Step("ln -f /etc/caddy/Caddyfile *", 1),
    "keep the pointer": Step("cp */current *", 1),
    "take pending": Step("flock -w 10 9", 3),
    "write pending": Step("mv -f */pending.next *", 1),
    "arm the revert": Step("systemd-run *--unit=twinedge-revert *", 1),
    "rename the first": Step("mv -f /etc/unbound/* /etc/unbound/*", 1),
    "rename caddy's": Step("mv -f /etc/caddy/* /etc/caddy/Caddyfile", 1),
    "rename the last": Step("mv -f /etc/mcp/* /etc/mcp/mcp.json", 1),
    "activate resolver": Step("systemctl reload-or-restart unbound", 1),
    "activate caddy": Step("caddy reload *", 1),
    "check caddy": Step("curl *:8081/*", 1),
    "activate cloudflared": Step("systemctl --no-block restart cloudflared", 1),
    "check cloudflared": Step("curl *:20241/*", 1),
    "activate lsyncd": Step("systemctl restart lsyncd", 1),
    "move the pointer": Step("mv -f */current.next *", 1),
    "confirm: settle": Step("rm -f */pending", 1),
    "confirm: disarm": Step("systemctl stop twinedge-revert.*", 2),
    "unlock": Step("rm -f */lock", 1),
}
# (controller, the host that is broken, the faults, the first step): the canary is broken
# at every step in every way, the second edge where the first has committed already. What needs no
# controller to go on is what a storm can disturb.
BENCHES = (
    ("vps2", "vps1", FAULTS, "look"),
    ("client", "vps2", ("kill", "partition", "power-cut"), "arm the revert"),
    ("client", "vps1", STORMS, "detach"),
)


def cells(seed: int) -> Iterator[tuple[str, Cell]]:
    """Every cell, in an order that covers all of it evenly when it is cut short."""
    made = [
        (name, Cell(controller, host, step, fault))
        for controller, host, faults, first in BENCHES
        for name, step in list(STEPS.items())[list(STEPS).index(first) :]
        for fault in faults
    ]
    random.Random(seed).shuffle(made)
    yield from made
