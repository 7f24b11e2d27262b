"""No test says how long a thing may take: that is the machine's affair (benchmarks/)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
SUITES = ("unit", "loopback", "lab")
# Programs that tests run: they send at a rate, and assert nothing.
PROGRAMS = {"lab/knock.py"}
FILES = [
    path
    for suite in SUITES
    for path in sorted((TESTS / suite).rglob("*.py"))
    if str(path.relative_to(TESTS)) not in PROGRAMS
]
WAITS = {"run", "wait", "communicate"}  # not a request, whose client may be known to give up
STOPWATCHES = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "elapsed"}


def timings(tree: ast.AST) -> Iterator[str]:
    """Where a stopwatch is read, the clock is compared, or a wait has an end of its own."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Attribute(attr=name) if name in STOPWATCHES:
                yield f"line {line}: {name}"
            case ast.Compare() if any(is_clock(part) for part in ast.walk(node)):
                yield f"line {line}: the clock is compared"
            case ast.Call(func=ast.Attribute(attr=name)) if name in WAITS:
                if any(word.arg == "timeout" for word in node.keywords):
                    yield f"line {line}: a time limit; pytest's own ends what hangs"


def is_clock(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) in ("time.time", "datetime.now")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_no_test_asserts_a_wall_time(path: Path):
    found = list(timings(ast.parse(path.read_text(encoding="utf-8"))))
    assert found == [], "await it with tests.patience.until, or measure it in benchmarks/"


@pytest.mark.parametrize(
    "code",
    [
        "assert time.monotonic() - began < 3",
        "assert answer.elapsed.total_seconds() >= 0.2",
        "while time.time() < end: pass",
        "process.wait(timeout=2)",
    ],
)
def test_the_ways_in_which_tests_did_it_are_found(code: str):
    assert list(timings(ast.parse(code)))
