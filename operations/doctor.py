"""What would be in a deploy's way: everything at once, and nothing is written anywhere."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nornir.core.task import Result, Task

from inventory.catalogue import Catalogue, Host
from inventory.errors import Exit
from inventory.secrets import named
from operations.edge import Answers, Edge
from tasks import release, unbound
from tasks.checks.finding import Finding, Status
from tasks.configs.file import ConfigFile
from tasks.configs.render import render_configs
from tasks.doctor import ground, host, own_lines, site
from tasks.host import host_side
from tasks.plan import make_plan
from tasks.shell import Unreachable

UNREAD = "cmd:echo '{}'"  # stands for a secret that nobody has, so that all else can be looked at


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All findings, the site's first."""

    findings: tuple[Finding, ...]

    def verdict(self, *, strict: bool) -> Exit:
        """The exit status: as verify's."""
        statuses = {finding.status for finding in self.findings}
        if Status.FAILED in statuses or (strict and Status.WARN in statuses):
            return Exit.FAILED
        return Exit.UNREACHABLE if Status.UNREACHABLE in statuses else Exit.OK


def examine(edge: Edge) -> Diagnosis:
    """Look at the site and at every selected host, whatever the others say."""
    here = socket.gethostname()
    of_site = tuple(site.judge(edge.catalogue, here))
    catalogue = _readable(edge.catalogue)
    label = edge.source.label
    files: Mapping[str, Sequence[ConfigFile]] = edge.run(
        lambda task: render_configs(task, catalogue, label)
    ).done

    def look(task: Task) -> Result:
        one = catalogue.hosts[task.host.name]
        beside = ground.look_script(one, catalogue, clock=True)
        also = also_asked(one, catalogue, files[one.name])
        return release.look(task, one, files[one.name], also, beside)

    seen = edge.run(look)
    of_hosts = (
        finding
        for one in edge.hosts
        for finding in _of_host(edge, one, files[one.name], seen, here)
    )
    return Diagnosis(findings=(*of_site, *of_hosts))


def also_asked(one: Host, catalogue: Catalogue, files: Sequence[ConfigFile]) -> str:
    """The script that prints what the judges need beside the look and the ground, before `files`
    are put there."""
    script = f"{host_side('listening.sh')}listening\n"
    if one in catalogue.resolvers:
        script += f"{host_side('unbound.sh')}{unbound.look_script(one, catalogue)}"
    return script + own_lines.look_script(files)


def _readable(catalogue: Catalogue) -> Catalogue:
    """`catalogue`, whose secrets can be had: its own, unless one is missing."""
    if not any(one.renders and one.trouble for one in named(catalogue)):
        return catalogue
    tunnel = replace(catalogue.site.tunnel, credentials=UNREAD)
    mcp = replace(catalogue.mcp, servers={})
    return replace(catalogue, site=replace(catalogue.site, tunnel=tunnel), mcp=mcp)


def _of_host(
    edge: Edge, one: Host, files: Sequence[ConfigFile], seen: Answers, here: str
) -> Iterator[Finding]:
    error = seen.errors.get(one.name)
    lost = isinstance(error, Unreachable)
    bad = Status.UNREACHABLE if lost else Status.FAILED
    yield Finding(
        check="login",
        subject=one.name,
        vantage=here,
        status=bad if error else Status.OK,
        seen=str(error or "logged in, and it is the right host"),
        expected="a login over SSH as the inventory says, on the host that has the address",
        host=one.name,
        hop=f"host {one.name}",
        todo=f"is it up, and on the tailnet? tailscale status; ssh {one.user}@{one.address} true"
        if lost
        else "",
    )
    if error is None:
        plan = make_plan(one.name, edge.source, files, seen.done[one.name])
        yield from host.judge(plan, one, edge.catalogue)
