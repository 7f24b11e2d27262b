"""Runs a long proof on this checkout's lab, and goes on where an earlier run ended."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import compress
from pathlib import Path
from typing import Any

from lab.api import Lab
from tests.soak import plan
from tests.soak.bounds import Bounds, bounds_table
from tests.soak.healthy import Healthy, healthy_table
from tests.soak.inventory.batch import SIZE, InventoryBench
from tests.soak.inventory.table import inventory_table
from tests.soak.races import race
from tests.soak.replica import FAULTS, ReplicaBench, replica_table
from tests.soak.stops import ENDS, MOMENTS, StopsBench, stops_table
from tests.soak.suites import KINDS, Kinds, pairs, suites_table
from tests.soak.sync.batch import SyncBench, blows
from tests.soak.sync.candidates import CANDIDATES, TREES
from tests.soak.sync.history import Op, history, shrink
from tests.soak.sync.table import sync_table
from tests.soak.table import race_table, transaction_table
from tests.soak.transaction import Bench, Cell

RESULTS = Path(__file__).resolve().parent.parent.parent / ".soak"
RACES = 50
PATHS, APPS = 1, 5  # times that each bound is measured
INVENTORIES = 10_000
BATCHES = 25  # of eight histories each

Line = dict[str, Any]
Trial = Callable[[Lab, Any], Line]


def transaction(seed: int) -> Iterator[tuple[str, Trial]]:
    """Every fault at every step of a deploy."""
    for name, cell in plan.cells(seed):
        yield f"{cell.host} / {name} / {cell.fault}", _cell(name, cell)


def _cell(name: str, cell: Cell) -> Trial:
    return lambda _, bench: {"step": name, **asdict(bench.run(cell))}


def races(_: int) -> Iterator[tuple[str, Trial]]:
    """Two controllers at once."""
    for number in range(1, RACES + 1):
        yield f"race {number}", lambda lab, bench: asdict(race(lab, bench))


def bounds(_: int) -> Iterator[tuple[str, Trial]]:
    """One ill path moves nobody, an app that is wholly ill moves everybody at once."""
    for number in range(1, PATHS + 1):
        yield f"one path {number}", lambda _, bench: bench.one_path()
    for number in range(1, APPS + 1):
        yield f"ill app {number}", lambda _, bench: bench.ill_app()


def sync(_: int) -> Iterator[tuple[str, Trial]]:
    """Two hundred random histories of the two-way sync."""
    for first in range(1, BATCHES * TREES, TREES):
        yield f"sync {first}", _batch("unison", first)


def candidates(_: int) -> Iterator[tuple[str, Trial]]:
    """The three ways to carry changes, through the same histories."""
    for first in range(1, 4 * TREES, TREES):
        for name in CANDIDATES:
            yield f"{name} {first}", _batch(name, first)


def inventory(_: int) -> Iterator[tuple[str, Trial]]:
    """Ten thousand hostile inventories."""
    for first in range(1, INVENTORIES, SIZE):
        yield f"inventory {first}", _inventories(first)


def _inventories(first: int) -> Trial:
    return lambda _, bench: bench.run(first)


def _batch(name: str, first: int) -> Trial:
    histories = {str(seed): history(seed) for seed in range(first, first + TREES)}
    return lambda _, bench: bench.run(CANDIDATES[name], histories, blows(first))


def suites(_: int) -> Iterator[tuple[str, Trial]]:
    """Every suite of lab tests on every kind of lab."""
    for kind, suite in pairs():
        yield f"{kind} / {suite}", _suite(kind, suite)


def _suite(kind: str, suite: str) -> Trial:
    return lambda _, bench: dict(bench.run(kind, suite))


def healthy(_: int) -> Iterator[tuple[str, Trial]]:
    """Nothing is found where nothing is broken, on every kind of lab."""
    for kind in KINDS:
        yield f"healthy {kind}", _healthy(kind)


def _healthy(kind: str) -> Trial:
    return lambda _, bench: bench.verify(kind)


def replica(_: int) -> Iterator[tuple[str, Trial]]:
    """Every way in which an edge cannot answer for its replica of the tunnel."""
    for name in FAULTS:
        yield name, _outage(name)


def _outage(name: str) -> Trial:
    return lambda _, bench: dict(bench.run(name))


def stops(_: int) -> Iterator[tuple[str, Trial]]:
    """A drill's stop of a container that takes its time, whose maker is killed in it."""
    for moment in MOMENTS:
        for end in ENDS:
            yield f"{end} after {moment} s", _stop(moment, end)


def _stop(moment: int, end: str) -> Trial:
    return lambda _, bench: dict(bench.stop(moment, end))


PROOFS: Mapping[str, Callable[[int], Iterator[tuple[str, Trial]]]] = {
    "transaction": transaction,
    "races": races,
    "bounds": bounds,
    "sync": sync,
    "candidates": candidates,
    "suites": suites,
    "healthy": healthy,
    "inventory": inventory,
    "replica": replica,
    "stops": stops,
}
BENCHES: Mapping[str, Callable[[Lab], Any]] = {
    "bounds": Bounds,
    "sync": SyncBench,
    "candidates": SyncBench,
    "suites": Kinds,
    "healthy": Healthy,
    "inventory": InventoryBench,
    "replica": ReplicaBench,
    "stops": StopsBench,
}
TABLES = {
    "transaction": transaction_table,
    "races": race_table,
    "bounds": bounds_table,
    "sync": sync_table,
    "candidates": sync_table,
    "suites": suites_table,
    "healthy": healthy_table,
    "inventory": inventory_table,
    "replica": replica_table,
    "stops": stops_table,
}


def main(arguments: list[str]) -> int:
    flags = _flags()
    asked = flags.parse_args(arguments)
    if asked.shrink is not None:
        if asked.proof != "sync":
            flags.error("--shrink: only histories of the sync can be shrunk")
        return _shrink(asked.shrink)
    results = RESULTS / f"{asked.proof}.jsonl"
    RESULTS.mkdir(exist_ok=True)
    done = _read(results)
    trials = list(PROOFS[asked.proof](asked.seed))[asked.part[0] - 1 :: asked.part[1]]
    todo = [(key, trial) for key, trial in trials if key not in done and asked.only in key]
    if todo[: asked.most]:
        _run(todo[: asked.most], results, done, BENCHES.get(asked.proof, Bench))
    if asked.table:
        place(asked.table, asked.proof, TABLES[asked.proof](list(done.values())))
    wrong = [key for key, line in done.items() if line["wrong"]]
    print(f"{len(done)} trials, {len(wrong)} wrong")
    return 1 if wrong else 0


def _shrink(seed: int) -> int:
    """Prints the fewest operations of the sync's history `seed` that still go wrong."""
    lab = Lab.for_checkout()
    lab.up()
    bench = SyncBench(lab)
    faults = blows(seed - (seed - 1) % TREES)  # those of its batch

    def fails(tries: Sequence[Sequence[Op]]) -> list[bool]:
        histories = {f"{seed}.{n}": ops for n, ops in enumerate(tries)}
        wrong = bench.run(CANDIDATES["unison"], histories, faults)["wrong"]
        verdicts = [any(text.startswith(f"{name}: ") for text in wrong) for name in histories]
        first = [op.number for op in next(compress(tries, verdicts), ())]
        print(f"{len(tries)} tries of {len(tries[0])} operations: {sum(verdicts)} go wrong", *first)
        return verdicts

    whole = history(seed)
    if not any(fails([whole] * TREES)):
        print(f"history {seed} goes right")
        return 0
    for op in shrink(whole, fails):
        print(op)
    return 1


def _run(
    todo: list[tuple[str, Trial]],
    results: Path,
    done: dict[str, Line],
    make_bench: Callable[[Lab], Any],
) -> None:
    lab = Lab.for_checkout()
    lab.up()
    lab.heal()
    bench = make_bench(lab)
    for n, (key, trial) in enumerate(todo, 1):
        done[key] = {"key": key, **trial(lab, bench)}
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(done[key]) + "\n")
        print(f"{n}/{len(todo)} {key}: {'; '.join(done[key]['wrong']) or 'right'}", flush=True)


def place(page: Path, proof: str, table: str) -> None:
    """Writes `page`, or only what stands between its two comments that name the proof."""
    begin, end = f"<!-- {proof} -->\n", f"<!-- end of {proof} -->\n"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    whole = f"{before}{begin}{table}{end}{after}" if found and closed else table
    page.write_text(whole, encoding="utf-8")


def _read(path: Path) -> dict[str, Line]:
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {line["key"]: line for line in lines}


def _flags() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(prog="script/soak", description=__doc__)
    flags.add_argument("proof", choices=PROOFS)
    flags.add_argument("--seed", type=int, default=1, help="of the order (default: 1)")
    flags.add_argument("--only", default="", metavar="TEXT", help="trials whose name holds it")
    flags.add_argument("--most", type=int, default=10**6, metavar="N", help="at the most so many")
    flags.add_argument(
        "--part",
        type=lambda text: tuple(map(int, text.split("/"))),
        default=(1, 1),
        metavar="K/N",
        help="the Kth of N parts, for several labs at once",
    )
    flags.add_argument(
        "--shrink", type=int, metavar="SEED", help="sync: fewest operations that still go wrong"
    )
    flags.add_argument("--table", type=Path, metavar="FILE", help="write the table of all results")
    return flags


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("interrupted; the same command goes on behind what is finished", file=sys.stderr)
        sys.exit(130)
