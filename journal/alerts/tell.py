"""From a look to messages that have arrived: what is new, whom to tell, and what is left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from inventory.catalogue import Service, Site
from journal.alerts import post
from journal.alerts.book import Book, Delivery
from journal.alerts.channel import waits
from journal.alerts.notice import follow_up
from journal.alerts.problem import Look
from journal.alerts.turn import turn
from journal.alerts.words import messages, moment, unwatched
from journal.history import History
from journal.incidents import incidents
from tasks.checks.finding import Finding

SILENCING = ("deploy", "rollback", "drill")
AT_ONCE = timedelta(minutes=1)  # a look that is so much older than the last one was overtaken
LONGEST = timedelta(hours=1)  # of a run without an end: it was killed, its window is over


@dataclass(frozen=True, kw_only=True)
class Alerting:
    """The alerts of one site, with what its journal remembers. May raise JournalError.

    A message says what people feel of `services`, where they are given.
    """

    site: Site
    history: History
    services: Mapping[str, Service] = field(default_factory=dict)

    @property
    def book(self) -> Book:
        return Book(self.history.store)

    @property
    def patience(self) -> timedelta:
        """So long nobody may look before that is told; a slow schedule has longer."""
        return max(self.site.alerts.unwatched_after, self.history.gap)

    def looked(self, findings: Sequence[Finding], at: datetime) -> None:
        """Note what people are to be told after a look at everything; if there are any.

        Of two runs that look at once, the second knows what the first has told; one that was
        overtaken tells nothing.
        """
        rules = self.site.alerts
        with self.history.store.transaction():
            last = self.book.last_look()
            if last and timedelta() <= last - at < AT_ONCE:
                return
            if not rules.everybody:
                self.book.note(at, [], [], ())
                return
            self._note(findings, at, last)

    def _note(self, findings: Sequence[Finding], at: datetime, last: datetime | None) -> None:
        rules, quiet = self.site.alerts, self.silence(at) is not None
        watched = last is None or at - last <= self.patience
        look = Look.of(findings, self.services)
        notices, news = follow_up(
            self.book.notices(), look, at, rules, quiet=quiet, watched=watched
        )
        told = list(messages(self.site.domain, news, at, self._links(at) if news else {}))
        if last and not watched and not quiet:
            told.insert(0, unwatched(self.site.domain, last, at))
        self.book.note(at, notices, told, rules.everybody)

    def _links(self, at: datetime) -> dict[str, str]:
        """Hop -> where its last incident can be read, where there is a page."""
        site = self.site
        if not site.page_name:
            return {}
        found = incidents(self.history.episodes(since=at - self.history.kept), at)
        return {one.hop: f"https://{site.page_name}/{one.path}" for one in found}

    def deliver(self, at: datetime) -> list[str]:
        """Send what waits; what does not arrive waits on. Tells why, one line an address.

        One run at a time: what another one is sending is not sent again.
        """
        with turn(self.history.store.path.parent, post.DEADLINE) as ours:
            if not ours:
                return [f"another run has been sending for over {post.DEADLINE:g} s"]
            rules, local = self.site.alerts, at.astimezone()
            due = [d for d in self.book.waiting() if not waits(rules, d.target, d.message, local)]
            return self._send(due, at)

    def _send(self, due: Sequence[Delivery], at: datetime) -> list[str]:
        problems = []
        for delivery, error in post.deliver(due, at, post.DEADLINE):
            if error:
                self.book.failed(delivery, error)
                problems.append(f"{delivery.target}: {error}")
            else:
                self.book.arrived(delivery, at)
        return problems

    def unusable(self) -> list[str]:
        """Addresses that no message could be sent to, and why. Nothing is sent."""
        urls = [channel.url for channel in self.site.alerts.everybody]
        read = ((url, post.Address(reference=url).problem) for url in urls)
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
