"""Asking all questions of one verify at once: on the hosts, from here, from outside."""

import socket
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from ssl import SSLContext
from typing import Any

from nornir.core.task import Result, Task

from inventory.catalogue import Catalogue, Host, Service
from inventory.names import sample_of
from inventory.resolver import Nameserver
from operations.outside import look_outside, open_api
from outside.client import CloudError, Patience
from outside.plan import Outlook
from runbooks.cli import Session
from tasks import lookup, probe
from tasks.checks import access, caddy, caddy_config, dns, doors, names, refusal, service
from tasks.checks.questions import questions
from tasks.checks.survey import Survey
from tasks.configs.render import render_configs
from tasks.look.program import look
from tasks.lookup import DnsAnswer
from tasks.observe import Observation, observe
from tasks.plan import HostPlan, make_plan
from tasks.probe import Answer
from tasks.shell import HostError, Unreachable
from tasks.ssh.options import be_patient, reach_of
from tasks.way import is_healthy

THREADS = 128  # they only wait; a silent host must not keep others from being asked


Trusted = Sequence[tuple[Host, SSLContext]]


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """What is to be asked: `checks` of `services`, on the session's hosts.

    `timeout`, in seconds, is each single question's own. Who `looks_only` has no secrets.
    """

    session: Session
    checks: frozenset[str]
    services: tuple[Service, ...]
    timeout: float
    looks_only: bool = False

    def take(self) -> Survey:
        """Ask everything. Raises InventoryError, when a secret cannot be had."""
        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            asked: dict[str, Mapping[Any, Future[Any]]] = {
                "direct": self._ask_directly(pool),
                "admin": self._ask_admin(pool),
                "strangers": self._ask_outside(pool, None),
                "strangers_as": self._ask_outside_as(pool),
                "guests": self._ask_as_guest(pool),
                "guards": self._ask_guards(pool),
            }
            keys = pool.submit(self._ask_keys) if asked["guards"] else None
            outside = pool.submit(self._ask_cloudflare)
            udp, tcp = self._ask_resolvers(pool), self._ask_resolvers_over_tcp(pool)
            seen, errors = self._look()
            asked["doors"] = self._try_doors(pool, seen)
            trusted = self._trusted(seen)
            asked["routes"] = self._ask_through_caddy(pool, trusted)
            asked["names"] = self._ask_by_further_names(pool, trusted)
            heard = {name: _heard(futures) for name, futures in asked.items()}
            return Survey(
                catalogue=self._catalogue,
                here=socket.gethostname(),
                hosts=self.session.hosts,
                services=self.services,
                timeout=self.timeout,
                seen=seen,
                lost={name: str(error) for name, error in errors.items()},
                refused=frozenset(n for n, e in errors.items() if not isinstance(e, Unreachable)),
                plans=self._plans(seen),
                records=self._records(_heard(udp), _heard(tcp)),
                outside=outside.result(),
                keys=keys.result() if keys else None,
                refusals=_heard(self._ask_refusals(pool, heard["direct"], heard["routes"])),
                **heard,
            )

    @property
    def _catalogue(self) -> Catalogue:
        return self.session.catalogue

    @property
    def _edges(self) -> list[Host]:
        return [host for host in self.session.hosts if host.is_edge]

    @property
    def _web(self) -> list[Service]:
        return [service for service in self.services if service.kind == "http"]

    def _wants(self, *checks: str) -> bool:
        return not self.checks.isdisjoint(checks)

    def _ask_directly(self, pool: Executor) -> Mapping[tuple[str, str], Future[Any]]:
        """Every placement on a selected host; all of them when an edge is selected."""
        if not self._wants("service", "caddy"):
            return {}
        return {
            (s.name, on): pool.submit(service.ask, self._catalogue, s, on, timeout=self.timeout)
            for s in self._web
            for on in s.placements
            if self._catalogue.asks(socket.gethostname(), s, on)
            and (self._edges or self._catalogue.hosts[on] in self.session.hosts)
        }

    @property
    def _resolvers(self) -> list[Host]:
        chosen = self.session.hosts if self._wants("dns") else ()
        return [host for host in self._catalogue.resolvers if host in chosen]

    def _ask_resolvers(self, pool: Executor) -> Mapping[tuple[str, str], Future[Any]]:
        unknown = dns.unknown_name(self._catalogue)
        asked = {
            (resolver.name, name): Nameserver(address=resolver.address)
            for resolver in self._resolvers
            for name in (*self._names, unknown)
        }
        if asked:
            asked[dns.FORWARDER, unknown] = self._catalogue.site.resolver.forward[0]
        return {
            key: pool.submit(lookup.ask_nameserver, server, key[1], timeout=self.timeout)
            for key, server in asked.items()
        }

    def _ask_resolvers_over_tcp(self, pool: Executor) -> Mapping[str, Future[Any]]:
        return {
            resolver.name: pool.submit(
                lookup.ask_over_tcp,
                str(resolver.address),
                list(self._names),
                timeout=self.timeout,
            )
            for resolver in self._resolvers
        }

    def _records(
        self,
        udp: Mapping[tuple[str, str], DnsAnswer],
        tcp: Mapping[str, list[DnsAnswer]],
    ) -> Mapping[tuple[str, str, str], DnsAnswer]:
        """Every answer by resolver, name and transport."""
        over_tcp = {
            (resolver, name, "TCP"): answer
            for resolver, answers in tcp.items()
            for name, answer in zip(self._names, answers, strict=True)
        }
        return {(*key, "UDP"): answer for key, answer in udp.items()} | over_tcp

    @property
    def _names(self) -> Collection[str]:
        """The names to look up: all, or those of the chosen services."""
        if len(self.services) == len(self._catalogue.services):
            return self._catalogue.answers
        own = [(service.hostname, *names.names_of(service)) for service in self.services]
        return [name for each in own for name in each]

    def _ask_admin(self, pool: Executor) -> Mapping[str, Future[Any]]:
        """Caddy's admin API from the tailnet, where it should not answer."""
        edges = self._edges if self._wants("caddy") else []
        return {
            edge.name: pool.submit(
                probe.ask,
                str(edge.address),
                caddy_config.ADMIN_PORT,
                "/config/",
                timeout=self.timeout,
            )
            for edge in edges
        }

    def _try_doors(
        self, pool: Executor, seen: Mapping[str, Observation]
    ) -> Mapping[tuple[str, str, int], Future[Any]]:
        """Public addresses of other hosts at which a service listens: from here, outside."""
        if not self._wants("host"):
            return {}
        found = [
            (one.name, str(e.address), e.port)
            for one in self.session.hosts
            if one.name in seen and one.name != socket.gethostname()
            for e in doors.exposures(
                self._catalogue, one, seen[one.name].reply(doors.LISTENING).text
            )
            or ()
            if e.is_public
        ]
        return {
            door: pool.submit(probe.connects, door[1], door[2], timeout=self.timeout)
            for door in found
        }

    @property
    def _asks_outside(self) -> bool:
        """Not one host's part of a path: only without a host filter."""
        return self._wants("access") and len(self._edges) == len(self._catalogue.edges)

    def _ask_outside(
        self, pool: Executor, headers: Mapping[str, str] | None
    ) -> Mapping[str, Future[Any]]:
        """By the public names."""
        if not self._asks_outside:
            return {}
        return {
            s.name: pool.submit(access.ask, s, s.hostname, self._outside, headers)
            for s in self._web
            if s.is_public
        }

    def _ask_outside_as(self, pool: Executor) -> Mapping[str, Future[Any]]:
        """Strangers, by the further names of public services: each needs Access by itself."""
        if not self._asks_outside:
            return {}
        return {
            name: pool.submit(access.ask, s, name, self._outside)
            for s in self._web
            if s.is_public
            for name in map(sample_of, s.aliases)
        }

    @property
    def _outside(self) -> access.Outside:
        return access.Outside(
            resolver=self._catalogue.site.resolver.forward[0],
            tls=probe.system_tls(),
            timeout=self.timeout,
        )

    def _ask_as_guest(self, pool: Executor) -> Mapping[str, Future[Any]]:
        reference = self._catalogue.site.access.service_token
        if reference is None or not self._wants("access"):
            return {}
        return self._ask_outside(pool, access.token_headers(reference))

    def _ask_guards(self, pool: Executor) -> Mapping[str, Future[Any]]:
        """Of each name whose application is known."""
        if not self._asks_outside:
            return {}
        return {
            s.name: pool.submit(access.ask_guard, s, self._outside)
            for s in self._web
            if s.is_protected and s.audience
        }

    def _ask_keys(self) -> Answer:
        return access.ask_keys(self._catalogue.site.access.team, self._outside)

    def _ask_cloudflare(self) -> Outlook | CloudError | None:
        """By the token, which lies on the control node alone: a stand-in asks nothing."""
        asked = self._wants("cloudflare") and self._catalogue.site.cloudflare
        if not asked or self.looks_only:
            return None
        quick = Patience(connect=self.timeout, answer=self.timeout, reads=1, longest_wait=0)
        api, token = open_api(self._catalogue, patience=quick)
        with api:
            try:
                return look_outside(api, token, self._catalogue)
            except CloudError as error:
                return error

    def _ask_through_caddy(
        self, pool: Executor, trusted: Trusted
    ) -> Mapping[tuple[str, str], Future[Any]]:
        return {
            (s.name, edge.name): pool.submit(caddy.ask, edge, s, tls=tls, timeout=self.timeout)
            for edge, tls in trusted
            for s in self._web
        }

    def _ask_refusals(
        self,
        pool: Executor,
        direct: Mapping[tuple[str, str], Answer],
        routes: Mapping[tuple[str, str], Answer],
    ) -> Mapping[tuple[str, str], Future[Any]]:
        """Where a service is well by its address, and not through a Caddy: does it refuse?"""
        known = self._catalogue.services
        well = {n: on for (n, on), told in direct.items() if is_healthy(known[n], told)}
        return {
            (name, edge): pool.submit(
                refusal.find, self._catalogue, known[name], well[name], told, timeout=self.timeout
            )
            for (name, edge), told in routes.items()
            if name in well and not service.is_served(known[name], told)
        }

    def _ask_by_further_names(
        self, pool: Executor, trusted: Trusted
    ) -> Mapping[tuple[str, str], Future[Any]]:
        return {
            (name, edge.name): pool.submit(names.ask, edge, s, name, tls=tls, timeout=self.timeout)
            for edge, tls in trusted
            for s in self._web
            for name in names.names_of(s)
        }

    def _trusted(self, seen: Mapping[str, Observation]) -> Trusted:
        """The edges whose Caddy is asked, each with what its certificates are checked by."""
        edges = [edge for edge in self._edges if edge.name in seen and self._wants("caddy")]
        return [(edge, self._trust(seen[edge.name])) for edge in edges]

    def _trust(self, edge: Observation) -> SSLContext:
        """Whom to trust for an edge's certificates: its Caddy's own CA, or the system's."""
        root = caddy_config.root_of(edge.reply(caddy_config.AUTHORITY))
        return probe.trusting(root) if root else probe.system_tls()

    def _look(self) -> tuple[Mapping[str, Observation], Mapping[str, HostError]]:
        """What each host showed; and why the others could not be looked at."""
        be_patient(self.session.nornir.inventory, self.timeout)
        rendered = self._files  # once, and not by each host's thread

        def work(task: Task) -> Result:
            one = self._catalogue.hosts[task.host.name]
            files = rendered[one.name]
            if reach_of(task.host).only_looks:
                return look(task, one, self._catalogue, files, self.timeout)
            asked = questions(self.checks, one, self._catalogue)
            return observe(task, one, files, asked, self.timeout)

        outcome = self.session.run(work)
        return outcome.done, outcome.errors

    @cached_property
    def _files(self) -> Mapping[str, Any]:
        label = self.session.source.label
        return self.session.run(lambda task: render_configs(task, self._catalogue, label)).done

    def _plans(self, seen: Mapping[str, Observation]) -> Mapping[str, HostPlan]:
        source, files = self.session.source, self._files
        return {
            name: make_plan(name, source, files[name], observation.state)
            for name, observation in seen.items()
        }


def _heard(futures: Mapping[Any, Future[Any]]) -> dict[Any, Any]:
    return {key: future.result() for key, future in futures.items()}
