"""Rules of `data.resolver`: nameservers that can be asked, and names that are one's own."""

from collections.abc import Iterator, Mapping
from typing import Any

from inventory.catalogue import Catalogue
from inventory.names import full
from inventory.resolver import Nameserver
from inventory.rules.words import hosts_are_known


def nameservers_of_a_zone_are_alike(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """unbound speaks TLS to a zone's servers, or to none of them."""
    resolver = catalogue.site.resolver
    known = catalogue.resolvers if hosts_are_known(catalogue) else ()
    ours: dict[Any, str] = {host.address: host.name for host in known}
    zones: Mapping[str, tuple[Nameserver, ...]] = {
        "forward": resolver.forward,
        **{f"stub_zones.{name}": servers for name, servers in resolver.stub_zones.items()},
    }
    for key, servers in zones.items():
        if not servers:
            yield f"data.resolver.{key}", "names no nameserver"
        if len({bool(server.tls) for server in servers}) > 1:
            yield (
                f"data.resolver.{key}",
                "some are asked over TLS and some in plain: unbound does either for a whole zone",
            )
        for server in servers:
            if server.address in ours:
                yield f"data.resolver.{key}", f"{server} is {ours[server.address]}'s own resolver"


def stub_zones_are_others(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    site = catalogue.site
    for zone in site.resolver.stub_zones:
        for domain in site.all_domains:
            if f".{domain}".endswith(f".{zone}"):
                yield f"data.resolver.stub_zones.{zone}", f"{domain} is the catalogue's own"


def own_records_are_ours_to_give(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    if not hosts_are_known(catalogue):
        return
    given, known = catalogue.records, catalogue.own_records
    for name, record in catalogue.site.resolver.records.items():
        key, whole = f"data.resolver.records.{name}", full(name, catalogue.site.domain)
        values = (*record.a, *record.aaaa, *record.txt)
        if whole in given:
            yield key, f"{whole} is the catalogue's: its address follows from there"
        if bool(values) == bool(record.cname):
            yield key, "needs addresses or texts, or a cname in place of all of them"
        if record.cname and whole not in known:
            yield (
                f"{key}.cname",
                f"{record.cname} is neither the catalogue's nor a record here, or leads to itself: "
                "unbound answers such an alias without an address",
            )


RULES = (nameservers_of_a_zone_are_alike, stub_zones_are_others, own_records_are_ours_to_give)
