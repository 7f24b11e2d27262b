"""What each failover costs, in lost requests and seconds: our Caddyfile beside the plain one.

    .venv/bin/python benchmarks/failover.py            # about 40 minutes, on the lab
    .venv/bin/python benchmarks/failover.py --table    # the table of what is measured

Every highly available service, every fault, both Caddyfiles, 100 requests per second from
each of four vantages (two GETs to one POST), the fault at a seeded moment of Caddy's
health interval. A finished cell is a line of benchmarks/failover.jsonl, and is not run again.
"""

import json
import random
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.plain import plain_caddyfile
from benchmarks.table import markdown
from inventory.catalogue import Catalogue, Service
from inventory.load import load_catalogue
from lab.api import Lab
from lab.options import SITE
from tasks.drill.faults import make_fault
from tasks.drill.ledger import Moments, read_ledger
from tasks.drill.outage import outages

STEADY = 3.0  # seconds of load before the fault
FAULT = 25.0  # seconds that it lasts: longer than a check's interval, timeout and passive memory
INTERVAL = 10.0  # of the active checks: the fault starts at a seeded moment of it
READY = 60.0  # seconds that the lab may take until both Caddys serve from the primary
FAULTS: Mapping[str, str] = {
    "stop": "service stopped",
    "kill": "SIGKILL",
    "hang": "hang (frozen)",
    "5xx": "503 on health and app",
    "5xx-app": "503 on the app, health 200",
    "power-cut": "host power cut",
    "partition": "host cut off the mesh",
}
WHOLE_HOST = ("power-cut", "partition")
VARIANTS = ("twinedge", "plain")
DEPLOY = ["python", "runbooks/deploy.py", "--apply", "--allow-dirty", "--allow-older"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One measurement to make."""

    variant: str
    service: str
    fault: str

    @property
    def key(self) -> str:
        return f"{self.variant} {self.service} {self.fault}"


def main() -> int:
    asked = _arguments()
    catalogue = load_catalogue(Path(__file__).resolve().parent.parent / SITE)
    done = _finished(asked.results)
    if not asked.table:
        lab = Lab.for_checkout()
        lab.up()
        for cell in _cells(catalogue, asked):
            if cell.key not in done:
                done[cell.key] = _measure(lab, catalogue, cell, asked)
                with asked.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(done[cell.key]) + "\n")
        _use(lab, catalogue, "twinedge")
    print(markdown(done.values(), FAULTS))
    return 0


def _finished(results: Path) -> dict[str, dict[str, object]]:
    if not results.exists():
        return {}
    lines = map(json.loads, results.read_text(encoding="utf-8").splitlines())
    return {f"{c['variant']} {c['service']} {c['fault']}": c for c in lines}


def _cells(catalogue: Catalogue, asked: Namespace) -> Iterator[Cell]:
    for variant in asked.variant or VARIANTS:
        for service in catalogue.services.values():
            if service.drillable and service.name in (asked.service or [service.name]):
                for fault in asked.fault or FAULTS:
                    yield Cell(variant=variant, service=service.name, fault=fault)


def _measure(lab: Lab, catalogue: Catalogue, cell: Cell, asked: Namespace) -> dict[str, object]:
    """One cell: load, fault, recovery; what each vantage lost."""
    service = catalogue.services[cell.service]
    lab.heal()
    _use(lab, catalogue, cell.variant)
    _await_primary(lab, catalogue, service)
    run = f"bench-{time.time_ns()}"
    ledger = lab.state.checkout / f".bench-{run}.jsonl"
    chance = random.Random(f"{asked.seed} {cell.key}")
    try:
        moments = _load(lab, service, cell, run, ledger, STEADY + chance.uniform(0, INTERVAL))
        rows = read_ledger(ledger)
    finally:
        ledger.unlink(missing_ok=True)
    kind = "edge" if cell.fault in WHOLE_HOST else "stop"  # who is broken, not how
    fault = make_fault(kind, catalogue, service, service.placements[0])
    found = outages(rows, moments, fault.broken_for, service.limits)
    result = {**asdict(cell), "moments": asdict(moments), "vantages": [asdict(o) for o in found]}
    result["twice"] = _executed_twice(lab, service, run)
    print(json.dumps(result), file=sys.stderr)
    return result


def _load(lab: Lab, service: Service, cell: Cell, run: str, ledger: Path, wait: float) -> Moments:
    """Runs the load around the fault, and leaves its ledger behind."""
    primary = service.placements[0]
    subject = primary if cell.fault in WHOLE_HOST else f"{service.name}@{primary}"
    blind = ["--blind", primary] if cell.fault in WHOLE_HOST else []
    probing = lab.popen(
        "client",
        ["python", "benchmarks/probing.py", "--config", str(SITE), "--service", service.name,
         "--run", run, "--ledger", str(ledger), *blind],
        stdin=subprocess.PIPE,
        stderr=None,
    )  # fmt: skip
    assert probing.stdin and probing.stdout
    zero = float(probing.stdout.readline().split()[1])
    time.sleep(wait)
    fault = time.monotonic()
    lab.fault(cell.fault, subject)
    time.sleep(max(0.0, FAULT - (time.monotonic() - fault)))
    restore = time.monotonic()
    lab.end_fault(cell.fault, subject)
    probing.communicate("restored\n", timeout=90)
    if probing.returncode:
        raise SystemExit(f"{cell.key}: the load ended with status {probing.returncode}")
    return Moments(fault=fault - zero, restore=restore - zero, end=time.monotonic() - zero)


def _use(lab: Lab, catalogue: Catalogue, variant: str) -> None:
    """Both edges run that Caddyfile; the plain one is put there behind the product's back."""
    if variant == "twinedge":
        done = lab.run("vps2", [*DEPLOY, "--reload-anyway"], timeout=180)
        if done.returncode:
            raise SystemExit(done.stderr)
        return
    for edge in catalogue.edges:
        script = (
            f"cat > {edge.paths.caddy}.next && cmp -s {edge.paths.caddy}.next {edge.paths.caddy} "
            f"|| {{ mv {edge.paths.caddy}.next {edge.paths.caddy} && systemctl reload caddy; }}"
        )
        lab.run(edge.name, ["sh", "-c", script], input=plain_caddyfile(edge, catalogue), check=True)


def _await_primary(lab: Lab, catalogue: Catalogue, service: Service) -> None:
    """Both Caddys serve from where they should: the state before every fault."""
    deadline = time.monotonic() + READY
    for edge in catalogue.edges:
        wanted = catalogue.upstreams_from(edge.name, service)[0]
        while _served_by(lab, service, str(edge.address)) != wanted:
            if time.monotonic() > deadline:
                raise SystemExit(f"{edge.name} does not serve {service.name} from {wanted}")
            time.sleep(0.5)


def _served_by(lab: Lab, service: Service, address: str) -> str:
    url = f"https://{service.hostname}/"
    name = f"{service.hostname}:443:{address}"
    done = lab.run("client", ["curl", "-sk", "-m", "3", "-D", "-", "-o", "/dev/null",
                              "--resolve", name, url])  # fmt: skip
    headers = dict(line.lower().split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    return headers.get("x-served-by", "")


def _executed_twice(lab: Lab, service: Service, run: str) -> int:
    """POSTs of this run that the origins logged more than once, on either host."""
    seen: list[str] = []
    for host in service.placements:
        log = f"/var/lib/origin/{service.name}.posts.jsonl"
        lines = lab.run(host, ["sh", "-c", f"cat {log} 2>/dev/null"]).stdout.splitlines()
        seen += [entry for line in lines if (entry := str(json.loads(line)["id"])).startswith(run)]
    return len(seen) - len(set(seen))


def _arguments() -> Namespace:
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=Path("benchmarks/failover.jsonl"))
    parser.add_argument("--seed", default="1")
    parser.add_argument("--variant", action="append", choices=VARIANTS)
    parser.add_argument("--service", action="append")
    parser.add_argument("--fault", action="append", choices=tuple(FAULTS))
    parser.add_argument("--table", action="store_true", help="print the table, measure nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
