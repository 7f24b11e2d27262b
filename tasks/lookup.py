"""DNS questions to one resolver, and their answers. Errors are answers too."""

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from inventory.resolver import Nameserver


@dataclass(frozen=True, kw_only=True)
class DnsAnswer:
    """`addresses` of the A records; `code` such as NXDOMAIN, empty when no answer came."""

    addresses: frozenset[str] = frozenset()
    code: str = ""
    error: str = ""
    seconds: float = 0.0

    @property
    def words(self) -> str:
        if self.error:
            return self.error
        return ", ".join(sorted(self.addresses)) or (
            "no address" if self.code == "NOERROR" else self.code
        )


def ask(address: str, name: str, *, timeout: float = 2.0) -> DnsAnswer:
    """The A records of `name` over UDP, as the resolver at `address` answers them."""
    return ask_nameserver(Nameserver(address=ip_address(address)), name, timeout=timeout)


def ask_nameserver(server: Nameserver, name: str, *, timeout: float = 2.0) -> DnsAnswer:
    """The A records of `name`, as `server` answers them: over UDP, or over TLS."""
    started = time.monotonic()
    query, address = _question(name), str(server.address)
    try:
        if server.tls:
            answer = dns.query.tls(
                query, address, timeout=timeout, port=server.port, server_hostname=server.tls
            )
        else:
            answer = dns.query.udp(query, address, timeout=timeout, port=server.port)
    except (dns.exception.DNSException, OSError, EOFError) as error:
        return _no_answer(error, timeout)
    return _heard(answer, started)


def ask_over_tcp(address: str, names: Sequence[str], *, timeout: float = 2.0) -> list[DnsAnswer]:
    """The A records of all `names`, over one connection: resolvers keep few at a time.

    `timeout` is in seconds, for all of them together. Once the connection is lost, the
    rest have no answer.
    """
    answers: list[DnsAnswer] = []
    deadline = time.monotonic() + timeout
    try:
        with socket.create_connection((address, 53), timeout) as connection:
            connection.setblocking(False)
            for name in names:
                started = time.monotonic()
                answer = dns.query.tcp(
                    _question(name), address, timeout=deadline - started, sock=connection
                )
                answers.append(_heard(answer, started))
    except (dns.exception.DNSException, OSError, EOFError) as error:
        answers += [_no_answer(error, timeout)] * (len(names) - len(answers))
    return answers


def _question(name: str) -> dns.message.Message:
    return dns.message.make_query(name, dns.rdatatype.A)


def _heard(answer: dns.message.Message, started: float) -> DnsAnswer:
    addresses = (
        rdata.address
        for rrset in answer.answer
        for rdata in rrset
        if rdata.rdtype == dns.rdatatype.A
    )
    return DnsAnswer(
        addresses=frozenset(addresses),
        code=dns.rcode.to_text(answer.rcode()),
        seconds=time.monotonic() - started,
    )


def _no_answer(error: Exception, timeout: float) -> DnsAnswer:
    if isinstance(error, dns.exception.Timeout | TimeoutError):
        return DnsAnswer(error=f"no answer within {timeout:.0f} s")
    if isinstance(error, ConnectionRefusedError):
        return DnsAnswer(error="no connection")
    if isinstance(error, EOFError | ConnectionError):
        return DnsAnswer(error="the connection was closed")
    return DnsAnswer(error=str(error) or type(error).__name__)
