"""The gate of a transaction: is what the users have after it at least as well as before?

What was equally bad before blocks nothing. What fails now, though it answered before, sends
every host back where the release has to do with it.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from inventory.catalogue import Catalogue, Host, Service
from runbooks.transaction.asking import (
    DIRECT,
    NAME,
    ROUTE,
    Heard,
    Key,
    Question,
    Sight,
    Well,
    hear,
    names,
    placements,
    routes,
)
from tasks.checks import refusal
from tasks.checks.refusal import Refusal
from tasks.probe import Answer
from tasks.served import Served

SETTLE = 15.0  # seconds that a new config may take until every route answers
TIMES = 3  # so often, at least, something fails before it counts
PAUSE = 0.3  # seconds between two rounds


class Outcome(IntEnum):
    """What became of one thing, the worst last: that counts for its service."""

    AS_BEFORE = 0
    MENDED = 1
    NEW = 2
    ACCEPTED = 3  # worse, and allowed beforehand
    WENT_DOWN = 4  # meanwhile, at an address that the release has nothing to do with
    WORSE = 5

    @property
    def word(self) -> str:
        if self is Outcome.WENT_DOWN:
            return "went down meanwhile"
        return self.name.lower().replace("_", " ")

    @property
    def has_past(self) -> bool:
        """Was it otherwise before?"""
        return self not in (Outcome.AS_BEFORE, Outcome.NEW)


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a release has to do with one host: whether it activates Caddy and the resolver
    anew, what they serve before it, and after it (None where that is not known yet)."""

    caddy: bool
    resolver: bool
    before: Served
    after: Served | None

    def touches(self, service: str) -> bool:
        """Does it change the service's route, or what all routes share?"""
        if self.after is None:
            return self.caddy
        own = self.before.routes.get(service) != self.after.routes.get(service)
        return self.caddy and (own or self.before.shared != self.after.shared)

    def moves(self, service: str) -> bool:
        """Does it lead the service to another address?"""
        now = self.before.routes.get(service)
        then = self.after.routes.get(service) if self.after else None
        return now is None or then is None or now.upstreams != then.upstreams


@dataclass(frozen=True, kw_only=True)
class Told:
    """What became of one service, in a word and in a sentence."""

    service: str
    outcome: Outcome
    before: str
    after: str
    well: bool
    why: str = ""

    @property
    def is_quiet(self) -> bool:
        """Well, and as before."""
        return self.well and self.outcome is Outcome.AS_BEFORE

    @property
    def words(self) -> str:
        was = f", before {self.before}" if self.before and self.outcome.has_past else ""
        return f"{self.outcome.word}: {self.after}{was}{f' ({self.why})' if self.why else ''}"


@dataclass(kw_only=True)
class Gate:
    """Looks before a transaction, judges after each wave of it. `accepted` are services that may
    become worse."""

    catalogue: Catalogue
    changes: Mapping[str, Change]
    accepted: Collection[str] = ()
    before: Sight = field(default_factory=dict)
    after: dict[Key, Heard] = field(default_factory=dict)
    outcomes: dict[Key, Outcome] = field(default_factory=dict)
    refusals: dict[tuple[str, str], Refusal] = field(default_factory=dict)

    def look(self) -> None:
        """Ask, before anything is changed, all that will be asked afterwards."""
        now = {host: change.before for host, change in self.changes.items()}
        web = [service.name for service in self.catalogue.web_services]
        self.before = hear(
            self.catalogue,
            [
                *routes(self.catalogue, self._edges(self.changes), now),
                *(placements(self.catalogue, web) if self._edges(self.changes) else ()),
                *names(self.catalogue, self._resolvers(self.changes), now),
            ],
        )
        self._find_refusals(self.before, self.before)

    def _edges(self, hosts: Collection[str]) -> list[Host]:
        return [edge for edge in self.catalogue.edges if self._changes(edge, hosts)]

    def _resolvers(self, hosts: Collection[str]) -> list[Host]:
        return [host for host in self.catalogue.resolvers if self._changes(host, hosts)]

    def _changes(self, host: Host, among: Collection[str]) -> bool:
        """Not so where a host gets nothing but the keys of others."""
        return host.name in among and host.name in self.changes

    # --- before ------------------------------------------------------------------------------

    def forgotten(self) -> Iterator[str]:
        """The first placements that do not answer, of services with a fallback, where some Caddy
        asks them there: its reload would forget that they are down."""
        for service in self.catalogue.web_services:
            if not service.has_failover:
                continue
            first = service.placements[0]
            address = self.catalogue.upstream_on(first, service)
            routes = [change.before.routes.get(service.name) for change in self.changes.values()]
            known = any(route and address in route.upstreams for route in routes)
            heard = self.before.get((DIRECT, service.name, first))
            if known and heard and not heard.is_well:
                yield f"{service.name}@{first}: {heard.words}"

    def forebodings(self) -> Iterator[str]:
        """What the plan leads to where nothing is well now, though it is served well."""
        for service in (s for s in self.catalogue.web_services if s.placements):
            moved = [edge for edge in self._edges(self.changes) if self._moves(service, edge)]
            served = [e for e in moved if self._was(ROUTE, service.name, e.name) is Well.WELL]
            heard = self.before.get((DIRECT, service.name, service.placements[0]))
            if served and heard and not self._is_healthy(service, self.before):
                address = self.catalogue.upstreams_from(served[0].name, service)[0]
                yield (
                    f"{service.name} answers now, and this leads it to {address}, where there is "
                    f"{heard.words}: it would be worse, and every host go back; to allow it: "
                    f"--accept {service.name}"
                )

    def _moves(self, service: Service, edge: Host) -> bool:
        change = self.changes[edge.name]
        return change.touches(service.name) and change.moves(service.name)

    def _was(self, *key: str) -> Well:
        heard = self.before.get(key)  # type: ignore[arg-type]
        return heard.well if heard else Well.DEAD

    # --- after -------------------------------------------------------------------------------

    def judge(self, wave: Sequence[str], catalogue: Catalogue | None = None) -> list[str]:
        """Ask what the hosts of a wave serve, until it is as well as before or time is up.

        `catalogue` is what they promise, all of it when None. Gives what is worse, in words.
        """
        promised = catalogue or self.catalogue
        doubtful = [
            *routes(promised, self._edges(wave)),
            *names(promised, self._resolvers(wave)),
        ]
        known = {key[1] for key, outcome in self.outcomes.items() if outcome is Outcome.WENT_DOWN}
        began, rounds = time.monotonic(), 0
        while doubtful:
            now = hear(promised, doubtful)
            ill = {key[1] for key, told in now.items() if key[0] == ROUTE and not told.is_well}
            direct = hear(promised, list(placements(promised, ill)))
            self._find_refusals(now, direct)
            self.after |= now
            for question in doubtful:
                self.outcomes[question.key] = self._outcome(question, direct)
            doubtful = [q for q in doubtful if self._is_bad(q, known)]
            rounds += 1
            if rounds >= TIMES and time.monotonic() - began >= SETTLE:
                break
            if doubtful:
                time.sleep(PAUSE)
        return [
            self._accusation(question)
            for question in doubtful
            if self.outcomes[question.key] is Outcome.WORSE
        ]

    def _is_bad(self, question: Question, known: Collection[str]) -> bool:
        """Worth another round; what is `known` to have gone down is not."""
        outcome = self.outcomes[question.key]
        down = outcome is Outcome.WENT_DOWN and question.subject not in known
        return down or outcome is Outcome.WORSE

    def _outcome(self, question: Question, direct: Sight) -> Outcome:
        found = (
            self._of_route(question, direct) if question.kind == ROUTE else self._of_name(question)
        )
        allowed = found is Outcome.WORSE and self._service_of(question) in self.accepted
        return Outcome.ACCEPTED if allowed else found

    def _of_route(self, question: Question, direct: Sight) -> Outcome:
        service, change = self.catalogue.services[question.subject], self.changes[question.at]
        was, now = self._was(*question.key), self.after[question.key].well
        healthy = self._is_healthy(service, direct)
        if service.name not in change.before.routes and was is not Well.WELL:
            refused = (service.name, question.at) in self.refusals
            broken = now is not Well.WELL and healthy and not refused
            return Outcome.WORSE if broken else Outcome.NEW
        if now >= was:
            return Outcome.MENDED if now > was else Outcome.AS_BEFORE
        if not change.caddy:
            return Outcome.WENT_DOWN
        if healthy:  # so that it is the way that is broken, by a Caddy that was activated anew
            return Outcome.WORSE
        stays = not change.moves(service.name) and self._is_healthy(service, self.before)
        return Outcome.WENT_DOWN if stays or not change.touches(service.name) else Outcome.WORSE

    def _of_name(self, question: Question) -> Outcome:
        change = self.changes[question.at]
        was, now = self._was(*question.key), self.after[question.key].well
        fell = Outcome.WORSE if change.resolver else Outcome.WENT_DOWN
        if question.subject not in change.before.records and was is not Well.WELL:
            return Outcome.NEW if now is Well.WELL else fell
        if now >= was:
            return Outcome.MENDED if now > was else Outcome.AS_BEFORE
        return fell

    def _is_healthy(self, service: Service, direct: Sight) -> bool:
        """Does some placement answer well past every Caddy? One without any is Caddy's own."""
        if not service.placements:
            return True
        heard = [direct.get((DIRECT, service.name, host)) for host in service.placements]
        return any(told.is_well for told in heard if told)

    def _find_refusals(self, sight: Sight, direct: Sight) -> None:
        """Of routes that fail although a placement is well: does that refuse them itself?"""
        for (kind, name, edge), told in sight.items():
            known = (name, edge) in self.refusals
            if kind != ROUTE or told.is_well or known or not isinstance(told.answer, Answer):
                continue
            service = self.catalogue.services[name]
            for host in service.placements:
                at = direct.get((DIRECT, name, host))
                if at and at.is_well:
                    found = refusal.find(self.catalogue, service, host, told.answer)
                    if found:
                        self.refusals[name, edge] = found
                    break

    def _accusation(self, question: Question) -> str:
        told, before = self.after[question.key], self.before.get(question.key)
        was = f"before {before.words}" if before else "not asked before"
        found = self.refusals.get((question.subject, question.at))
        why = f"; {found.words}: {found.setting}" if found else ""
        name = self._service_of(question)
        hint = f" (to allow it: --accept {name})" if name else ""
        return f"{question}: {told.words}, {was}, {TIMES} times in a row{why}{hint}"

    def _service_of(self, question: Question) -> str | None:
        if question.kind != NAME:
            return question.subject
        owners = (
            s.name for s in self.catalogue.services.values() if s.hostname == question.subject
        )
        return next(owners, None)

    # --- the result --------------------------------------------------------------------------

    def told(self) -> list[Told]:
        """What became of each service that was asked for afterwards."""
        return [
            found
            for service in self.catalogue.services.values()
            if (found := self._told_of(service))
        ]

    def _told_of(self, service: Service) -> Told | None:
        keys = [
            key
            for key in self.outcomes
            if key[1] == (service.name if key[0] == ROUTE else service.hostname)
        ]
        if not keys:
            return None
        worst = max(keys, key=lambda key: (self.outcomes[key], -self.after[key].well))
        was = self.before.get(worst)
        found = next((r for (name, _), r in self.refusals.items() if name == service.name), None)
        well = self.after[worst].is_well
        return Told(
            service=service.name,
            outcome=self.outcomes[worst],
            before=was.words if was else "",
            after=self.after[worst].words,
            well=well,
            why=f"{found.words}: {found.setting}" if found and not well else "",
        )


def lines(told: Iterable[Told]) -> Iterator[tuple[str, str]]:
    """(service, words) of what is worth a line, then how many are as well as before."""
    quiet = 0
    for one in told:
        if one.is_quiet:
            quiet += 1
        else:
            yield one.service, one.words
    if quiet:
        yield "", f"{quiet} service{'s'[: quiet != 1]} as before"
