"""Ledgers for tests: what a vantage would have seen, row by row."""

from tasks.drill.ledger import Moments, Row

PRIMARY, FALLBACK = "vps2", "vps1"
MOMENTS = Moments(fault=10.0, restore=30.0, end=60.0)


def row(due: float, served_by: str = PRIMARY, **changes: object) -> Row:
    usual: dict[str, object] = {
        "sent": due,
        "vantage": "vps1",
        "method": "GET",
        "status": 200,
        "latency": 0.01,
        "error": "",
    }
    return Row(due=due, served_by=served_by, **(usual | changes))  # type: ignore[arg-type]


def stretch(
    begin: float, end: float, served_by: str, rate: float = 10, **changes: object
) -> list[Row]:
    """A row every 1/rate seconds from `begin` to before `end`."""
    count = round((end - begin) * rate)
    return [row(begin + n / rate, served_by, **changes) for n in range(count)]


def clean_failover() -> list[Row]:
    """To the fallback 2 s after the fault, back 15 s after the restore, nothing lost."""
    waiting = [row(10 + n / 10, FALLBACK, latency=2.0 - n / 10 + 0.01) for n in range(20)]
    return [
        *stretch(0, 10, PRIMARY),
        *waiting,
        *stretch(12, 45, FALLBACK),
        *stretch(45, 60, PRIMARY),
    ]
