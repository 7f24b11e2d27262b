"""The questions that each check puts to the hosts."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from inventory.catalogue import Catalogue, Host
from tasks.checks import (
    caddy,
    caddy_config,
    cloudflare,
    dns,
    doors,
    holding,
    host,
    mesh,
    service,
    sync,
    tunnel,
)
from tasks.observe import Question

Asker = Callable[[Host, Catalogue], Iterator[Question]]

ASKERS: Mapping[str, tuple[Asker, ...]] = {
    "service": (service.questions, holding.questions),
    "caddy": (service.questions, caddy.questions, caddy_config.questions, holding.questions),
    "tunnel": (tunnel.questions,),
    "cloudflare": (cloudflare.questions,),
    "dns": (dns.questions,),
    "mesh": (mesh.questions,),
    "sync": (sync.questions,),
    "host": (doors.questions,),
}


def questions(checks: Iterable[str], one: Host, catalogue: Catalogue) -> list[Question]:
    """What `checks` ask of a host, and always which units run, which `host` asks."""
    chosen = (asker for check in sorted(checks) for asker in ASKERS.get(check, ()))
    askers = dict.fromkeys((host.questions, *chosen))
    asked = (question for asker in askers for question in asker(one, catalogue))
    return list({question.name: question for question in asked}.values())
