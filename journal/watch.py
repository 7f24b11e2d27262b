"""What follows a run that is remembered: alerts, metrics, the heartbeat, the page.

Each of them fails alone, says so in words, and never fails the run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from inventory.catalogue import Catalogue
from inventory.secret import redact
from journal.alerts.tell import Alerting
from journal.heartbeat import beat
from journal.history import History
from journal.metrics import metrics
from journal.page.incidents import outdated, pages
from journal.page.page import page, write
from tasks.checks.finding import Finding

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What is told after a run; `say` tells the operator what could not be."""

    catalogue: Catalogue
    history: History
    say: Callable[[str], None]

    def looked(self, findings: Sequence[Finding], at: datetime) -> None:
        """After a look at everything."""
        site = self.catalogue.site
        told = self._alone("alerts", lambda: self._alert(findings, at))
        if site.metrics:
            file = Path(site.metrics.file).expanduser()
            self._alone("metrics", lambda: self._measure(findings, at, file))
        if site.heartbeat and not told:
            self.say("heartbeat: not sent, since an alert could not be told either")
        elif site.heartbeat:
            url = site.heartbeat.url
            self._alone("heartbeat", lambda: beat(url))

    def _alert(self, findings: Sequence[Finding], at: datetime) -> bool:
        """Could everybody be told? Where nothing waits, their addresses say so."""
        known = self.catalogue
        alerting = Alerting(site=known.site, history=self.history, services=known.services)
        alerting.looked(findings, at)
        undelivered = alerting.deliver(at)
        for problem in undelivered:
            self.say(f"an alert was not delivered, the next run tries again: {problem}")
        unusable = [] if undelivered or not self.catalogue.site.heartbeat else alerting.unusable()
        for problem in unusable:
            self.say(f"an alert could not be sent: {problem}")
        return not (undelivered or unusable)

    def _measure(self, findings: Sequence[Finding], at: datetime, file: Path) -> None:
        write(metrics(self.catalogue, self.history, findings, at), file)

    def ran(self, at: datetime) -> None:
        """After any run."""
        target = self.catalogue.site.page
        if target:
            folder = Path(target.directory)
            self._alone("page", lambda: self._show(folder, at))

    def _show(self, folder: Path, at: datetime) -> None:
        write(page(self.catalogue, self.history, at), folder / "index.html")
        for file, text in pages(self.catalogue, self.history, at, folder):
            write(text, file)
        for file in outdated(folder, at - self.history.kept):
            file.unlink(missing_ok=True)

    def _alone(self, what: str, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except Exception as error:  # whatever it is, the run goes on
            self.say(f"{what}: {type(error).__name__}: {redact(str(error))}")
            return None
