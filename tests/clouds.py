"""An account at the stand-in of Cloudflare's API, over loopback or in the test's own process.

While `holding`, whatever is asked and answered is held against the description of the real API.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from lab.standins.cloudflare.account import LOOKING, Account, Token
from lab.standins.cloudflare.answer import Answer, Ask
from lab.standins.cloudflare.api import Cloud, Route
from lab.standins.cloudflare.faults import Fault, Kind
from lab.standins.cloudflare.server import PREFIX, serving
from outside.client import Api
from tests import cloudflare

USER = "cfut_" + "u" * 40
ACCOUNT = "cfat_" + "a" * 40
LOOKS = "cfut_" + "l" * 40
TUNNEL = "00000000-0000-4000-8000-000000000000"  # the test site's
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Clouds:
    """One account, with what was asked of it and what of that is `wrong`; `say` and `sleep` are
    noted.
    """

    def __init__(self) -> None:
        self.account = Account(
            tokens={
                USER: Token(),
                ACCOUNT: Token(kind="account"),
                LOOKS: Token(may=LOOKING),
            },
            now=lambda: NOW,
        )
        self.account.add_tunnel(TUNNEL)
        self.cloud = Cloud(self.account, seen=self._hold)
        self.asked: list[Ask] = []
        self.holding = False
        self.on_change: Callable[[Ask], None] = lambda _: None
        self.wrong: list[str] = []
        self.said: list[str] = []
        self.slept: list[float] = []
        self.records = f"/zones/{self.account.zone_id}/dns_records"
        self.access = f"/accounts/{self.account.id}/access"

    @property
    def changes(self) -> list[str]:
        """`METHOD path` of every change that arrived, in order."""
        return [f"{ask.method} {ask.path}" for ask in self.asked if ask.method != "GET"]

    def fault(self, kind: Kind, where: str = "", **more: Any) -> None:
        self.cloud.faults.append(Fault(kind=kind, where=where, **more))

    def ask(self, method: str, path: str, body: Any = None, token: str = USER) -> Any:
        """What somebody at the dashboard does. Raises AssertionError where it is refused."""
        answer = self.cloud.answer(Ask(method=method, path=path, body=body, token=token))
        assert answer.status < 300, answer.body
        return answer.body["result"]

    @contextmanager
    def loopback(self, token: str = USER) -> Iterator[Api]:
        with serving(self.cloud) as base, self.api(base, token) as api:
            yield api

    def here(self, token: str = USER) -> Api:
        """The same without a socket, for many histories in little time."""
        transport = httpx.MockTransport(self._answer)
        return self.api(f"http://cloud.test{PREFIX}", token, transport)

    def api(self, base: str, token: str, transport: httpx.BaseTransport | None = None) -> Api:
        return Api(base, token, say=self.said.append, sleep=self.slept.append, transport=transport)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = self.cloud.answer(
            Ask(
                method=request.method,
                path=request.url.path.removeprefix(PREFIX),
                query=dict(request.url.params),
                token=request.headers["Authorization"].removeprefix("Bearer "),
                body=json.loads(request.content) if request.content else None,
            )
        )
        if answer.cut:
            raise httpx.RemoteProtocolError("Server disconnected", request=request)
        if isinstance(answer.body, str):
            return httpx.Response(answer.status, text=answer.body, headers=answer.headers)
        return httpx.Response(answer.status, json=answer.body, headers=answer.headers)

    def _hold(self, ask: Ask, route: Route | None, answer: Answer) -> None:
        self.asked.append(ask)
        if ask.method != "GET" and answer.status < 300:
            self.on_change(ask)
        if route is None or not self.holding:
            return
        part = str(answer.status)
        here = f"{ask.method} {route.path}"
        found = cloudflare.wrong(route.path, ask.method, part, answer.body)
        if ask.body is not None and answer.status < 300:
            found += cloudflare.wrong(route.path, ask.method, "request", ask.body)
        strange = cloudflare.strange_keys(route.path, ask.method, answer.body)
        self.wrong += [f"{here}: {one}" for one in (*found, *sorted(strange))]
