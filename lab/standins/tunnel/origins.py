"""How the lab's connector asks the origin of an ingress rule for a visitor."""

from __future__ import annotations

import ssl
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from lab.standins.process import StartRefusedError
from lab.standins.tunnel.ingress import OriginRequest, Rule
from lab.standins.tunnel.names import HOSTS, HostsFile
from lab.standins.tunnel.wire import Headers, Reply, Request, end_to_end

SET_HERE = frozenset({"host", "x-forwarded-for", "x-forwarded-proto", "cf-connecting-ip"})
PROTOCOL_HEADER = "Sec-WebSocket-Protocol"


class Origins:
    """One pool of connections per way of talking to an origin.

    Of a name with several addresses the next one is asked the moment that one refuses.
    """

    def __init__(self, rules: tuple[Rule, ...], hosts: Path = HOSTS) -> None:
        self._sessions = {way: _session(*way, hosts) for way in {_way(rule) for rule in rules}}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for session in self._sessions.values():
            await session.close()

    async def ask(self, rule: Rule, request: Request) -> Reply:
        """The origin's own answer; raises aiohttp.ClientError, OSError or TimeoutError."""
        async with self._sessions[_way(rule)].request(
            request.method,
            _url(rule, request),
            headers=_headers(rule, request),
            data=request.body or None,
            allow_redirects=False,
            server_hostname=_server_hostname(rule),
        ) as answer:
            return Reply(
                id=request.id,
                status=answer.status,
                headers=end_to_end(answer.headers.items()),
                body=await answer.read(),
            )

    async def open_socket(self, rule: Rule, request: Request) -> aiohttp.ClientWebSocketResponse:
        """The origin's websocket; raises as `ask` does."""
        protocols = [value for name, value in request.headers if name == PROTOCOL_HEADER]
        return await self._sessions[_way(rule)].ws_connect(
            _url(rule, request),
            headers=_headers(rule, request, frozenset({PROTOCOL_HEADER.lower()})),
            protocols=[name.strip() for value in protocols for name in value.split(",")],
            server_hostname=_server_hostname(rule),
            max_msg_size=0,
            autoping=False,
        )


def _way(rule: Rule) -> tuple[OriginRequest, bool]:
    return rule.origin, rule.service.startswith("https:")


def _server_hostname(rule: Rule) -> str | None:
    return rule.origin.server_name if rule.service.startswith("https:") else None


def _url(rule: Rule, request: Request) -> URL:
    return URL(rule.service + request.target, encoded=True)


def _headers(rule: Rule, request: Request, drop: frozenset[str] = frozenset()) -> CIMultiDict[str]:
    seen = [value for name, value in request.headers if name.lower() == "x-forwarded-for"]
    added: Headers = (
        ("Host", rule.origin.host_header or request.host),
        ("X-Forwarded-For", ", ".join([*seen, request.client])),
        ("X-Forwarded-Proto", "https"),
        ("Cf-Connecting-Ip", request.client),
    )
    return CIMultiDict([*end_to_end(request.headers, SET_HERE | drop), *added])


def _session(way: OriginRequest, tls: bool, hosts: Path) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        ssl=_tls(way) if tls else True,
        limit=0,
        resolver=HostsFile(hosts),
        use_dns_cache=False,  # it would begin with another address each time
        happy_eyeballs_delay=None,  # one address after the other
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=way.connect_timeout),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


def _tls(way: OriginRequest) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if way.no_tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if way.ca_pool:
        try:
            context.load_verify_locations(cadata=Path(way.ca_pool).read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise StartRefusedError(f"caPool: {way.ca_pool}: {error}") from error
    return context
