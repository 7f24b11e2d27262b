"""Every suite of lab tests on every kind of lab: what is true where."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from inventory.source import read_source
from lab.api import Lab
from lab.errors import LabError
from lab.options import Options
from lab.state import State

ROOT = Path(__file__).resolve().parent.parent.parent
SUITES = ROOT / "tests" / "lab"
# What is asked of the lab: the fields of lab.options.Options. A site is a path in the checkout.
KINDS: Mapping[str, Mapping[str, str]] = {
    "bookworm": {},
    "docker": {"manager": "docker"},
    "trixie": {"distribution": "trixie"},
    "unraid": {"site": "lab/site/unraid/config.yaml"},
    "mixed": {"distribution": "vps1=trixie", "package": "vps1=caddy"},
}
# They bring up labs of their own, of the kinds that they choose: once is enough.
OF_THEIR_OWN = ("test_any_site", "test_docker", "test_kinds", "test_lab_itself", "test_unraid")


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One suite on one kind of lab; `wrong` are the tests that failed."""

    kind: str
    suite: str
    commit: str
    passed: int
    skipped: int
    seconds: float
    wrong: tuple[str, ...]


def pairs() -> Iterator[tuple[str, str]]:
    """(kind, suite), a kind after the other."""
    names = sorted(path.stem for path in SUITES.glob("test_*.py"))
    for kind in KINDS:
        yield from ((kind, n) for n in names if kind == next(iter(KINDS)) or n not in OF_THEIR_OWN)


class Kinds:
    """The checkout's lab, made anew for each kind."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def run(self, kind: str, suite: str) -> dict[str, Any]:
        tried = Tried(
            kind=kind,
            suite=suite,
            commit=read_source().label,
            passed=0,
            skipped=0,
            seconds=0.0,
            wrong=(),
        )
        try:
            self.become(kind)
        except LabError as error:
            return asdict(replace(tried, wrong=(f"the lab does not come up: {error}",)))
        return asdict(replace(tried, **_test(kind, suite)))

    def become(self, kind: str) -> None:
        """Brings the lab up as one of `kind`, without faults. Raises LabError."""
        wanted = options(self.lab.state, kind)
        if Options.of(self.lab.state) != wanted:
            self.lab.down()
        self.lab.up(options=wanted)
        self.lab.heal()


def options(state: State, kind: str) -> Options:
    """What makes a lab one of `kind`."""
    asked: dict[str, Any] = dict(KINDS[kind])
    if "site" in asked:
        asked["site"] = state.checkout / asked["site"]
    return replace(Options.default(state), **asked)


def _test(kind: str, suite: str) -> dict[str, Any]:
    """Runs the suite on the lab that is up; what it prints is kept beside the results."""
    kept = ROOT / ".soak" / "suites"
    kept.mkdir(parents=True, exist_ok=True)
    report = kept / f"{kind}-{suite}.xml"
    report.unlink(missing_ok=True)
    command = ["-m", "pytest", str(SUITES / f"{suite}.py"), "-q", "--junitxml", str(report)]
    with (kept / f"{kind}-{suite}.log").open("w", encoding="utf-8") as log:
        done = subprocess.run([sys.executable, *command], cwd=ROOT, stdout=log, stderr=log)
    if not report.exists():
        return {"wrong": (f"pytest ended with {done.returncode}: {log.name}",)}
    return read_report(report.read_text(encoding="utf-8"))


def read_report(junit: str) -> dict[str, Any]:
    """The counts of a JUnit document, and the tests that failed."""
    cases = list(ET.fromstring(junit).iter("testcase"))
    bad = [c for c in cases if c.find("failure") is not None or c.find("error") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    return {
        "passed": len(cases) - len(bad) - len(skipped),
        "skipped": len(skipped),
        "seconds": round(sum(float(case.get("time", 0)) for case in cases), 1),
        "wrong": tuple(dict.fromkeys(case.get("name", "?") for case in bad)),
    }


def suites_table(lines: Sequence[dict[str, Any]]) -> str:
    """A row a suite, a column a kind, and below it what failed."""
    found = {(line["kind"], line["suite"]): line for line in lines}
    names = dict.fromkeys(line["suite"] for line in lines)
    rows = [f"| suite | {' | '.join(KINDS)} |", "|---" * (len(KINDS) + 1) + "|"]
    rows += [
        f"| {name.removeprefix('test_')} | "
        + " | ".join(_cell(found.get((kind, name))) for kind in KINDS)
        + " |"
        for name in names
    ]
    rows += ["", *(f"- {_where(line)}: {name}" for line in lines for name in line["wrong"])]
    commits = ", ".join(dict.fromkeys(line["commit"] for line in lines))
    wrong = sum(bool(line["wrong"]) for line in lines)
    rows.append(f"\n{len(lines)} suites, {wrong} with something wrong; commit {commits}.")
    return "\n".join(rows) + "\n"


def _where(line: Mapping[str, Any]) -> str:
    return f"{line['suite'].removeprefix('test_')} on {line['kind']}, commit {line['commit']}"


def _cell(line: dict[str, Any] | None) -> str:
    if line is None:
        return "–"
    skipped = f", {line['skipped']} skipped" if line["skipped"] else ""
    words = f"{line['passed']} passed{skipped}"
    return f"**{len(line['wrong'])} failed**, {words}" if line["wrong"] else words
