"""host: does a service answer beside Caddy, at an address beyond tailnet and loopback?"""

from collections.abc import Iterator

from inventory.catalogue import Catalogue, Host
from tasks import listening
from tasks.checks import parts
from tasks.checks.finding import Finding, Status
from tasks.checks.survey import Survey
from tasks.listening import Exposure
from tasks.observe import Question

LISTENING = "listening"


def questions(_: Host, __: Catalogue) -> Iterator[Question]:
    yield Question(name=LISTENING, words=("listening",))


def exposures(catalogue: Catalogue, host: Host, text: str) -> tuple[Exposure, ...] | None:
    """None where the host has not told what it listens on."""
    told = listening.parse(text)
    return None if told is None else tuple(listening.exposures(host, catalogue, told))


def judge(survey: Survey) -> Iterator[Finding]:
    for host in survey.hosts:
        if host.name in survey.seen:
            text = survey.reply(host.name, LISTENING).text
            yield from _judge(survey, host, exposures(survey.catalogue, host, text))


def _judge(survey: Survey, host: Host, found: tuple[Exposure, ...] | None) -> Iterator[Finding]:
    for service in survey.services:
        if host.name in service.placements:
            own = [e for e in found or () if e.service.name == service.name]
            status = max((_status(survey, host.name, e) for e in own), default=Status.OK)
            yield Finding(
                check="host",
                subject=f"doors of {service.name}@{host.name}",
                vantage=host.name,
                status=Status.SKIPPED if found is None else status,
                seen=_seen(survey, host.name, own) if found is not None else "not told",
                expected="on the tailnet and on loopback alone",
                service=service.name,
                host=host.name,
                hop=f"doors of {host.name}",
                todo=f"on {host.name}: bind {service.name} to {host.address} "
                f"(docker: -p {host.address}:{service.port}:…), or name the network in access_from",
                needs=(parts.host(host.name),),
            )


def _status(survey: Survey, host: str, exposure: Exposure) -> Status:
    """Nobody is alarmed by a network at home, a stranger whom Cloudflare lets in anyway, or a
    door that was tried and is shut by a firewall."""
    tried = survey.doors.get((host, str(exposure.address), exposure.port))
    harmless = not exposure.is_public or exposure.service.access == "open" or tried is False
    return Status.WARN if harmless else Status.FAILED


def _seen(survey: Survey, host: str, found: list[Exposure]) -> str:
    words = []
    for exposure in found:
        address = str(exposure.address)
        who = "ANYBODY MAY ENTER" if exposure.is_public else "its network may enter"
        door = (host, address, exposure.port)
        if door in survey.doors:
            who = f"{who}, {'tried' if survey.doors[door] else 'shut'} from {survey.here},"
        at = address if exposure.port == exposure.service.port else f"{address}:{exposure.port}"
        words.append(f"{who} at {at}")
    return "; ".join(words) or "on the tailnet and on loopback alone"
