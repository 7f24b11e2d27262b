"""Every kind of fault that the lab knows: what it is, what it may be told, who makes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Maker = Literal["manager", "answer", "start", "host"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind. `options` are what may be told, with what holds where nothing is.

    It is made by the service's own `manager`, by the origin in each `answer`, by the origin
    from its next `start` on (so it is started anew), or on a whole `host`.
    """

    maker: Maker
    words: str
    options: Mapping[str, float] = field(default_factory=dict)


KINDS: Mapping[str, Kind] = {
    "stop": Kind(maker="manager", words="the service is stopped, in order"),
    "kill": Kind(maker="manager", words="the service is killed"),
    "hang": Kind(maker="manager", words="the service keeps its sockets and answers nothing"),
    "5xx": Kind(maker="answer", words="every page is a 503"),
    "5xx-app": Kind(maker="answer", words="every page is a 503 but the health page"),
    "slow": Kind(maker="answer", words="every page takes --seconds", options={"seconds": 5.0}),
    "wrong-body": Kind(maker="answer", words="the health page is a 200 without the right word"),
    "error-page": Kind(maker="answer", words="every page is a 200 that says 'database is locked'"),
    "refuse-name": Kind(
        maker="answer",
        words="who asks by name is refused with --status: SABnzbd's 403, qBittorrent's 401",
        options={"status": 403},
    ),
    "refuse-proxy": Kind(
        maker="answer", words="what a proxy passes on is a 400, as Home Assistant does it"
    ),
    "ignore-term": Kind(maker="answer", words="SIGTERM does nothing: whoever stops it has to wait"),
    "slow-start": Kind(
        maker="answer",
        words="nothing is answered until --seconds after a start",
        options={"seconds": 20.0},
    ),
    "loopback": Kind(maker="start", words="listens on 127.0.0.1 alone; started anew"),
    "all-addresses": Kind(maker="start", words="listens on every address; started anew"),
    "https": Kind(maker="start", words="speaks TLS with a self-signed certificate; started anew"),
    "array-stopped": Kind(
        maker="host", words="the array of an Unraid-like host is stopped, also after a boot"
    ),
    "power-cut": Kind(maker="host", words="the host is off; the end boots it"),
    "partition": Kind(maker="host", words="no packet on the tailnet, or none --from one host"),
    "isolate-internet": Kind(maker="host", words="no packet on the internet"),
    "latency": Kind(
        maker="host",
        words="what the host sends on the tailnet takes --milliseconds more",
        options={"milliseconds": 50.0},
    ),
}
SERVICE_KINDS = tuple(name for name, kind in KINDS.items() if kind.maker != "host")
HOST_KINDS = tuple(name for name, kind in KINDS.items() if kind.maker == "host")


def listed() -> str:
    """A line for each kind, as `fault --help` shows them."""
    width = max(map(len, KINDS))
    return "\n".join(f"  {name:<{width}}  {kind.words}" for name, kind in KINDS.items())
