"""What follows a run that is remembered: alerts, metrics, the heartbeat, the page.

Each of them fails alone, says so in words, and never fails the run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from inventory.catalogue import Catalogue
from inventory.secret import redact
from journal.alerts.tell import Alerting
from journal.heartbeat import beat
from journal.history import History
from journal.metrics import metrics
from journal.page.page import page, write
from tasks.checks.finding import Finding


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What is told after a run; `say` tells the operator what could not be."""

    catalogue: Catalogue
    history: History
    say: Callable[[str], None]

    def looked(self, findings: Sequence[Finding], at: datetime) -> None:
        """After a look at everything."""
        site = self.catalogue.site
        self._alone("alerts", lambda: self._alert(findings, at))
        if site.metrics:
            file = Path(site.metrics.file).expanduser()
            self._alone("metrics", lambda: self._measure(findings, at, file))
        if site.heartbeat:
            url = site.heartbeat.url
            self._alone("heartbeat", lambda: beat(url))

    def _alert(self, findings: Sequence[Finding], at: datetime) -> None:
        alerting = Alerting(site=self.catalogue.site, history=self.history)
        alerting.looked(findings, at)
        for problem in alerting.deliver(at):
            self.say(f"an alert was not delivered, the next run tries again: {problem}")

    def _measure(self, findings: Sequence[Finding], at: datetime, file: Path) -> None:
        write(metrics(self.catalogue, self.history, findings, at), file)

    def ran(self, at: datetime) -> None:
        """After any run."""
        target = self.catalogue.site.page
        if target:
            file = Path(target.directory) / "index.html"
            self._alone("page", lambda: write(page(self.catalogue, self.history, at), file))

    def _alone(self, what: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # whatever it is, the run goes on
            self.say(f"{what}: {type(error).__name__}: {redact(str(error))}")
