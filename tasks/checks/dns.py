"""dns: the catalogue's names, asked of one resolver."""

from ipaddress import IPv4Address

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from inventory.catalogue import Host
from tasks.checks.finding import Finding, Status


def check_record(
    resolver: Host,
    name: str,
    expected: tuple[IPv4Address, ...],
    *,
    vantage: str,
    tcp: bool = False,
    timeout: float = 2.0,
) -> Finding:
    """Does `resolver` answer `name` with exactly the inventory's addresses?"""
    query = dns.message.make_query(name, dns.rdatatype.A)
    ask = dns.query.tcp if tcp else dns.query.udp
    try:
        answer = ask(query, str(resolver.address), timeout=timeout)
        found = {rdata.address for rrset in answer.answer for rdata in rrset}
        seen = ", ".join(sorted(found)) or dns.rcode.to_text(answer.rcode())
    except (dns.exception.DNSException, OSError) as error:
        found, seen = set(), str(error) or type(error).__name__
    wanted = {str(address) for address in expected}
    return Finding(
        check="dns",
        subject=name,
        vantage=f"{vantage} of {resolver.name} over {'TCP' if tcp else 'UDP'}",
        status=Status.OK if found == wanted else Status.FAILED,
        seen=seen,
        expected=", ".join(sorted(wanted)),
    )
