"""Surveys without a network: a healthy edge of the example inventory, to be bent."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from inventory.catalogue import Catalogue
from inventory.source import Source
from tasks import configs
from tasks.checks import caddy_config, dns, doors, host, mesh, sync, tunnel
from tasks.checks.caddy import questions as caddy_questions
from tasks.checks.refusal import Refusal
from tasks.checks.service import questions as service_questions
from tasks.checks.survey import Survey
from tasks.configs.file import ConfigFile
from tasks.configs.render import environment, made_by
from tasks.live import HostState, LiveFile, ReleaseInfo
from tasks.lookup import DnsAnswer
from tasks.observe import Observation, Reply
from tasks.plan import make_plan
from tasks.probe import Answer, Certificate
from tests.site import ROOT

COMMIT = "1234abcd"
SOURCE = Source(root=ROOT, commit=COMMIT, dirty=False, pushed=True)
NOW = datetime.now(UTC)
FRESH = Certificate(starts=NOW - timedelta(hours=2), ends=NOW + timedelta(hours=10))
DENIED = Answer(status=302, location="https://example.cloudflareaccess.com/cdn-cgi/access/login")
NO_CONNECTION = Answer(status=None, error="no connection")
REFUSED = Reply(status=7, text="000 0.0 no")


def ok(text: str) -> Reply:
    return Reply(status=0, text=text)


def render(catalogue: Catalogue, name: str) -> tuple[ConfigFile, ...]:
    def template(template: str, /, **values: Any) -> str:
        return environment().get_template(template).render(made_by=made_by(COMMIT), **values)

    return configs.build(catalogue.hosts[name], catalogue, template)


@dataclass
class Edge:
    """Everything that a healthy edge answers; a test bends one thing and takes the survey."""

    catalogue: Catalogue
    here: str = "vps2"
    replies: dict[tuple[str, str], Reply] = field(default_factory=dict)
    clocks: dict[str, tuple[float, float]] = field(default_factory=dict)
    states: dict[str, HostState] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    direct: dict[tuple[str, str], Answer] = field(default_factory=dict)
    routes: dict[tuple[str, str], Answer] = field(default_factory=dict)
    strangers: dict[str, Answer] = field(default_factory=dict)
    strangers_as: dict[str, Answer] = field(default_factory=dict)
    names: dict[tuple[str, str], Answer] = field(default_factory=dict)
    guests: dict[str, Answer] = field(default_factory=dict)
    admin: dict[str, Answer] = field(default_factory=dict)
    doors: dict[tuple[str, str, int], bool] = field(default_factory=dict)
    records: dict[tuple[str, str, str], DnsAnswer] = field(default_factory=dict)
    refusals: dict[tuple[str, str], Refusal | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.catalogue.hosts:
            self._host(name)
        for service in self.catalogue.web_services:
            good = self.good(service.name)
            self.direct |= {(service.name, on): good for on in service.placements}
            for edge in self.catalogue.edges:
                first = self.catalogue.upstreams_from(edge.name, service)[0]
                self.routes[service.name, edge.name] = replace(
                    good, served_by=first, certificate=FRESH
                )
            self.strangers[service.name], self.guests[service.name] = DENIED, good
        for resolver in self.catalogue.resolvers:
            for name, addresses in self.catalogue.records.items():
                answer = DnsAnswer(addresses=frozenset(map(str, addresses)), code="NOERROR")
                for how in dns.TRANSPORTS:
                    self.records[resolver.name, name, how] = answer
            self.records[resolver.name, self.unknown, "UDP"] = DnsAnswer(code="NXDOMAIN")
        self.records[dns.FORWARDER, self.unknown, "UDP"] = DnsAnswer(code="NXDOMAIN")

    @property
    def unknown(self) -> str:
        return dns.unknown_name(self.catalogue)

    def good(self, service: str) -> Answer:
        health = self.catalogue.services[service].health
        assert health is not None
        return Answer(status=health.status, body=health.body)

    def _host(self, name: str) -> None:
        one, catalogue = self.catalogue.hosts[name], self.catalogue
        for question in (*service_questions(one, catalogue), *caddy_questions(one, catalogue)):
            self.replies[name, question.name] = ok("200 0.01 yes")
        resolvers = [{"Addr": str(r.address)} for r in catalogue.resolvers]
        units = "\n\n".join(
            f"Id={unit}.service\nActiveState=active" for unit in host.units_of(one, catalogue)
        )
        self.replies |= {
            (name, caddy_config.CONFIG): ok(json.dumps(self.caddy_config(name))),
            (name, caddy_config.METRICS): ok(""),
            (name, caddy_config.TRUSTED): ok(
                "".join(f"{k} {v}\n" for k, v in caddy_config.CLOSED.items())
            ),
            (name, caddy_config.LISTENERS): ok(f"LISTEN 0 9 {one.address}:443 0.0.0.0:*"),
            **{(name, q.name): ok("404 0.01 no") for q in tunnel.questions(one, catalogue)},
            (name, tunnel.LEFT): Reply(status=1, text="stat: no such file"),
            (name, tunnel.READY): ok('200 0.01 no\n{"status":200,"readyConnections":4}'),
            (name, dns.SPLIT): ok(
                json.dumps({"SplitDNSRoutes": {catalogue.site.domain: resolvers}})
            ),
            (name, mesh.STATUS): ok(json.dumps({"BackendState": "Running", "Self": {}})),
            (name, mesh.PREFS): ok(json.dumps({"NetfilterMode": 2})),
            (name, doors.LISTENING): ok("listens tcp 0100007F:1F91\naddress eth0 203.0.113.9"),
            (name, host.DISKS): ok("/dev/sda1 1000 200 800 20% /"),
            (name, host.UNITS): ok(units),
            (name, host.WATCHES): ok("2 8192"),
            (name, sync.STATUS): ok("age 3\nThere are 0 delays"),
        }
        for peer in catalogue.hosts.values():
            self.replies[name, f"reach {peer.name}"] = ok(
                f"pong from {peer.name} ({peer.address}) via {peer.address}:41641 in 1ms"
            )
        for one_sync in catalogue.syncs.values():
            self.replies[name, f"tree {one_sync.name}"] = ok("quiet 2 abcd")
        files = render(catalogue, name)
        self.states[name] = HostState(
            now=NOW,
            files={f.path: self.live(f) for f in files},
            current=ReleaseInfo(
                id="20261124T100000-abcdef",
                commit=COMMIT,
                digests={f.path: f.digest for f in files},
            ),
        )

    @staticmethod
    def live(file: ConfigFile) -> LiveFile:
        return LiveFile(
            kind="file" if file.text is not None else "absent",
            digest=file.digest,
            mode=file.mode,
            owner=file.owner,
            text=file.text,
        )

    def caddy_config(self, name: str) -> dict[str, Any]:
        """What Caddy's admin API tells, as far as the checks read it."""
        routes = [
            {
                "match": [{"host": [service.hostname]}],
                "handle": [
                    {
                        "handler": "reverse_proxy",
                        "upstreams": [
                            {"dial": dial} for dial in self.catalogue.upstreams_from(name, service)
                        ],
                        "health_checks": {
                            "active": {"uri": service.health and service.health.path}
                        },
                    }
                ],
            }
            for service in self.catalogue.web_services
        ]
        return {"apps": {"http": {"servers": {"srv0": {"routes": routes}}}}}

    def survey(self) -> Survey:
        seen = {
            name: Observation(
                state=self.states[name],
                replies={q: reply for (on, q), reply in self.replies.items() if on == name},
                clock_ahead=self.clocks.get(name, (-0.02, 0.03)),
            )
            for name in self.catalogue.hosts
            if name not in self.lost
        }
        catalogue = self.catalogue
        return Survey(
            catalogue=catalogue,
            here=self.here,
            hosts=tuple(catalogue.hosts.values()),
            services=tuple(catalogue.services.values()),
            seen=seen,
            lost=self.lost,
            refused=self.refused,
            plans={
                name: make_plan(name, SOURCE, render(catalogue, name), observation.state)
                for name, observation in seen.items()
            },
            direct=self.direct,
            routes={pair: a for pair, a in self.routes.items() if pair[1] in seen},
            admin=self.admin,
            doors=self.doors,
            strangers=self.strangers,
            strangers_as=self.strangers_as,
            names=self.names,
            guests=self.guests,
            records=self.records,
            refusals=self.refusals,
        )


def stop_service(edge: Edge, service: str, host: str) -> None:
    edge.direct[service, host] = NO_CONNECTION
    for vantage in ("vps1", "vps2"):
        edge.replies[vantage, f"direct {service}@{host}"] = REFUSED


def lose_host(edge: Edge, name: str) -> None:
    """Nothing reaches it, from nowhere."""
    edge.lost[name] = f"{name} cannot be reached over SSH: timed out"
    for service in edge.catalogue.web_services:
        if name in service.placements:
            stop_service(edge, service.name, name)
    for peer in edge.catalogue.hosts:
        edge.replies[peer, f"reach {name}"] = Reply(status=1, text="ping timed out")
    for key in edge.records:
        if key[0] == name:
            edge.records[key] = DnsAnswer(error="no answer within 5 s")
