"""One DNS question to one resolver, and its answer. Errors are answers too."""

import time
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype


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


def ask(address: str, name: str, *, tcp: bool = False, timeout: float = 2.0) -> DnsAnswer:
    """The A records of `name`, as the resolver at `address` answers them."""
    query = dns.message.make_query(name, dns.rdatatype.A)
    started = time.monotonic()
    try:
        if tcp:
            answer = dns.query.tcp(query, address, timeout=timeout)
        else:
            answer = dns.query.udp(query, address, timeout=timeout)
    except dns.exception.Timeout:
        return DnsAnswer(error=f"no answer within {timeout:.0f} s")
    except ConnectionRefusedError:
        return DnsAnswer(error="no connection")
    except (dns.exception.DNSException, OSError) as error:
        return DnsAnswer(error=str(error) or type(error).__name__)
    return DnsAnswer(
        addresses=frozenset(
            rdata.address
            for rrset in answer.answer
            for rdata in rrset
            if rdata.rdtype == dns.rdatatype.A
        ),
        code=dns.rcode.to_text(answer.rcode()),
        seconds=time.monotonic() - started,
    )
