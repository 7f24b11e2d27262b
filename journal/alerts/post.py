"""The one module that sends messages: apprise, a few seconds at most, in order."""

import logging
import queue
import re
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from inventory.errors import InventoryError
from inventory.secret import Secret, redact
from journal.alerts.address import misread
from journal.alerts.book import Delivery
from journal.alerts.words import Message, duration
from tasks.checks.finding import Status

PATIENCE = 3.0  # seconds to connect, and to be answered, at one address
DEADLINE = 8.0  # seconds for all of them; what is not sent by then waits for the next run
AT_ONCE = 30  # messages to one address in one run; services limit their rates
LATE = timedelta(minutes=15)  # a message that waited so long says so, whatever it waited for
SHORTEST = 6  # characters; a shorter part of an address is no token
TALKATIVE = ("apprise", "urllib3", "requests")  # their debug logs hold addresses
# A client that follows 301, 302 and 303 asks the new address with a GET, without the message,
# and takes its answer for a success (measured with apprise 2.2); 307 and 308 keep the message.
KEPT_BY_REDIRECT = re.compile(r"error=30[78]\b")
LOST_BY_REDIRECT = re.compile(r"error=30[123]\b")
ELSEWHERE = " (the address leads elsewhere, which loses the message: write the one it leads to)"
UNKNOWN = "apprise does not know such an address"
TYPES = {
    Status.OK: "success",
    Status.SKIPPED: "info",
    Status.WARN: "warning",
    Status.UNREACHABLE: "failure",
    Status.FAILED: "failure",
}

Outcome = tuple[Delivery, str]  # and why it did not arrive; "" when it did


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the other side made of a message: `error` is empty when it took it, `status` is
    that of HTTP, where it speaks that."""

    error: str = ""
    status: int | None = None

    def __str__(self) -> str:
        said = f"answered {self.status}" if self.status else ""
        return f"{self.error}{f' ({said})' if said else ''}" if self.error else said or "took it"


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where messages go: an apprise URL, known by its reference."""

    reference: str

    @property
    def problem(self) -> str:
        """Why no message can be sent there, or "". Nothing is sent."""
        return self._read()[1]

    def send(self, message: Message, late: str = "") -> str:
        """Why the message did not arrive, or ""."""
        url, problem = self._read()
        body = f"{message.body}\n{late}" if late else message.body
        return problem or _send(url, message, body)

    def _read(self) -> tuple[str, str]:
        """The address, and its problem. Once: a secret may be a command."""
        try:
            url = Secret(self.reference).reveal()
        except InventoryError as error:
            return "", str(error)
        with _listening():
            return url, misread(url) or ("" if _service(url) else UNKNOWN)


def deliver(waiting: Iterable[Delivery], now: datetime, deadline: float) -> Iterator[Outcome]:
    """Send to each address in order, until one message does not arrive or `deadline` seconds
    are over.

    Each address has a thread that dies with the process: a name server that hangs keeps
    nobody. What was under way at the deadline is sent again by the next run.
    """
    lines: dict[str, list[Delivery]] = {}
    for delivery in sorted(waiting, key=lambda d: d.id):
        lines.setdefault(delivery.target, []).append(delivery)
    outcomes: queue.Queue[Outcome] = queue.Queue()
    for line in lines.values():
        work = (tuple(line[:AT_ONCE]), now, outcomes)
        threading.Thread(target=_work, args=work, daemon=True).start()
    end = time.monotonic() + deadline
    while lines:
        try:
            delivery, error = outcomes.get(timeout=max(end - time.monotonic(), 0.0))
        except queue.Empty:
            yield from ((line[0], f"no answer in {deadline:g} s") for line in lines.values())
            return
        yield delivery, error
        line = lines[delivery.target]
        line.remove(delivery)
        if error or not line:
            del lines[delivery.target]


def trial(urls: Sequence[str], message: Message, deadline: float) -> dict[str, Answer]:
    """What each address makes of `message`, within `deadline` seconds."""
    answers: queue.Queue[tuple[str, Answer]] = queue.Queue()
    found = {url: Answer(error=f"no answer in {deadline:g} s") for url in urls}
    end = time.monotonic() + deadline
    with _statuses() as statuses:
        for url in urls:
            work = (url, message, statuses, answers)
            threading.Thread(target=_try, args=work, daemon=True).start()
        for _ in urls:
            try:
                url, answer = answers.get(timeout=max(end - time.monotonic(), 0.0))
            except queue.Empty:
                break
            found[url] = answer
    return found


def _try(
    url: str, message: Message, statuses: "_Statuses", answers: "queue.Queue[tuple[str, Answer]]"
) -> None:
    try:
        error = Address(reference=url).send(message)
    except Exception as failure:  # as in _work
        error = f"apprise failed with {type(failure).__name__}"
    status = statuses.seen.get(threading.get_ident())
    answers.put((url, Answer(error=error, status=status)))


def _work(line: Sequence[Delivery], now: datetime, outcomes: "queue.Queue[Outcome]") -> None:
    for delivery in line:
        age = now - delivery.message.at
        late = f"(told {duration(age)} late)" if delivery.tries or age >= LATE else ""
        try:
            error = Address(reference=delivery.target).send(delivery.message, late)
        except Exception as failure:  # one of a hundred plugins; its words may hold the token
            error = f"apprise failed with {type(failure).__name__}"
        outcomes.put((delivery, error))
        if error:
            return


class _Said(logging.Handler):
    """What apprise says in this thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    @property
    def last(self) -> str:
        return self.lines[-1] if self.lines else "not accepted"

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.lines.append(record.getMessage())


@contextmanager
def _listening() -> Iterator[_Said]:
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logger, said = logging.getLogger("apprise"), _Said()
    logger.propagate = False
    logger.addHandler(said)
    try:
        yield said
    finally:
        logger.removeHandler(said)


class _Statuses(logging.Handler):
    """The last status of HTTP that each thread was answered, of urllib3's line on a request:
    scheme, host, port, method, path, version, status, length. No more of it, it is secret."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.seen: dict[int, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        match record.args:
            case (_, _, _, _, _, _, int(status), _) if record.thread:
                self.seen[record.thread] = status


@contextmanager
def _statuses() -> Iterator[_Statuses]:
    logger, statuses = logging.getLogger("urllib3.connectionpool"), _Statuses()
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(statuses)
    try:
        yield statuses
    finally:
        logger.removeHandler(statuses)
        logger.setLevel(logging.WARNING)


def _service(url: str) -> Any:
    """apprise's object for `url`, or None where it knows no such address."""
    import apprise  # a quarter of a second, and only needed when somebody is to be told

    return apprise.Apprise.instantiate(url, suppress_exceptions=True)


def _send(url: str, message: Message, body: str) -> str:
    import apprise

    kind = apprise.NotifyType(TYPES[message.status])
    with _listening() as said:
        service = _service(url)
        service.socket_connect_timeout = service.socket_read_timeout = PATIENCE
        service.redirects = False
        sent = service.notify(title=message.title, body=body, notify_type=kind)
        if not sent and KEPT_BY_REDIRECT.search(said.last):
            service.redirects = True
            sent = service.notify(title=message.title, body=body, notify_type=kind)
    if sent:
        return ""
    elsewhere = ELSEWHERE if LOST_BY_REDIRECT.search(said.last) else ""
    return _without_parts(said.last, url) + elsewhere


def _without_parts(text: str, url: str) -> str:
    """`text` without any part of the address that might be a token."""
    for part in re.split(r"[/@:?&=,]+", url):
        if len(part) >= SHORTEST:
            text = text.replace(part, "[secret]")
    return redact(text)
