"""What a transaction asks from outside, before it and after each commit: routes, placements,
names. Nothing of it needs the hosts' SSH."""

import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum

from inventory.catalogue import Catalogue, Host
from tasks import lookup, probe
from tasks.checks import service
from tasks.configs.caddy import TLS_PORT
from tasks.lookup import DnsAnswer
from tasks.probe import Answer
from tasks.served import Served
from tasks.way import health_of, is_healthy

TIMEOUT = 7.0  # seconds of each question; a Caddy asks a dead upstream for 5, and 1 more
ROUTE, DIRECT, NAME = "through", "at", "from"  # kinds, and the words between subject and place


class Well(IntEnum):
    """How well something answers. More is better."""

    DEAD = 0  # no answer, or a Caddy's that it got none
    ANSWERS = 1  # another answer than the catalogue wants
    WELL = 2


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question: `subject` is a service (ROUTE, DIRECT) or a name (NAME), `at` an edge, a
    placement's host or a resolver. The rest is how it is asked now, and may change with a deploy:
    a route as `hostname`, a name's `wanted` addresses."""

    kind: str
    subject: str
    at: str
    hostname: str = ""
    wanted: frozenset[str] = frozenset()

    @property
    def key(self) -> tuple[str, str, str]:
        """The same before and after."""
        return self.kind, self.subject, self.at

    def __str__(self) -> str:
        return f"{self.subject} {self.kind} {self.at}"


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What a question was answered."""

    well: Well
    words: str
    answer: Answer | DnsAnswer

    @property
    def is_well(self) -> bool:
        return self.well is Well.WELL


Key = tuple[str, str, str]
Sight = Mapping[Key, Heard]


def routes(
    catalogue: Catalogue, edges: Iterable[Host], now: Mapping[str, Served] | None = None
) -> Iterator[Question]:
    """Every web service through each of `edges`; by the name that it has `now`, if any."""
    for edge in edges:
        live = now[edge.name].routes if now else {}
        for one in catalogue.web_services:
            known = live.get(one.name)
            name = known.hostname if known else one.hostname
            yield Question(kind=ROUTE, subject=one.name, at=edge.name, hostname=name)


def placements(catalogue: Catalogue, services: Collection[str]) -> Iterator[Question]:
    """Every placement of `services` that may be asked from here, past each Caddy."""
    here = socket.gethostname()
    for one in catalogue.web_services:
        for host in one.placements if one.name in services else ():
            if catalogue.asks(here, one, host):
                yield Question(kind=DIRECT, subject=one.name, at=host)


def names(
    catalogue: Catalogue, resolvers: Iterable[Host], now: Mapping[str, Served] | None = None
) -> Iterator[Question]:
    """Every record at each of `resolvers`; with the addresses that it has `now`, if any."""
    for resolver in resolvers:
        live = now[resolver.name].records if now else {}
        for name, addresses in catalogue.answers.items():
            wanted = live.get(name, frozenset(map(str, addresses)))
            yield Question(kind=NAME, subject=name, at=resolver.name, wanted=wanted)


def hear(catalogue: Catalogue, questions: Collection[Question]) -> Sight:
    """Ask them all at the same time, from here."""
    with ThreadPoolExecutor(max_workers=min(max(len(questions), 1), 32)) as pool:
        heard = pool.map(lambda question: ask(catalogue, question), questions)
        return {q.key: told for q, told in zip(questions, heard, strict=True)}


def ask(catalogue: Catalogue, question: Question) -> Heard:
    address = catalogue.address_of(question.at)
    if question.kind == NAME:
        return _of_name(lookup.ask(address, question.subject), question.wanted)
    one = catalogue.services[question.subject]
    if question.kind == DIRECT:
        answer = service.ask(catalogue, one, question.at, timeout=TIMEOUT)
        good = is_healthy(one, answer)
    else:
        answer = probe.ask(
            address,
            TLS_PORT,
            health_of(one).path,
            hostname=question.hostname,
            tls=probe.blind_tls(),
            timeout=TIMEOUT,
        )
        good = service.is_served(one, answer)
    return Heard(well=_rank(good, answer), words=answer.words, answer=answer)


def _rank(healthy: bool, answer: Answer) -> Well:
    if healthy:
        return Well.WELL
    return Well.DEAD if answer.status in (None, 502, 503, 504) else Well.ANSWERS


def _of_name(answer: DnsAnswer, wanted: frozenset[str]) -> Heard:
    right = answer.addresses == wanted
    well = Well.WELL if right else Well.ANSWERS if answer.code else Well.DEAD
    return Heard(well=well, words=answer.words, answer=answer)
