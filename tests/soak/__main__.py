"""Runs a long proof on this checkout's lab, and goes on where an earlier run ended.

script/soak transaction [--seed N] [--only TEXT] [--most N] [--part K/N] [--table FILE]
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from lab.api import Lab
from tests.soak import plan
from tests.soak.table import table
from tests.soak.transaction import Bench

RESULTS = Path(__file__).resolve().parent.parent.parent / ".soak"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="script/soak", description=__doc__)
    parser.add_argument("proof", choices=["transaction"])
    parser.add_argument("--seed", type=int, default=1, help="of the order (default: 1)")
    parser.add_argument("--only", default="", help="cells whose name holds this text")
    parser.add_argument("--most", type=int, default=10**6, help="this many cells at the most")
    parser.add_argument(
        "--part", default="1/1", metavar="K/N", help="the Kth of N parts, for several labs at once"
    )
    parser.add_argument("--table", type=Path, help="write the table of all results there")
    asked = parser.parse_args(arguments)
    results = RESULTS / f"{asked.proof}.jsonl"
    RESULTS.mkdir(exist_ok=True)
    done = _read(results)
    part, parts = map(int, asked.part.split("/"))
    todo = [
        (name, cell)
        for name, cell in list(plan.cells(asked.seed))[part - 1 :: parts]
        if _key(name, asdict(cell)) not in done and asked.only in _key(name, asdict(cell))
    ][: asked.most]
    if todo:
        lab = Lab.for_checkout()
        lab.up()
        lab.heal()
        bench = Bench(lab)
        for n, (name, cell) in enumerate(todo, 1):
            verdict = bench.run(cell)
            line = {"step": name, "at": round(time.time()), **asdict(verdict)}
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            done[_key(name, asdict(cell))] = line
            said = "; ".join(verdict.wrong) or f"on {verdict.left_on}"
            key = _key(name, asdict(cell))
            print(f"{n}/{len(todo)} {key}: {said} ({verdict.seconds} s)", flush=True)
    if asked.table:
        asked.table.write_text(table(list(done.values())), encoding="utf-8")
    wrong = [key for key, line in done.items() if line["wrong"]]
    print(f"{len(done)} cells, {len(wrong)} wrong")
    return 1 if wrong else 0


def _read(path: Path) -> dict[str, dict[str, object]]:
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {_key(line["step"], line["cell"]): line for line in lines}


def _key(name: str, cell: dict[str, object]) -> str:
    return f"{cell['host']} / {name} / {cell['fault']}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
