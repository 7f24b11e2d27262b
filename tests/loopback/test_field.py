"""64 sites of seven public files: each in our catalogue, as the real Caddy understands it."""

import json
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from inventory.catalogue import Catalogue, Service
from inventory.load import load_catalogue
from tests.field import NUMBERS, Field
from tests.loopback.test_front_combined import handlers
from tests.site import Site
from tests.unit.test_configs import rendered

EVERY = [(n, site["name"]) for n in NUMBERS for site in Field(n).sites]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One site: what it needs, what it is with us, and what Caddy would do for its names."""

    entry: Mapping[str, Any]
    service: Service
    catalogue: Catalogue
    names: tuple[str, ...]
    done: list[tuple[str, dict[str, Any]]]

    def does(self, handler: str, under: str = "", **values: object) -> bool:
        """Is there such a handler with these values, below a matcher with `under` in it?"""
        return any(
            found["handler"] == handler
            and under in above
            and all(value in json.dumps(found.get(key)) for key, value in values.items())
            for above, found in self.done
        )

    @property
    def asked(self) -> list[dict[str, Any]]:
        """What asks the service itself."""
        dials = set(self.catalogue.upstreams_from("vps1", self.service))
        return [
            proxy
            for _, proxy in self.done
            if proxy["handler"] == "reverse_proxy"
            and dials & {up["dial"] for up in proxy["upstreams"]}
        ]


def is_on_the_lan(case: Case) -> bool:
    (name,) = case.service.placements
    address = case.catalogue.appliances[name].address
    return ip_address(str(address)).is_private and bool(case.asked)


def asks_who_it_is(case: Case) -> bool:
    auth = case.service.front.forward_auth
    assert auth is not None
    (asked,) = case.catalogue.upstreams_from("vps1", case.catalogue.services[auth.service])
    return case.does("reverse_proxy", rewrite=auth.asked_at, upstreams=asked)


NEEDS: Mapping[str, Callable[[Case], bool]] = {
    "lan-host": is_on_the_lan,
    "https-upstream": lambda c: all("tls" in proxy["transport"] for proxy in c.asked),
    "forward_auth": asks_who_it_is,
    "redirect/respond": lambda c: (
        c.does("static_response", headers="Location") or c.does("static_response", status_code="40")
    ),
    "static": lambda c: c.does("file_server") and c.does("vars", root=f"{c.service.front.root}"),
    "second-domain": lambda c: any(name.endswith(".home.net") for name in c.names),
    "apex": lambda c: "home.example" in c.names,
    "alias": lambda c: len(c.names) > 1,
    "catch-all/wildcard": lambda c: "*.home.example" in c.names,
    "header_up-host": lambda c: all(
        proxy["headers"]["request"]["set"]["Host"] == [c.service.upstream.host] for proxy in c.asked
    ),
    "response/request headers": lambda c: (
        c.does("headers", request="X-Scheme") and c.does("headers", response="X-Robots-Tag")
    ),
    "ip-allow": lambda c: c.does("static_response", "192.168.1.0/24", status_code="403"),
    "path-route": lambda c: any(f"/{c.service.name}/*" in above for above, _ in c.done),
    "header-matcher": lambda c: any("header_regexp" in above for above, _ in c.done),
}


@cache
def adapted(folder: Path, number: int) -> tuple[Catalogue, dict[str, Any]]:
    """The file's catalogue, and what vps1's Caddy would do."""
    place = folder / f"{number}"
    place.mkdir(exist_ok=True)
    site = Field(number).put_into(Site(place))
    file = place / "Caddyfile"
    file.write_text(rendered(site, "vps1")["caddy"].text or "")
    command = ["caddy", "adapt", "--adapter", "caddyfile", "--config", str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert '"warn"' not in done.stderr, done.stderr
    return load_catalogue(site.config), json.loads(done.stdout)


def routes(config: dict[str, Any], port: int, name: str) -> Iterator[dict[str, Any]]:
    """What is done at that port for a name, by itself or as one of several."""
    for server in config["apps"]["http"]["servers"].values():
        if any(listen.endswith(f":{port}") for listen in server["listen"]):
            yield from (r for r in server["routes"] if name in hosts_of(r))


def hosts_of(route: dict[str, Any]) -> list[str]:
    return [host for match in route.get("match", ()) for host in match.get("host", ())]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("field")


@pytest.mark.parametrize(("number", "name"), EVERY)
def test_each_site_of_the_field_is_said_and_does_what_it_needs(
    folder: Path, number: int, name: str
):
    field = Field(number)
    (entry,) = (site for site in field.sites if site["name"] == name)
    catalogue, config = adapted(folder, number)
    said = field.ours.get("sites", {}).get(name, {})
    if "http_names" in said:
        assert entry["needs"] == ["lan-plain-http-name"] and f"x{len(said['http_names'])}" in name
        for short in said["http_names"]:
            (route,) = routes(config, 80, short)
            port = catalogue.services[short].port
            assert f'"dial": "100.76.168.116:{port}"' in json.dumps(route)
        return
    service = catalogue.services[said.get("service", name)]
    own = full(said.get("hostname", service.hostname))
    (route,) = routes(config, 443, own)
    case = Case(
        entry=entry,
        service=service,
        catalogue=catalogue,
        names=tuple(hosts_of(route)),
        done=list(handlers(route)),
    )
    missing = [need for need in entry["needs"] if not NEEDS[need](case)]
    assert not missing
    if entry["port"]:
        assert service.port == field.ours.get("published", {}).get(name, entry["port"])
        assert case.asked


def full(name: str) -> str:
    return name if "." in name else f"{name}.home.example"


def test_a_plain_site_takes_five_lines_and_so_does_the_median_of_the_64():
    lines = [
        (field.lines_of(site), site["needs"])
        for field in map(Field, NUMBERS)
        for site in field.sites
    ]
    assert {count for count, needs in lines if not needs} == {5}
    counts = [count for count, _ in lines]
    assert len(counts) == 64 and statistics.median(counts) == 5 and max(counts) <= 14
