"""The load of one benchmark cell, run on the lab's client: asks until it is told to end.

Speaks with benchmarks/failover.py over its standard streams: prints `zero SECONDS` (the
monotonic clock at the ledger's zero) once it asks, and on the line `restored` goes on
until the primary answers everywhere, or for RECOVERY seconds; then it writes the ledger.
"""

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Set
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from inventory.appliance import at_port
from inventory.catalogue import Catalogue, Service
from inventory.load import load_catalogue
from tasks.drill.ledger import write_ledger
from tasks.drill.load import Load, Question
from tasks.drill.vantage import vantages

RECOVERY = 26.0  # seconds; two passed checks, 10 s apart, and some
TAIL = 4.0  # seconds after the primary is back: a flap shows in them


def main() -> None:
    asked = _arguments()
    catalogue = load_catalogue(asked.config)
    service = catalogue.services[asked.service]
    load = Load(
        question=_question(catalogue, service, asked),
        vantages=[v for v in vantages(catalogue, service) if v.name not in asked.blind],
    )
    load.start()
    print(f"zero {time.monotonic() - load.now}", flush=True)
    sys.stdin.readline()
    _watch(load, service.placements[0])
    write_ledger(asked.ledger, load.stop())


def _watch(load: Load, primary: str) -> None:
    """Until every vantage that the primary served is served by it again."""
    since, count = load.now, len(load.rows)
    served = {row.vantage for row in load.rows[:count] if row.served_by == primary}
    while load.now - since < RECOVERY and not served <= _back(load, primary):
        time.sleep(0.2)
    time.sleep(TAIL)


def _back(load: Load, primary: str) -> Set[str]:
    """Vantages whose last second of good answers is the primary's alone."""
    recent = [row for row in load.rows[-1000:] if row.done > load.now - 1.0 and not row.lost]
    others = {row.vantage for row in recent if row.served_by != primary}
    return {row.vantage for row in recent} - others


def _question(catalogue: Catalogue, service: Service, asked: Namespace) -> Question:
    return Question(
        path=asked.path,
        rate=asked.rate,
        echo="/echo",
        run=asked.run,
        signers={
            at_port(catalogue.address_of(host), service.port): host for host in service.placements
        },
    )


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--service", required=True)
    parser.add_argument("--path", default="/")
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--run", required=True)
    parser.add_argument("--blind", action="append", default=[])
    parser.add_argument("--ledger", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
