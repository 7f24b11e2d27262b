"""Who is told which message, and which has to wait for the morning. Pure."""

from datetime import datetime

from inventory.hours import Hours
from inventory.watch import Alerts, Channel
from journal.alerts.notice import Kind
from journal.alerts.words import Message
from tasks.checks.finding import Status

BREAKS = (Kind.NEW, Kind.WORSE)


def wants(channel: Channel, message: Message) -> bool:
    """What is of no service in particular is told those who hear of all."""
    if channel.severity == "failure" and not message.severity.is_broken:
        return False
    return (
        not channel.services
        or message.kind is Kind.UNWATCHED
        or bool(set(channel.services) & set(message.services))
    )


def waits(rules: Alerts, target: str, message: Message, local: datetime) -> bool:
    """Does the message to `target` wait, since people sleep? The worst never does."""
    if message.kind in BREAKS and message.status.is_broken:
        return False
    return any(hours.covers(local) for hours in quiet_hours(rules, target))


def quiet_hours(rules: Alerts, target: str) -> tuple[Hours, ...]:
    own = [channel.quiet for channel in rules.everybody if channel.url == target]
    return (*rules.quiet, *(hours for quiet in own for hours in quiet))


def words(channel: Channel) -> str:
    """What is told there, in a few words."""
    told = "failures" if channel.severity == "failure" else "everything"
    return f"{told} of {', '.join(channel.services)}" if channel.services else told


TRIAL = "this is a test: nothing is wrong"


def trial(site: str, at: datetime) -> Message:
    """What `--test` sends; nothing of it is remembered."""
    return Message(
        at=at,
        kind=Kind.STEADY,
        status=Status.OK,
        title=f"{site}: {TRIAL}",
        body="Sent by python runbooks/alerts.py --test. Nothing has to be done.",
    )
