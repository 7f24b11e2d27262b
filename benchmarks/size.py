"""Large sites without a network: what judging, drawing and reporting them costs, in CPU."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from journal.history import History
from journal.page.page import page
from journal.report import make_report
from runbooks.lines import out
from runbooks.survey import matrix
from runbooks.verify import CHECKS
from tasks.checks.diagnosis import diagnose, faults
from tasks.checks.finding import Finding, Status
from tests.large import catalogue_of
from tests.unit.surveys import Edge

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
EVERY = timedelta(minutes=5)  # as the schedule looks
LOOKS = 12


def judged(survey: object) -> tuple[Finding, ...]:
    found = [f for judges in CHECKS.values() for judge in judges for f in judge(survey)]  # type: ignore[arg-type]
    return diagnose(found)


@contextmanager
def timed(name: str, into: dict[str, float]) -> Iterator[None]:
    began = time.process_time()
    yield
    into[name] = time.process_time() - began


def measure(hosts: int, services: int, told: Callable[[str], object] = print) -> dict[str, float]:
    """CPU seconds of each stage on a site with one broken service."""
    found: dict[str, float] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        catalogue = catalogue_of(folder, hosts, services)
        survey = Edge(catalogue).survey()
        with timed("judges and matrix", found), out.capture() as shown:
            findings = judged(survey)
            matrix.show_matrix(survey, findings)
            matrix.show_faults(faults(findings))
        told(shown.get())
        history = History(folder / "journal.db")
        ill = [
            replace(f, status=Status.FAILED, seen="500") if f.service == "plex" else f
            for f in findings
        ]
        for n in range(LOOKS):
            with timed("a look into the history", found):
                history.look(diagnose(ill if n % 3 == 2 else findings), FIRST + n * EVERY)
        now = FIRST + LOOKS * EVERY
        with history.store.transaction() as db:
            db.execute("INSERT INTO looks VALUES (?)", ((now - EVERY).timestamp(),))
        with timed("page", found):
            told(page(catalogue, history, now))
        with timed("report", found):
            made = make_report(history, now=now, back=timedelta(days=1), hosts=catalogue.hosts)
            told(str(made.as_json()))
        history.close()
    return found


if __name__ == "__main__":
    import sys

    hosts, services, *rest = sys.argv[1:]
    with Path(rest[0] if rest else "/dev/null").open("w") as file:
        for stage, seconds in measure(int(hosts), int(services), file.write).items():
            print(f"{hosts} hosts, {services} services: {stage} {seconds:.2f} s")
