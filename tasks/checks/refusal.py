"""Refusal: a service that is well by its address, and refuses what Caddy passes on to it."""

from collections.abc import Mapping
from dataclasses import dataclass

from inventory.catalogue import Catalogue, Service
from tasks.probe import Answer
from tasks.way import Way, health_of, is_healthy


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What one program enforces, with which answer, and where that is set.

    `sign` stands in the body of its refusal, in lower case; empty where that says nothing.
    `{name}` is the service's hostname, `{edges}` the addresses of the edges.
    """

    program: str
    status: int
    sign: str
    rule: str
    setting: str


# Of each program's own documentation.
RULES = (
    Rule(
        program="sabnzbd",
        status=403,
        sign="hostname verification failed",
        rule="SABnzbd's host_whitelist",
        setting="SABnzbd > Config > Special: add {name} to host_whitelist",
    ),
    Rule(
        program="qbittorrent",
        status=401,
        sign="",
        rule="qBittorrent's Host header validation",
        setting="qBittorrent > Options > Web UI: add {name} to Server domains",
    ),
    Rule(
        program="home assistant",
        status=400,
        sign="",
        rule="Home Assistant's trusted_proxies",
        setting="configuration.yaml: http: use_x_forwarded_for: true, trusted_proxies: [{edges}]",
    ),
    Rule(
        program="transmission",
        status=421,
        sign="rpc-host-whitelist",
        rule="Transmission's rpc-host-whitelist",
        setting="settings.json of Transmission: add {name} to rpc-host-whitelist",
    ),
    Rule(
        program="syncthing",
        status=403,
        sign="host check error",
        rule="Syncthing's host check",
        setting="config.xml of Syncthing: <gui><insecureSkipHostcheck>true",
    ),
    Rule(
        program="nextcloud",
        status=400,
        sign="untrusted domain",
        rule="Nextcloud's trusted_domains",
        setting="config.php of Nextcloud: add {name} to trusted_domains",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """`status` and `seen` are the answer, `rule` what the service enforces, `setting` what mends
    it."""

    service: str
    host: str
    status: int
    seen: str
    rule: str
    setting: str

    @property
    def words(self) -> str:
        return f"{self.service}@{self.host} itself refuses it ({self.seen}) by {self.rule}"


def find(
    catalogue: Catalogue, service: Service, host: str, answer: Answer, *, timeout: float = 5.0
) -> Refusal | None:
    """Asks `service` on `host`, which is well by its address, as Caddy does: does it give the
    very `answer` that came through Caddy? None where it does not, or where it is well by its name
    too: then Caddy, or another placement, is to blame."""
    if answer.status is None or answer.status >= 500:
        return None
    way = Way(catalogue=catalogue, service=service, host=host, path=health_of(service).path)
    proxied = {"X-Forwarded-For": str(catalogue.edges[0].address), "X-Forwarded-Proto": "https"}
    for by, headers in (("the name", {}), ("what a proxy adds", proxied)):
        said = way.ask(timeout=timeout, hostname=way.passed_name, headers=headers)
        if said.status == answer.status and not is_healthy(service, said):
            return _named(catalogue, service, host, said, by)
    return None


def _named(catalogue: Catalogue, service: Service, host: str, said: Answer, by: str) -> Refusal:
    edges = ", ".join(str(edge.address) for edge in catalogue.edges)
    known = _known(service, said)
    own = f"services.yaml: {service.name}: upstream: {{host: {_address(catalogue, service, host)}}}"
    if known is None:
        rule = "a list of its own of allowed names" if by == "the name" else "its trust in proxies"
        setting = f"allow {service.hostname} in its settings"
        if by != "the name":
            setting = f"name {edges} as trusted proxies in its settings"
    else:
        rule, setting = known.rule, known.setting.format(name=service.hostname, edges=edges)
    return Refusal(
        service=service.name,
        host=host,
        status=said.status or 0,
        seen=said.words,
        rule=rule,
        setting=f"{setting}; or {own}" if by == "the name" else setting,
    )


def _address(catalogue: Catalogue, service: Service, host: str) -> str:
    return catalogue.upstream_on(host, service)


def _known(service: Service, said: Answer) -> Rule | None:
    """By what the refusal says, or else by what the service is called."""
    body = said.body.lower()
    alike = [rule for rule in RULES if rule.status == said.status]
    told = [rule for rule in alike if rule.sign and rule.sign in body]
    called = f"{service.name} {service.title}".lower()
    return next(iter([*told, *(rule for rule in alike if rule.program in called)]), None)


Refusals = Mapping[tuple[str, str], Refusal | None]  # by service and edge


def of(refusals: Refusals, service: str) -> Refusal | None:
    """What the service refuses, whichever edge it was seen through."""
    return next((found for (name, _), found in refusals.items() if name == service and found), None)
