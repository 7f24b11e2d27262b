"""A moment on a page: in UTC, and so that a script may add the reader's own time."""

from datetime import datetime

from journal.alerts.words import moment
from tasks.quote import Quoted


def stamp(at: datetime) -> Quoted:
    return _time(at, moment(at))


def full_stamp(at: datetime) -> Quoted:
    """With the day of the week and the second."""
    return _time(at, f"{at:%a %d %b %Y %H:%M:%S} UTC")


def _time(at: datetime, words: str) -> Quoted:
    """Digits, letters and colons alone, so nothing in it needs to be quoted."""
    return Quoted(f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{words}</time>')
