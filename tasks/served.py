"""What a host serves, read from its own Caddyfile and resolver config. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

_SNIPPET = re.compile(r"\((service|again)_(?P<service>[^)]+)\) \{")
_SITE = re.compile(r"https?://(?P<name>[^:/ ]+)(:\d+)? \{")
_LED = re.compile(r"^\s*import service_(?P<service>\S+)", re.MULTILINE)
_UPSTREAMS = re.compile(r"^\treverse_proxy(?: @\w+)?(?P<words>.*) \{$", re.MULTILINE)
_RECORD = re.compile(r'^\s*local-data: "(?P<name>\S+)\. 60 IN A (?P<address>\S+)"', re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Route:
    """The way of one service through one Caddy: its name, whom it asks (`address:port`), and
    everything that its Caddyfile says of it alone."""

    hostname: str
    upstreams: frozenset[str]
    text: str


@dataclass(frozen=True, kw_only=True)
class Served:
    """By its files: the routes of a host's Caddy by service, what its Caddyfile says of all of
    them alike, and the records of its resolver."""

    routes: Mapping[str, Route] = field(default_factory=dict)
    shared: str = ""
    records: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def renamed(self, names: Mapping[str, str]) -> "Served":
        """The same, of services that have other names by now: `names` by the former one."""
        return replace(
            self, routes={names.get(name, name): route for name, route in self.routes.items()}
        )

    def knows(self, hostname: str) -> bool:
        return any(route.hostname == hostname for route in self.routes.values())


def parse(caddyfile: str | None, resolver: str | None = None) -> Served:
    """From the texts of two files that twinedge wrote, 0.1.0 too; None where there is none.

    Of a Caddyfile that is somebody else's everything is `shared`.
    """
    own: dict[str, str] = {}
    names: dict[str, str] = {}
    shared = ""
    for head, text in _blocks(caddyfile or ""):
        snippet, site = _SNIPPET.fullmatch(head), _SITE.fullmatch(head)
        led = list(_LED.finditer(text))[-1:]  # those before it have some paths of its name
        if snippet:
            own[snippet["service"]] = text + own.get(snippet["service"], "")
        elif site and led:
            service = led[0]["service"]
            names.setdefault(service, site["name"])
            own[service] = own.get(service, "") + text
        else:
            shared += text
    records: dict[str, set[str]] = {}
    for record in _RECORD.finditer(resolver or ""):
        records.setdefault(record["name"], set()).add(record["address"])
    return Served(
        routes={
            service: Route(hostname=name, upstreams=_upstreams(own[service]), text=own[service])
            for service, name in names.items()
        },
        shared=shared,
        records={name: frozenset(found) for name, found in records.items()},
    )


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """(first line, all lines) of each block that begins and ends at the left edge."""
    lines: list[str] = []
    for line in text.splitlines():
        if not lines and (not line.strip() or line.startswith("#")):
            continue
        lines.append(line)
        if line == "}":
            yield lines[0], "\n".join(lines) + "\n"
            lines = []
    if lines:
        yield lines[0], "\n".join(lines) + "\n"


def _upstreams(text: str) -> frozenset[str]:
    return frozenset(word for found in _UPSTREAMS.finditer(text) for word in found["words"].split())
