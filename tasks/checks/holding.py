"""Who holds which port on a host, and where a service listens that does not answer."""

from collections.abc import Iterator
from dataclasses import dataclass

from inventory.catalogue import Catalogue, Host, Service
from tasks import listening
from tasks.checks.survey import Survey
from tasks.observe import Question

HOLDERS, LISTENING = "holders", "listening"


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A program that listens on a port, and its unit (`-` where it has none)."""

    port: int
    unit: str
    program: str

    def __str__(self) -> str:
        return self.program if self.unit == "-" else f"{self.program} ({self.unit})"


def questions(_: Host, __: Catalogue) -> Iterator[Question]:
    yield Question(name=HOLDERS, words=("holders",))
    yield Question(name=LISTENING, words=("listening",))


def holders(survey: Survey, host: str) -> list[Holder]:
    """What the host has told; empty where it could not."""
    if host not in survey.seen:
        return []
    told = (line.split(" ", 2) for line in survey.reply(host, HOLDERS).text.splitlines())
    return [
        Holder(port=int(words[0]), unit=words[1], program=words[2])
        for words in told
        if len(words) == 3 and words[0].isdigit()
    ]


def holder_of(survey: Survey, host: str, port: int, unit: str) -> Holder | None:
    """Who else than `unit` holds the port?"""
    held = (h for h in holders(survey, host) if h.port == port)
    return next((h for h in held if h.unit != f"{unit}.service"), None)


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why a service does not answer on its host: in words, and what to do."""

    why: str
    todo: str


def cause(survey: Survey, service: Service, host: str) -> Cause | None:
    """What the host's own sockets tell of a service that nobody gets an answer from."""
    text = survey.reply(host, LISTENING).text if host in survey.seen else ""
    told = listening.parse(text)
    if told is None:
        return None
    address, port = survey.catalogue.address_of(host), service.port
    at = [where for how, where, on in told.sockets if how == "tcp" and on == port]
    other = holder_of(survey, host, port, service.unit)
    active = survey.unit_state(host, service.unit) == "active"
    if at and all(where.is_loopback for where in at):
        return Cause(
            why=f"it listens on loopback only ({at[0]}:{port})",
            todo=f"on {host}: let {service.name} listen on {address} (docker: -p "
            f"{address}:{port}:…)",
        )
    if at and other and not active and survey.unit_state(host, service.unit):
        return Cause(
            why=f"port {port} is held by {other}",
            todo=f"on {host}: take port {port} from {other}, then systemctl restart {service.unit}",
        )
    own = _own_ports(survey, service, host, text)
    if not at and own:
        ports = " and ".join(map(str, own))
        return Cause(
            why=f"it is well and listens on {ports}, nothing on {port}",
            todo=f"services.yaml: {service.name}: port: {own[0]}; or set {port} in the service",
        )
    if not at and active:
        return Cause(
            why=f"unit {service.unit} is active, and nothing listens on {port}",
            todo=f"on {host}: journalctl -u {service.unit} -n 50; which port does it listen on?",
        )
    return None


def _own_ports(survey: Survey, service: Service, host: str, text: str) -> list[int]:
    """The ports of the service's own unit or container."""
    if survey.catalogue.manager_of(service, host) == "systemd":
        unit = f"{service.unit}.service"
        return sorted({h.port for h in holders(survey, host) if h.unit == unit})
    return listening.published(text, service.unit)
