"""Who is told what, what waits to be told, and what people know of.

Sends nothing by itself. --test sends a message to each channel and says what
the other side answered; --ack ends the reminders of what is still broken.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from runbooks.flags import parser

EPILOG = """\
exit status: 0 every channel can be used (with --test: took it), 1 one cannot,
or there is nothing to acknowledge, 2 usage or inventory.
"""


def flags() -> ArgumentParser:
    made = parser(__doc__ or "", epilog=EPILOG)
    made.add_argument("--test", action="store_true", help="send one message to each channel")
    made.add_argument(
        "--ack", metavar="HOP", help="somebody knows: no more reminders of this hop, or of all"
    )
    made.add_argument("--json", action="store_true", help="as JSON")
    return made


if __name__ == "__main__":
    flags().parse_args()  # what ends here needs nothing of what follows

from inventory.errors import Exit, UsageError
from inventory.schema import SCHEMA
from inventory.watch import Channel
from journal.alerts import channel as channels
from journal.alerts import post
from journal.alerts.book import Book, Delivery
from journal.alerts.notice import Notice
from journal.alerts.tell import Alerting
from journal.alerts.words import moment
from runbooks.cli import Session, main, open_session
from runbooks.lines import out, say, tell
from runbooks.remember import open_history
from runbooks.transaction.begin import operator

COLUMNS = 30


def alerts(arguments: Namespace) -> int:
    session, now = open_session(arguments), datetime.now(UTC)
    alerting = Alerting(site=session.catalogue.site, history=open_history(session.catalogue))
    if arguments.ack:
        return _acknowledge(alerting.book, arguments.ack)
    everybody = session.catalogue.site.alerts.everybody
    answers = _answers(session, everybody, now) if arguments.test else {}
    problems = {c.url: post.Address(reference=c.url).problem for c in everybody}
    if arguments.json:
        print(json.dumps(_document(alerting, problems, answers), indent=1))
    else:
        _show(alerting, now, problems, answers)
    failed = [a for a in answers.values() if a.error] if answers else any(problems.values())
    return Exit.FAILED if failed else Exit.OK


def _answers(
    session: Session, everybody: tuple[Channel, ...], now: datetime
) -> dict[str, post.Answer]:
    if not everybody:
        raise UsageError("there is no channel to test: alerts.urls or alerts.channels names one")
    message = channels.trial(session.catalogue.site.domain, now)
    return post.trial([channel.url for channel in everybody], message, post.DEADLINE)


def _acknowledge(book: Book, hop: str) -> int:
    known = [notice.problem.hop for notice in book.notices() if notice.is_there]
    if hop != "all" and hop not in known:
        there = ", ".join(known) or "none"
        raise UsageError(f"nothing is known to be broken at {hop!r} (what is: {there})")
    done = book.acknowledge((() if hop == "all" else (hop,)), operator())
    for each in done:
        say(f"no more reminders of {each}, unless it gets worse")
    if not done:
        say("nothing is broken, so there is nothing to acknowledge", style="yellow")
    return Exit.OK if done else Exit.FAILED


def _show(
    alerting: Alerting, now: datetime, problems: dict[str, str], answers: dict[str, post.Answer]
) -> None:
    rules, waiting = alerting.site.alerts, alerting.book.waiting()
    out.print("Channels", style="bold")
    for channel in rules.everybody:
        hours = ", ".join(each.text for each in channels.quiet_hours(rules, channel.url))
        own = sum(delivery.target == channel.url for delivery in waiting)
        said = [channels.words(channel), f"quiet {hours}" if hours else "", f"{own} wait"]
        said.append(problems[channel.url])
        if channel.url in answers:
            said.append(f"test: {answers[channel.url]}")
        bad = problems[channel.url] or (channel.url in answers and answers[channel.url].error)
        tell(f"  {channel.url}", "; ".join(filter(None, said)), style="red" if bad else "",
             columns=COLUMNS)  # fmt: skip
    if not rules.everybody:
        tell("", "none: alerts.urls in inventory/defaults.yaml", style="yellow", columns=2)
    if silence := alerting.silence(now):
        tell("  all", silence, style="yellow", columns=COLUMNS)
    _show_waiting(waiting)
    _show_known([notice for notice in alerting.book.notices() if notice.is_there])


def _show_waiting(waiting: list[Delivery]) -> None:
    out.print("Waits", style="bold")
    for delivery in waiting:
        tried = f", after {delivery.tries} tries: {delivery.error}" if delivery.tries else ""
        words = f"{delivery.message.title} (to {delivery.target}{tried})"
        tell(f"  {moment(delivery.message.at)}", words, columns=20)
    if not waiting:
        tell("", "nothing", columns=2)


def _show_known(notices: list[Notice]) -> None:
    out.print("Broken", style="bold")
    for notice in notices:
        known = f"acknowledged by {notice.acknowledged}" if notice.acknowledged else ""
        told = f"told {moment(notice.told_at)}" if notice.told and notice.told_at else "not told"
        words = "; ".join(filter(None, (notice.problem.hop, told, known)))
        tell(f"  {moment(notice.since)}", words, columns=20)
    if not notices:
        tell("", "nothing", columns=2)


def _document(
    alerting: Alerting, problems: dict[str, str], answers: dict[str, post.Answer]
) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "channels": [
            {
                "url": channel.url,
                "severity": channel.severity,
                "services": list(channel.services),
                "problem": problems[channel.url],
                "test": str(answers[channel.url]) if channel.url in answers else None,
            }
            for channel in alerting.site.alerts.everybody
        ],
        "waiting": [
            {
                "at": f"{delivery.message.at:%Y-%m-%dT%H:%M:%SZ}",
                "to": delivery.target,
                "title": delivery.message.title,
                "tries": delivery.tries,
                "error": delivery.error,
            }
            for delivery in alerting.book.waiting()
        ],
        "broken": [
            {
                "hop": notice.problem.hop,
                "since": f"{notice.since:%Y-%m-%dT%H:%M:%SZ}",
                "told": notice.told is not None,
                "acknowledged": notice.acknowledged,
            }
            for notice in alerting.book.notices()
            if notice.is_there
        ],
    }


if __name__ == "__main__":
    main(alerts, flags())
