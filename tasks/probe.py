"""One HTTP question to one address, and its answer. Errors are answers too."""

import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Literal

import httpx

from inventory.front import AGENT

SERVED_BY = "x-served-by"
Method = Literal["GET", "HEAD"]

BODY_LIMIT = 65536  # bytes that are read and compared


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """The life of the certificate that a server showed."""

    starts: datetime
    ends: datetime


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`status` is None when no answer came; then `error` says why in a few words.

    `served_by` is the upstream that Caddy names, `location` where a redirect leads, `guard`
    what Cloudflare's edge says of the application in front (tasks/guard.py).
    """

    status: int | None
    body: str = ""
    served_by: str | None = None
    error: str = ""
    seconds: float = 0.0
    location: str = ""
    guard: str = ""
    certificate: Certificate | None = None

    def matches(self, status: int, body: str) -> bool:
        return self.status == status and body in self.body

    @property
    def words(self) -> str:
        if self.status is None:
            return self.error
        start = " ".join(self.body.split())[:40]
        return f"{self.status} {start!r}" if start else f"{self.status}"


@cache
def blind_tls() -> ssl.SSLContext:
    """TLS that checks no certificate: for questions of routing, never of trust."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@cache
def trusting(root: str) -> ssl.SSLContext:
    """TLS that trusts the CA with the certificate `root` (PEM), and no other."""
    return ssl.create_default_context(cadata=root)


@cache
def trusting_file(path: str) -> ssl.SSLContext:
    """TLS that trusts the CA in a PEM file, and no other. Raises OSError."""
    return ssl.create_default_context(cafile=path)


@cache
def system_tls() -> ssl.SSLContext:
    """TLS that trusts what the control node's own system trusts."""
    return ssl.create_default_context()


def ask(
    address: str,
    port: int,
    path: str,
    *,
    hostname: str | None = None,
    server_name: str | None = None,
    tls: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None,
    method: Method = "GET",
    timeout: float = 5.0,
) -> Answer:
    """Ask for `path` of address:port, as `hostname` (in Host and, unless there is a
    `server_name`, in the TLS handshake).

    `timeout` is in seconds, for each of connecting and reading.
    """
    url = f"{'https' if tls else 'http'}://{address}:{port}{path}"
    named = {"Host": hostname} if hostname else {}
    sent = {"User-Agent": AGENT, **(headers or {}), **named}
    name = server_name or hostname
    extensions = {"sni_hostname": name} if name and tls else {}
    started = time.monotonic()
    try:
        with (
            httpx.Client(verify=tls or blind_tls(), timeout=timeout, trust_env=False) as client,
            client.stream(method, url, headers=sent, extensions=extensions) as response,
        ):
            certificate = _certificate(response)
            body = _beginning(response)
    except httpx.HTTPError as error:
        return _no_answer(error, time.monotonic() - started)
    return Answer(
        status=response.status_code,
        body=body,
        served_by=response.headers.get(SERVED_BY),
        seconds=time.monotonic() - started,
        location=response.headers.get("location", ""),
        guard=response.headers.get("cf-access-metadata", ""),
        certificate=certificate,
    )


def connects(address: str, port: int, *, timeout: float = 5.0) -> bool:
    """Does anything take a TCP connection there?"""
    try:
        with socket.create_connection((address, port), timeout=timeout):
            return True
    except OSError:
        return False


def _beginning(response: httpx.Response) -> str:
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) >= BODY_LIMIT:
            break
    return body[:BODY_LIMIT].decode(response.encoding or "utf-8", errors="replace")


def _certificate(response: httpx.Response) -> Certificate | None:
    """What the server showed; None without TLS, or where it was not checked."""
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream else None
    shown = tls.getpeercert() if tls else None
    if not shown:
        return None
    return Certificate(starts=_moment(shown["notBefore"]), ends=_moment(shown["notAfter"]))


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def _no_answer(error: httpx.HTTPError, seconds: float) -> Answer:
    text = str(error)
    if isinstance(error, httpx.ConnectTimeout):
        words = f"no connection within {seconds:.0f} s"
    elif isinstance(error, httpx.TimeoutException):
        words = f"no answer within {seconds:.0f} s"
    elif "CERTIFICATE_VERIFY_FAILED" in text:
        words = f"certificate refused: {text.partition('verify failed: ')[2].partition(' (_')[0]}"
    elif isinstance(error, httpx.ConnectError):
        words = text.rpartition("] ")[2].lower() or "connection refused"
    else:
        words = text or type(error).__name__
    return Answer(status=None, error=words, seconds=seconds)
