"""The one module that talks to Cloudflare's API: reads that are whole, changes sent once.

Nobody may repeat a change: the API knows no idempotency keys. Where a change was sent and no
answer came, `OutcomeUnknown` says so, and whoever asked for it reads back what became of it.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from inventory.errors import TwinedgeError
from inventory.secret import redact
from outside.permissions import needed

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Json = Mapping[str, Any]

CONNECT, ANSWER = 10.0, 30.0  # seconds
PAUSE = 1.0  # seconds between two tries of a read
PAGES = 500  # more than any account of this size has
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
# A missing permission in disguise, beside status 403: "method not allowed for the api_token
# authentication scheme" and "Authentication error".
DISGUISED = 10000


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long one request may take, in seconds, and how often a read is tried. A change is sent
    once. Over its limit Cloudflare blocks for the next 300 s.
    """

    connect: float = CONNECT
    answer: float = ANSWER
    reads: int = 3
    longest_wait: float = 330.0


PATIENT = Patience()


class CloudError(TwinedgeError):
    """A cloud did not do as it was asked."""


class NotAnswered(CloudError):
    """It gave no answer that can be read; nothing was changed by this request."""


class LimitReached(CloudError):
    """It takes no request for now; nothing was changed by this one."""


class NotPermitted(CloudError):
    """The token is not good for this; the text names the permission."""


class Rejected(CloudError):
    """It understood, and refused; nothing was changed by this request."""

    def __init__(self, words: str, status: int, codes: tuple[int, ...]) -> None:
        super().__init__(words)
        self.http_status, self.codes = status, codes


class OutcomeUnknown(CloudError):
    """A change was sent, and what became of it is not known."""


class _Error(BaseModel):
    code: int = 0
    message: str = ""


class _Page(BaseModel):
    total_count: int | None = None
    per_page: int | None = None
    cursor: str | None = None


class _Envelope(BaseModel):
    success: bool
    errors: list[_Error] | None = None
    result: Any = None
    result_info: _Page | None = None


_ENVELOPE = TypeAdapter(_Envelope)


class Api:
    """Requests of one token. `say` is told what is waited for; `sleep` waits (seconds)."""

    def __init__(
        self,
        base: str,
        token: str,
        *,
        say: Callable[[str], None] = lambda _: None,
        patience: Patience = PATIENT,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=base,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(patience.answer, connect=patience.connect),
            trust_env=False,
            transport=transport,
        )
        self._say, self._sleep, self._patience = say, sleep, patience
        self.where = self._http.base_url.host

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **query: str | int) -> Any:
        """The `result` of a read. Raises CloudError."""
        return self._read(path, query).result

    def every(self, path: str, *, per_page: int, **query: str | int) -> list[Json]:
        """Every entry of a list, from all its pages. Raises CloudError where any is missing."""
        return list(self._pages(path, per_page, query))

    def log(self, path: str, *, limit: int, **query: str) -> Iterator[Json]:
        """Every entry of a log, which goes on at a cursor. Raises CloudError."""
        cursor: str | None = ""
        for _ in range(PAGES):
            more = {"cursor": cursor} if cursor else {}
            answer = self._read(path, {**query, **more, "limit": limit})
            yield from answer.result or []
            cursor = answer.result_info.cursor if answer.result_info else None
            if not cursor:
                return
        raise NotAnswered(f"GET {path}: more than {PAGES} pages")

    def change(self, method: Method, path: str, body: Json | None = None) -> Any:
        """The `result` of a change, which is sent once. Raises CloudError."""
        return self._within_limits(lambda: self._change(method, path, body)).result

    def _pages(self, path: str, per_page: int, query: Mapping[str, str | int]) -> Iterator[Json]:
        seen: set[str] = set()
        for page in range(1, PAGES + 1):
            answer = self._read(path, {**query, "page": page, "per_page": per_page})
            entries = answer.result or []
            if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
                raise NotAnswered(f"GET {path}: {self.where} gave no list of objects")
            for entry in entries:
                if entry.get("id") in seen:
                    raise NotAnswered(f"GET {path}: the list changed while it was read: once more")
                seen.add(str(entry.get("id")))
                yield entry
            info = answer.result_info or _Page()
            if info.total_count is not None:
                if len(seen) >= info.total_count:
                    return
                if not entries:
                    raise NotAnswered(
                        f"GET {path}: {self.where} gave {len(seen)} of {info.total_count}"
                    )
            elif len(entries) < (info.per_page or per_page):
                return
        raise NotAnswered(f"GET {path}: more than {PAGES} pages")

    def _read(self, path: str, query: Mapping[str, str | int]) -> _Envelope:
        return self._within_limits(lambda: self._read_once(path, query))

    def _read_once(self, path: str, query: Mapping[str, str | int]) -> _Envelope:
        """A read that failed for no lasting reason is tried again."""
        for left in reversed(range(self._patience.reads)):
            try:
                return self._judged("GET", path, self._http.get(path, params=dict(query)))
            except (NotAnswered, httpx.TransportError) as error:
                if not left:
                    raise self._no_answer("GET", path, error) from error
                self._sleep(PAUSE)
        raise AssertionError("a read is tried")

    def _change(self, method: Method, path: str, body: Json | None) -> _Envelope:
        try:
            answer = self._http.request(method, path, json=body)
            return self._judged(method, path, answer)
        except NOT_SENT as error:
            raise self._no_answer(method, path, error) from error
        except (NotAnswered, httpx.TransportError) as error:
            raise OutcomeUnknown(
                f"{method} {path}: it was sent, and what became of it is not known ({_why(error)})"
            ) from error

    def _within_limits(self, ask: Callable[[], _Envelope]) -> _Envelope:
        """Ask once more after the time that a 429 gives: what it answers has not been done."""
        try:
            return ask()
        except _Limited as limit:
            if limit.seconds is None or limit.seconds > self._patience.longest_wait:
                raise LimitReached(str(limit)) from limit
            self._say(f"{limit}; waiting {limit.seconds:.0f} s as it asks")
            self._sleep(limit.seconds)
        try:
            return ask()
        except _Limited as limit:
            raise LimitReached(str(limit)) from limit

    def _judged(self, method: Method, path: str, answer: httpx.Response) -> _Envelope:
        """The envelope of an answer that says yes."""
        if answer.status_code == 429:
            raise _Limited(
                f"{self.where} takes no more requests for now (429)", _retry_after(answer)
            )
        try:
            told = _ENVELOPE.validate_json(answer.content)
        except ValidationError as error:
            if answer.status_code == 403:
                raise NotPermitted(
                    f"{method} {path}: 403 without a reason: {self.where}'s firewall, or a token "
                    "that may not come from this address"
                ) from error
            words = f"{method} {path}: status {answer.status_code}, and no JSON of the API"
            raise NotAnswered(words) from error
        if answer.status_code >= 500:
            raise NotAnswered(f"{method} {path}: status {answer.status_code}: {_said(told)}")
        if not answer.is_success or not told.success or told.errors:
            raise self._refusal(method, path, answer.status_code, told)
        return told

    def _refusal(self, method: Method, path: str, status: int, told: _Envelope) -> CloudError:
        codes = tuple(error.code for error in told.errors or ())
        permission = needed(path)
        if status == 401 or (status == 400 and 6003 in codes):
            return NotPermitted(
                f"{self.where} does not know the token, or it was revoked ({_said(told)})"
            )
        if permission and (status == 403 or DISGUISED in codes):
            do = "read" if method == "GET" else "change"
            return NotPermitted(
                f"the token may not {do} {permission.thing}: it lacks the permission "
                f"{permission.words(write=method != 'GET')}"
            )
        return Rejected(f"{method} {path}: status {status}: {_said(told)}", status, codes)

    def _no_answer(self, method: Method, path: str, error: Exception) -> NotAnswered:
        if isinstance(error, NotAnswered):
            return error
        return NotAnswered(f"{method} {path}: no answer from {self.where} ({_why(error)})")


class _Limited(Exception):
    """A 429, and after how many seconds to come again."""

    def __init__(self, words: str, seconds: float | None) -> None:
        super().__init__(words)
        self.seconds = seconds


def _retry_after(answer: httpx.Response) -> float | None:
    text = answer.headers.get("Retry-After", "")
    return float(text) if re.fullmatch(r"[0-9]{1,6}", text) else None


def _said(told: _Envelope) -> str:
    """What the API gives for a reason."""
    errors = [f"{error.message} ({error.code})" for error in told.errors or ()]
    return redact("; ".join(errors)) or "without a reason"


def _why(error: Exception) -> str:
    return redact(str(error)) if isinstance(error, NotAnswered) else type(error).__name__
