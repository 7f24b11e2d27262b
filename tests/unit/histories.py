"""Runs as a history holds them, for tests: a deploy, a drill."""

from dataclasses import replace
from datetime import datetime

from inventory.catalogue import Catalogue
from journal.entries import DrillEntry, Run
from journal.history import History
from tasks.drill.faults import make_fault
from tasks.drill.result import conclude
from tests.unit.drills import MOMENTS, clean_failover
from tests.unit.looks import MINUTE


def run_deploy(history: History, at: datetime, status: int | None) -> None:
    run = Run(id=f"{at}", kind="deploy", began=at, operator="ann@vps2", commit="1234abcd", asked="")
    history.begin(run)
    if status is not None:
        said = "vps1: 5 files put in place"
        history.end(run.id, at=at + 14 * MINUTE / 60, status=status, words=said, steps=[])


def run_drill(catalogue: Catalogue, history: History, at: datetime) -> None:
    service = catalogue.services["organizr"]
    named = [replace(row, vantage="name") for row in clean_failover()]
    fault = make_fault("stop", catalogue, service, "vps2")
    rows = [*clean_failover(), *named]
    result = conclude(service, fault, rows, MOMENTS, rate=10, began=at, unseen={})
    run = Run(id="drill", kind="drill", began=at, operator="ann@vps2", commit="1234abcd", asked="")
    history.begin(run)
    entry = DrillEntry(
        run="drill",
        service="organizr",
        fault="stop",
        host="vps2",
        kept=True,
        document=result.as_json(),
    )
    history.drilled(entry)
    history.end("drill", at=at + MINUTE, status=0, words="within the budget", steps=[])
