"""Sites of any size, as a catalogue."""

from dataclasses import replace
from pathlib import Path

from inventory.catalogue import Catalogue, HealthCheck, Service
from inventory.load import load_catalogue
from tests.site import Site


def catalogue_of(folder: Path, hosts: int, services: int) -> Catalogue:
    """The lab's site with that many hosts, its two edges among them, and web services."""
    site = Site(folder)
    entries = site.read("hosts")
    for n in range(hosts - len(entries)):
        entries[f"media{n}"] = {"hostname": f"100.80.{n // 250}.{n % 250 + 1}", "groups": ["media"]}
    site.write("hosts", entries)
    small = load_catalogue(site.config)
    media = [host.name for host in small.hosts.values() if not host.is_edge]
    made = {
        f"web{n}": Service(
            name=f"web{n}",
            title=f"Web {n}",
            hostname=f"web{n}.{small.site.domain}",
            port=10000 + n,
            health=HealthCheck(path="/ping"),
            hosts=(media[n % len(media)],),
            unit=f"web{n}",
            access="protected",
        )
        for n in range(services - len(small.services))
    }
    return replace(small, services={**small.services, **made})
