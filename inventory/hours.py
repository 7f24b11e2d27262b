"""Hours of the week, such as `Fri,Sat 18:00-02:00`, in the control node's own time."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SHAPE = re.compile(r"(?:([A-Za-z,]+) )?(\d\d:\d\d)-(\d\d:\d\d)")


@dataclass(frozen=True)
class Hours:
    """From `begin` to `end` on each of `days` (0 is Monday); past midnight where end <= begin."""

    text: str
    days: frozenset[int]
    begin: time
    end: time

    @classmethod
    def parse(cls, text: object) -> "Hours":
        """Raises ValueError, in words that say what would be right."""
        found = _SHAPE.fullmatch(text) if isinstance(text, str) else None
        names = (found[1] or ",".join(DAYS)).title().split(",") if found else [""]
        try:
            if found and set(names) <= set(DAYS):
                days = frozenset(DAYS.index(name) for name in names)
                begin, end = (time.fromisoformat(found[n]) for n in (2, 3))
                return cls(found[0], days, begin, end)
        except ValueError:
            pass
        raise ValueError(f"{text!r} is not hours such as 18:00-23:00 or Fri,Sat 18:00-02:00")

    def covers(self, when: datetime) -> bool:
        """Does local time `when` lie in them? The end itself does not."""
        today, now = when.weekday() in self.days, when.time()
        if self.begin < self.end:
            return today and self.begin <= now < self.end
        yesterday = (when - timedelta(days=1)).weekday() in self.days
        return (today and now >= self.begin) or (yesterday and now < self.end)
