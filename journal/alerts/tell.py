"""From a look to messages that have arrived: what is new, whom to tell, and what is left."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from inventory.catalogue import Site
from journal.alerts import post
from journal.alerts.book import Book
from journal.alerts.notice import follow_up
from journal.alerts.problem import Look
from journal.alerts.words import messages, moment, unwatched
from journal.history import History
from journal.incidents import incidents
from tasks.checks.finding import Finding

SILENCING = ("deploy", "rollback", "drill")
LONGEST = timedelta(hours=1)  # of a run without an end: it was killed, its window is over


@dataclass(frozen=True, kw_only=True)
class Alerting:
    """The alerts of one site, with what its journal remembers. May raise JournalError."""

    site: Site
    history: History

    @property
    def book(self) -> Book:
        return Book(self.history.store)

    @property
    def patience(self) -> timedelta:
        """So long nobody may look before that is told; a slow schedule has longer."""
        return max(self.site.alerts.unwatched_after, self.history.gap)

    def looked(self, findings: Sequence[Finding], at: datetime) -> None:
        """Note what people are to be told after a look at everything; if there are any."""
        rules, last = self.site.alerts, self.book.last_look()
        if not rules.urls:
            self.book.note(at, [], [], ())
            return
        quiet = self.silence(at) is not None
        watched = last is None or at - last <= self.patience
        notices, news = follow_up(
            self.book.notices(), Look.of(findings), at, rules, quiet=quiet, watched=watched
        )
        told = list(messages(self.site.domain, news, at, self._links(at) if news else {}))
        if last and not watched and not quiet:
            told.insert(0, unwatched(self.site.domain, last, at))
        self.book.note(at, notices, told, rules.urls)

    def _links(self, at: datetime) -> dict[str, str]:
        """Hop -> where its last incident can be read, where there is a page."""
        site = self.site
        if not site.page_name:
            return {}
        found = incidents(self.history.episodes(since=at - self.history.kept), at)
        return {one.hop: f"https://{site.page_name}/{one.path}" for one in found}

    def deliver(self, at: datetime) -> list[str]:
        """Send what waits; what does not arrive waits on. Tells why, one line an address."""
        problems = []
        for delivery, error in post.deliver(self.book.waiting(), at, post.DEADLINE):
            if error:
                self.book.failed(delivery, error)
                problems.append(f"{delivery.target}: {error}")
            else:
                self.book.arrived(delivery, at)
        return problems

    def unusable(self) -> list[str]:
        """Addresses that no message could be sent to, and why. Nothing is sent."""
        read = ((url, post.Address(reference=url).problem) for url in self.site.alerts.urls)
        return [f"{url}: {problem}" for url, problem in read if problem]

    def silence(self, at: datetime) -> str | None:
        """Why nobody is told anything now; None when people are."""
        by_hand = self.book.silenced(at)
        if by_hand:
            reason = f" ({by_hand.reason})" if by_hand.reason else ""
            return f"silent until {moment(by_hand.until)}{reason}"
        for run in self.history.runs(since=at - 2 * LONGEST):
            end = run.ended + self.site.alerts.settle if run.ended else run.began + LONGEST
            if run.kind in SILENCING and run.began <= at < end:
                return (
                    f"silent: a {run.kind} is at work"
                    if not run.ended
                    else (f"silent until {moment(end)}: a {run.kind} has just ended")
                )
        return None
