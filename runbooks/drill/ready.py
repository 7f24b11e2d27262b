"""Before a drill: what would be done where, and what speaks against it."""

import secrets
import socket
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from nornir.core.task import Result, Task

from inventory.catalogue import Catalogue, Host, Service
from inventory.errors import UsageError
from runbooks.cli import Session
from runbooks.transaction.begin import new_run
from tasks import probe
from tasks.drill import preflight, restore
from tasks.drill.faults import BY_NAME, CLOUDFLARE, Fault, hosts_for, make_fault, needs
from tasks.drill.load import Load, Question
from tasks.drill.preflight import Objection
from tasks.drill.vantage import Vantage, vantages
from tasks.drill.websocket import Sockets
from tasks.release import Run
from tasks.way import health_of, is_healthy

SETTLE = 45.0  # seconds until Caddy has gone back: two checks, 10 s apart, and some
LONGEST_STOP = 30  # seconds; an inject may take 60
GRACE = 30.0  # seconds after the hold, by which the controller has restored if it lives


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One drill that could begin now. `unseen` are vantages that the fault itself takes away."""

    service: Service
    fault: Fault
    run: Run
    load: Load
    hold: float
    unseen: Mapping[str, str]


def make_plan(session: Session, service: Service, arguments: Namespace) -> Plan:
    """Raises UsageError on flags that make no sense for `service`."""
    catalogue = session.catalogue
    host = _host(catalogue, service, arguments)
    arguments.window = arguments.window or round(arguments.hold + GRACE)
    seconds = stop_seconds(arguments.hold, arguments.window)
    fault = make_fault(arguments.fault, catalogue, service, host, seconds)
    run = new_run(arguments, session.catalogue, "drill")
    found = vantages(catalogue, service)
    unseen = _unseen(catalogue, fault)
    question = _question(catalogue, service, arguments, run)
    seen = [vantage for vantage in found if vantage.name not in unseen]
    return Plan(
        service=service,
        fault=fault,
        run=run,
        load=Load(
            question=question, vantages=seen, sockets=_sockets(catalogue, service, question, seen)
        ),
        hold=arguments.hold,
        unseen=unseen,
    )


def stop_seconds(hold: float, window: int) -> int:
    """What a container may take to stop: the hold and the undo still fit into the window."""
    return max(1, min(LONGEST_STOP, int(window - hold) // 2))


def _host(catalogue: Catalogue, service: Service, arguments: Namespace) -> str:
    possible = hosts_for(arguments.fault, catalogue, service)
    if arguments.on is None:
        here = [name for name in possible if is_here(catalogue.hosts[name])]
        return (here if arguments.fault == "mesh" and here else possible)[0]
    if arguments.on not in possible:
        raise UsageError(f"--on {arguments.on!r}: {arguments.fault} can be on {possible}")
    chosen: str = arguments.on
    return chosen


def _unseen(catalogue: Catalogue, fault: Fault) -> dict[str, str]:
    """Vantage -> why it cannot be judged in this drill."""
    found = dict.fromkeys(fault.blind, f"{fault.words}: nothing to see there")
    here = [edge.name for edge in catalogue.edges if is_here(edge)]
    if fault.apart and here:
        cut_off = [edge.name for edge in catalogue.edges if edge.name not in here]
        found |= dict.fromkeys((*cut_off, BY_NAME), f"the fault cuts {here[0]} off from it")
    return found


def _question(catalogue: Catalogue, service: Service, arguments: Namespace, run: Run) -> Question:
    health = health_of(service)
    path = arguments.path or service.probe or health.path
    as_health = path == health.path
    echo = _echo(service, arguments)
    return Question(
        path=path,
        rate=arguments.rate,
        status=health.status if as_health else None,
        body=health.body if as_health else "",
        echo=echo,
        run=f"{run.id}-{secrets.token_hex(2)}",
        signers={catalogue.upstream_on(host, service): host for host in service.placements},
    )


def _sockets(
    catalogue: Catalogue, service: Service, question: Question, seen: Sequence[Vantage]
) -> Sockets | None:
    """Through each Caddy and through Cloudflare; None where no path for them is known."""
    if service.websocket is None:
        return None
    through = {*(edge.name for edge in catalogue.edges), CLOUDFLARE}
    return Sockets(
        path=service.websocket,
        vantages=[vantage for vantage in seen if vantage.name in through],
        signers=question.signers,
    )


def _echo(service: Service, arguments: Namespace) -> str | None:
    if arguments.posts is None:
        return None
    path: str | None = arguments.posts or service.echo
    if not path:
        raise UsageError(
            f"--posts: {service.name} has no echo path; name one where a POST does nothing but "
            "answer, here or as `echo` in the catalogue"
        )
    return path


def is_here(host: Host) -> bool:
    """Is `host` the machine that this runs on?"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probing:
        try:
            probing.bind((str(host.address), 0))
        except OSError:
            return False
    return True


def settle(session: Session, plan: Plan) -> list[Objection]:
    """`examine`, once the drill before this one has had the time to be over."""
    deadline = time.monotonic() + SETTLE
    while (objections := examine(session, plan)) and time.monotonic() < deadline:
        time.sleep(1)
    return objections


def prove_undone(session: Session, plan: Plan) -> None:
    """Every edge finds the host healthy again, and nothing is armed. Raises NotUndone."""
    host = session.catalogue.hosts[plan.fault.host]
    deadline = time.monotonic() + SETTLE
    while objections := _look(session, plan):
        if time.monotonic() > deadline:
            raise restore.NotUndone(host, plan.fault, "\n".join(map(str, objections)))
        time.sleep(1)


def examine(session: Session, plan: Plan) -> list[Objection]:
    """Everything that speaks against the drill now. Reads only."""
    return [
        *preflight.object_to_time(session.catalogue, datetime.now()),
        *_look(session, plan),
        *_unsteady(session.catalogue, plan.service),
    ]


def _look(session: Session, plan: Plan) -> list[Objection]:
    """What the hosts themselves have against it, and how they find the placements."""
    catalogue, service = session.catalogue, plan.service
    ways = preflight.ways(catalogue, service)
    names = {edge.name for edge in catalogue.edges} | {plan.fault.host}
    target = catalogue.hosts[plan.fault.host]

    def look(task: Task) -> Result:
        host = catalogue.hosts[task.host.name]
        tools = needs(plan.fault, target) if host is target else ()
        asked = tuple(ways.values()) if host.is_edge else ()
        return restore.look(task, host, plan.run, ways=asked, tools=tools)

    outcome = session.run(look, names)
    found = [Objection(where=name, seen=str(error)) for name, error in outcome.errors.items()]
    for name, state in outcome.done.items():
        found += preflight.object_to_host(name, state, preflight.now())
        replies = dict(zip(ways, state.replies, strict=False))
        if replies:
            found += preflight.object_to_replies(
                service, catalogue.hosts[name], list(ways), replies
            )
    return found


def _unsteady(catalogue: Catalogue, service: Service) -> Iterator[Objection]:
    """Edges whose Caddy does not serve, or not from the first placement, while all is well."""
    for edge in catalogue.edges:
        first = service.order_from(edge.name)[0]
        answer = probe.ask(
            str(edge.address), 443, health_of(service).path, hostname=service.hostname,
            tls=probe.blind_tls(),
        )  # fmt: skip
        signer = catalogue.upstream_on(first, service)
        if not is_healthy(service, answer):
            yield Objection(where=edge.name, seen=f"its Caddy answers {answer.words}")
        elif answer.served_by != signer:
            yield Objection(
                where=edge.name,
                seen=f"its Caddy serves {service.name} from {answer.served_by}, not {first}",
                remedy="the primary was down a moment ago, or the config is not deployed",
            )
