"""One message on a page: when, what became of it, to whom it went."""

from dataclasses import dataclass

from journal.alerts.book import Delivery
from journal.page.stamp import stamp
from tasks.checks.finding import Status
from tasks.quote import Quoted, html_text


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One message, as the page says it."""

    delivery: Delivery

    @property
    def when(self) -> Quoted:
        return stamp(self.delivery.message.at)

    @property
    def look(self) -> str:
        status = self.delivery.message.status
        return "good" if status is Status.OK else "bad" if status.is_broken else "warn"

    @property
    def state(self) -> Quoted:
        if self.delivery.sent:
            return Quoted(f"arrived {stamp(self.delivery.sent)}")
        tried = f" after {self.delivery.tries} tries" if self.delivery.tries else ""
        why = f": {self.delivery.error}" if self.delivery.error else ""
        return html_text(f"waits{tried}{why}")
