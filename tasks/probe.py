"""One HTTP question to one address, and its answer. Errors are answers too."""

import ssl
import time
from dataclasses import dataclass
from functools import cache

import httpx

SERVED_BY = "x-served-by"
BODY_LIMIT = 65536  # bytes that are read and compared


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`status` is None when no answer came; then `error` says why in a few words."""

    status: int | None
    body: str
    served_by: str | None
    error: str
    seconds: float

    def matches(self, status: int, body: str) -> bool:
        return self.status == status and body in self.body

    @property
    def words(self) -> str:
        if self.status is None:
            return self.error
        return (
            f"{self.status} {self.body.strip()[:60]!r}" if self.body.strip() else f"{self.status}"
        )


@cache
def blind_tls() -> ssl.SSLContext:
    """TLS that checks no certificate: for questions of routing, never of trust."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def ask(
    address: str,
    port: int,
    path: str,
    *,
    hostname: str | None = None,
    tls: ssl.SSLContext | None = None,
    timeout: float = 5.0,
) -> Answer:
    """GET `path` of address:port, as `hostname` (in Host and in the TLS handshake).

    `timeout` is in seconds, for each of connecting and reading.
    """
    scheme = "https" if tls else "http"
    headers = {"Host": hostname} if hostname else {}
    extensions = {"sni_hostname": hostname} if hostname and tls else {}
    started = time.monotonic()
    try:
        with httpx.Client(verify=tls or False, timeout=timeout, trust_env=False) as client:
            response = client.get(
                f"{scheme}://{address}:{port}{path}", headers=headers, extensions=extensions
            )
    except httpx.HTTPError as error:
        return _no_answer(error, time.monotonic() - started)
    return Answer(
        status=response.status_code,
        body=response.text[:BODY_LIMIT],
        served_by=response.headers.get(SERVED_BY),
        error="",
        seconds=time.monotonic() - started,
    )


def _no_answer(error: httpx.HTTPError, seconds: float) -> Answer:
    if isinstance(error, httpx.TimeoutException):
        words = f"no answer within {seconds:.0f} s"
    elif isinstance(error, httpx.ConnectError):
        words = str(error).rpartition("] ")[2].lower() or "connection refused"
    else:
        words = str(error) or type(error).__name__
    return Answer(status=None, body="", served_by=None, error=words, seconds=seconds)
