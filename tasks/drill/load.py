"""The open-loop probe: a constant rate of requests, whatever becomes of the earlier ones.

A client that waits for an answer before it asks again sends nothing during a stall, and
so measures none of it. Here every request starts when it is due.
"""

import asyncio
import resource
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inventory.front import DRILL_AGENT
from tasks.drill.exchange import BadAnswer, Connection, Reply, Request
from tasks.drill.ledger import Row
from tasks.drill.vantage import Vantage
from tasks.drill.websocket import Sockets

PATIENCE = 15.0  # seconds until a client gives up; longer than any retry window
REFRESH = 1.0  # seconds between two questions to the resolvers
WRITE_EVERY = 3  # with posts, each third request is one


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked at `rate` per second and vantage, and what a good answer is.

    `signers` maps the X-Served-By of an answer to a host.
    """

    path: str
    rate: float
    status: int | None = None
    body: str = ""
    echo: str | None = None
    run: str = ""
    signers: Mapping[str, str] = field(default_factory=dict)

    def request(self, vantage: Vantage, number: int) -> Request:
        headers = {"Host": vantage.hostname, "User-Agent": DRILL_AGENT, **vantage.headers}
        identity = f"{self.run}-{vantage.name}-{number}"
        if self.echo and number % WRITE_EVERY == WRITE_EVERY - 1:
            headers["X-Request-Id"] = identity
            return Request(method="POST", path=self.echo, headers=headers, body=identity.encode())
        return Request(method="GET", path=self.path, headers=headers)

    def fault_of(self, request: Request, reply: Reply) -> str:
        """What is wrong with an answer, or ""."""
        read = request.method == "GET"
        good = reply.status == self.status if read and self.status else reply.status < 400
        if not good:
            return "status"
        return "body" if read and self.body.encode() not in reply.body else ""


@dataclass(kw_only=True)
class Load:
    """Asks from every vantage, in a thread of its own, from `start` to `stop`.

    Meanwhile it holds the websockets of `sockets` open.
    """

    question: Question
    vantages: Sequence[Vantage]
    sockets: Sockets | None = None
    rows: list[Row] = field(default_factory=list)
    _idle: dict[str, list[Connection]] = field(default_factory=dict)
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _zero: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> float:
        """Seconds since the load was made: the ledger's clock."""
        return time.monotonic() - self._zero

    def start(self) -> None:
        _allow_many_connections()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def stop(self) -> list[Row]:
        """No new requests; wait for those in flight. The whole ledger, by due time."""
        self._ending.set()
        if self._thread:
            self._thread.join(PATIENCE + 5)
        return sorted(self.rows, key=lambda row: row.due)

    async def _run(self) -> None:
        refreshing = asyncio.create_task(self._keep_names())
        gap = 1 / self.question.rate / len(self.vantages)
        holding = [self.sockets.run(lambda: self.now, self._ending)] if self.sockets else []
        pacing = (self._pace(v, n * gap) for n, v in enumerate(self.vantages))
        await asyncio.gather(*pacing, *holding)
        refreshing.cancel()
        for connections in self._idle.values():
            for connection in connections:
                connection.drop()

    async def _keep_names(self) -> None:
        while True:
            await asyncio.gather(*(v.refresh() for v in self.vantages if v.resolvers))
            await asyncio.sleep(REFRESH)

    async def _pace(self, vantage: Vantage, offset: float) -> None:
        """Start a request at each due time; a late start is not made up for by a gap."""
        if vantage.resolvers:
            await vantage.refresh()
        begin, number, flying = self.now + offset, 0, set[asyncio.Task[None]]()
        while not self._ending.is_set():
            due = begin + number / self.question.rate
            await asyncio.sleep(max(0.0, due - self.now))
            task = asyncio.create_task(self._ask(vantage, number, due))
            flying.add(task)
            task.add_done_callback(flying.discard)
            number += 1
        await asyncio.gather(*flying)

    async def _ask(self, vantage: Vantage, number: int, due: float) -> None:
        request, sent = self.question.request(vantage, number), self.now
        reply: Reply | None = None
        try:
            async with asyncio.timeout(PATIENCE):  # from now on: that we are late is no loss
                reply = await self._exchange(vantage, request)
            error = self.question.fault_of(request, reply)
        except (OSError, BadAnswer, LookupError) as failure:
            error = _kind(failure)
        signer = reply.headers.get("x-served-by", "") if reply else ""
        self.rows.append(
            Row(
                due=due,
                sent=sent,
                vantage=vantage.name,
                method=request.method,
                status=reply.status if reply else None,
                served_by=self.question.signers.get(signer, ""),
                latency=self.now - due,
                error=error,
            )
        )

    async def _exchange(self, vantage: Vantage, request: Request) -> Reply:
        connection = await self._connection(vantage)
        try:
            return await connection.exchange(request)
        finally:
            if connection.reusable:
                self._idle[vantage.name].append(connection)
            else:
                connection.drop()

    async def _connection(self, vantage: Vantage) -> Connection:
        idle = self._idle.setdefault(vantage.name, [])
        while idle:
            connection = idle.pop()
            if connection.is_alive:
                return connection
            connection.drop()
        return await vantage.connect()


def _allow_many_connections() -> None:
    """In a stall every request waits on a connection of its own: rate times PATIENCE."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _kind(failure: Exception) -> str:
    """One word for why no answer came."""
    match failure:
        case TimeoutError():
            return "timeout"
        case ssl.SSLError():
            return "tls"
        case ConnectionRefusedError():
            return "refused"
        case ConnectionError() | BadAnswer():
            return "reset"
        case LookupError():
            return "dns"
    return "unreachable"
