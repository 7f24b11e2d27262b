"""One HTTP/1.1 request and its answer on one connection, which may be kept for the next."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

HEAD_LIMIT = 65536  # bytes; asyncio's own default


class BadAnswer(Exception):
    """The peer closed early or did not speak HTTP."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked. `headers` must hold Host; a body is sent as it is."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def wire(self) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body or self.method == "POST":
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(kw_only=True)
class Connection:
    """A TLS connection that carries one exchange at a time."""

    reader: asyncio.StreamReader = field(repr=False)
    writer: asyncio.StreamWriter = field(repr=False)
    reusable: bool = True

    @classmethod
    async def open(
        cls, address: str, port: int, *, hostname: str, tls: ssl.SSLContext
    ) -> "Connection":
        """Raises OSError (of which ssl.SSLError is one)."""
        reader, writer = await asyncio.open_connection(
            address, port, ssl=tls, server_hostname=hostname, limit=HEAD_LIMIT
        )
        return cls(reader=reader, writer=writer)

    async def exchange(self, request: Request) -> Reply:
        """Raises OSError when the connection breaks, BadAnswer when the answer does."""
        self.reusable = False
        self.writer.write(request.wire)
        await self.writer.drain()
        try:
            reply = await self._read(request.method)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise BadAnswer("the answer broke off") from error
        except (ValueError, IndexError) as error:
            raise BadAnswer("the answer is not HTTP") from error
        self.reusable = reply.headers.get("connection", "").lower() != "close"
        return reply

    async def _read(self, method: str) -> Reply:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = head.split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        status = int(start.split(" ", 2)[1])
        bodiless = method == "HEAD" or status in (204, 304)
        body = b"" if bodiless else await self._read_body(headers)
        return Reply(status=status, headers=headers, body=body)

    async def _read_body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await self._read_chunks()
        return await self.reader.readexactly(int(headers.get("content-length", "0")))

    async def _read_chunks(self) -> bytes:
        body = b""
        while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        while await self.reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers
        return body

    @property
    def is_alive(self) -> bool:
        """Neither closed by us nor, as far as is known, by the peer."""
        return not (self.writer.is_closing() or self.reader.at_eof())

    def drop(self) -> None:
        """Give the connection up, at once and without a farewell."""
        self.writer.transport.abort()
