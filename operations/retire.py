"""Taking a host out of the site: twinedge leaves it, and the others forget it."""

from collections.abc import Callable, Iterator, Mapping

from nornir.core.task import Result, Task

from inventory.catalogue import Catalogue, Host
from inventory.errors import UsageError
from operations.edge import Answers, Edge
from tasks import release
from tasks import retire as of_host
from tasks.live import HostState
from tasks.member import Member
from tasks.release import Run
from tasks.retire import Leaving
from tasks.shell import HostError, Unreachable


class NotRetired(HostError):
    """The host is not taken off whole, or somebody still knows it."""


def gone(catalogue: Catalogue, states: Mapping[str, HostState]) -> Mapping[str, Member]:
    """By name, the hosts that a release lists and the inventory does not; one that has got
    another name is still there."""
    known = {str(host.address) for host in catalogue.hosts.values()}
    former = {host.was for host in catalogue.hosts.values()}
    return {
        member.name: member
        for state in states.values()
        for member in (state.current.members if state.current else ())
        if member.name not in (*catalogue.hosts, *catalogue.appliances, *former)
        and member.address not in known
    }


def list_hosts(edge: Edge, states: Mapping[str, HostState]) -> None:
    """Every release of `states` that lists other hosts than the inventory lists those: a host may
    come or be renamed without anything else that changes. Raises HostError."""
    members = tuple(map(Member.of, edge.catalogue.hosts.values()))
    stale = [name for name, s in states.items() if s.current and s.current.members != members]

    def work(task: Task) -> Result:
        return of_host.list_hosts(task, edge.catalogue.hosts[task.host.name], members)

    for error in edge.run(work, stale).errors.values():
        raise error


def refuse_needed(catalogue: Catalogue, name: str) -> None:
    """Raise UsageError for a host without which there is no site."""
    if name == catalogue.site.control:
        raise UsageError(f"{name} is the control node: say another in data.control first")
    if [edge.name for edge in catalogue.edges] == [name]:
        raise UsageError(f"{name} is the only edge: without it nothing is served")


def find(edge: Edge, name: str) -> Host | None:
    """The host, from the inventory or from what the others' releases list."""
    if name in edge.catalogue.hosts:
        return edge.catalogue.hosts[name]
    answers = edge.run(lambda task: release.survey(task, edge.catalogue.hosts[task.host.name]))
    refuse_errors(answers, "nothing was changed on any host")
    found = gone(edge.catalogue, answers.done).get(name)
    return found.as_host(next(iter(edge.catalogue.hosts.values()))) if found else None


def look(edge: Edge, host: Host, run: Run) -> Leaving:
    """What is there of ours on `host`; nothing is changed. Raises NotRetired."""
    return _there(edge, host, lambda task: of_host.look(task, host, run, edge.catalogue))


def leave(edge: Edge, host: Host, run: Run) -> Leaving:
    """Take twinedge off `host`. Raises NotRetired; what is left goes with the next run."""
    return _there(edge, host, lambda task: of_host.leave(task, host, run, edge.catalogue))


def _there(edge: Edge, host: Host, work: Callable[[Task], Result]) -> Leaving:
    answers = edge.run(work, [host.name])
    lost = isinstance(answers.errors.get(host.name), Unreachable)
    refuse_errors(
        answers, "if it is gone for good: --lost, and the others forget it" if lost else ""
    )
    found: Leaving = answers.done[host.name]
    return found


def forget(edge: Edge, parted: Host) -> Mapping[str, str]:
    """The others let `parted` in no more, and do not know it; by host, what it knew.

    Raises NotRetired where one could not be told.
    """
    left = of_host.without(edge.catalogue, parted.name)

    def work(task: Task) -> Result:
        return of_host.forget(task, left.hosts[task.host.name], parted, left)

    answers = edge.run(work, list(left.hosts))
    refuse_errors(answers, f"these may still know {parted.name}: run the same once more")
    return {host: ", ".join(known) for host, known in answers.done.items()}


def refuse_errors(answers: Answers, end: str = "") -> None:
    """Raise NotRetired with what every host says that could not answer, and `end` behind it."""
    if answers.errors:
        lines = [f"{host}: {error}" for host, error in sorted(answers.errors.items())]
        raise NotRetired("\n".join([*lines, *([end] if end else [])]))


def revocations(catalogue: Catalogue, lost: Host) -> Iterator[str]:
    """What whoever has the disk of `lost` can still do, and where that is taken away."""
    if lost.is_edge:
        yield (
            f"the tunnel's secret: until then whoever has the disk of {lost.name} serves in your "
            "place. Give the tunnel another (Cloudflare's API: PATCH "
            f"accounts/ID/cfd_tunnel/{catalogue.site.tunnel.id}, key tunnel_secret) or make a new "
            "tunnel; put the new credentials where the inventory says they are, deploy, and end "
            f"what is still connected: cloudflared tunnel cleanup {catalogue.site.tunnel.id}"
        )
    if catalogue.mcp.servers:
        yield "the tokens that mcp.yaml names, where they are issued"
    if lost.tailnet:
        yield f"its place on the tailnet: in Tailscale's console remove the machine {lost.address}"
