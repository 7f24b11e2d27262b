"""What is in a deploy's way on one host: each fault with the way out.

A finding that FAILED is one with which a deploy would certainly fail; a WARN may.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from inventory.catalogue import Catalogue, Host
from tasks import listening
from tasks.checks.finding import Finding, Status
from tasks.configs import caddy
from tasks.configs.file import MADE_BY
from tasks.doctor import firewall, ground, own_lines
from tasks.doctor.ground import Door, Held
from tasks.live import HostState
from tasks.plan import FileChange, HostPlan
from tasks.tools import TOOLS

PACKAGES = {
    "caddy": "Caddy's own packages bring it, https://caddyserver.com/docs/install",
    "cloudflared": "it runs `cloudflared --no-autoupdate --config /etc/cloudflared/config.yml "
    "tunnel run` (README, 'Your own hosts')",
    "unbound": "apt install unbound",
}
OPEN = {
    "ufw": "ufw allow in on tailscale0",
    "iptables' INPUT": "iptables -I INPUT -i tailscale0 -j ACCEPT, also where a boot reads it",
    "nft's table inet firewalld": "firewall-cmd --permanent --zone=trusted "
    "--add-interface=tailscale0 && firewall-cmd --reload",
}
NFT = "a rule `iifname tailscale0 accept` in front, in /etc/nftables.conf"


def judge(plan: HostPlan, host: Host, catalogue: Catalogue) -> Iterator[Finding]:
    """Everything on `host`, of one look; where all is well, that."""
    for check, judges in CHECKS.items():
        found = list(judges(plan, host, catalogue))
        yield from found or [_well(check, host)]


def judged(plan: HostPlan, catalogue: Catalogue) -> HostPlan:
    """`plan` with what is in its way."""
    return replace(plan, findings=tuple(judge(plan, catalogue.hosts[plan.host], catalogue)))


def in_words(finding: Finding) -> str:
    """What was seen, and the way out."""
    return f"{finding.seen}{f': {finding.todo}' if finding.todo else ''}"


def _well(check: str, host: Host) -> Finding:
    return _finding(check, host, Status.OK, seen="nothing is in the way")


def _finding(
    check: str, host: Host, status: Status, *, seen: str, todo: str = "", subject: str = ""
) -> Finding:
    return Finding(
        check=check,
        subject=f"{subject or check} on {host.name}",
        vantage=host.name,
        status=status,
        seen=seen,
        expected="nothing in the way of a deploy",
        host=host.name,
        hop=f"host {host.name}",
        todo=todo,
    )


def _programs(plan: HostPlan, host: Host, _: Catalogue) -> Iterator[Finding]:
    for name, version in sorted(plan.state.tools.items()):
        tool = TOOLS[name]
        if version is None:
            yield _finding(
                "programs", host, Status.WARN, subject=name,
                seen=f"{name} is not installed", todo=f"{tool.without}; {tool.way}",
            )  # fmt: skip
        elif tool.is_older(version):
            yield _finding(
                "programs", host, Status.FAILED, subject=name,
                seen=f"{name} {version} on {host.name} is too old",
                todo=f"{tool.least} is needed; {tool.way}",
            )  # fmt: skip


def _units(plan: HostPlan, host: Host, catalogue: Catalogue) -> Iterator[Finding]:
    for unit in ground.units(host, catalogue) if host.has_systemd else ():
        loaded, _ = plan.state.ground.units.get(unit, ("loaded", ""))
        if loaded == "masked":
            yield _finding(
                "units", host, Status.FAILED, subject=unit,
                seen=f"the unit {unit} is masked", todo=f"systemctl unmask {unit}",
            )  # fmt: skip
        elif loaded != "loaded":
            yield _finding(
                "units", host, Status.FAILED, subject=unit,
                seen=f"there is no unit {unit} ({loaded})", todo=PACKAGES[unit],
            )  # fmt: skip


def _ports(plan: HostPlan, host: Host, catalogue: Catalogue) -> Iterator[Finding]:
    told: set[tuple[int, str]] = set()
    for door in ground.doors(host, catalogue):
        held = _holder(door, host, plan.state)
        if held and (door.port, held.who) not in told:
            told.add((door.port, held.who))
            yield _finding(
                "ports", host, Status.FAILED, subject=f"port {door.port}",
                seen=f"port {door.port}, which {door.unit} needs, is held by {held.who}",
                todo=_make_room(door, held),
            )  # fmt: skip


def _holder(door: Door, host: Host, state: HostState) -> Held | None:
    """Who certainly has the port in our unit's place. A container is named before its proxy.

    Without systemd nobody knows which process is our unit's.
    """
    if not host.has_systemd:
        return None
    others = [
        held
        for held in state.ground.held
        if door.is_barred_by(held) and not _is_perhaps_ours(door, held)
    ]
    return min(others, key=lambda held: not held.owner.startswith("container"), default=None)


def _is_perhaps_ours(door: Door, held: Held) -> bool:
    if held.owner.startswith("pid "):  # in no unit that could be read
        return held.name == door.unit
    return held.owner in ("", f"{door.unit}.service")


def _make_room(door: Door, held: Held) -> str:
    if held.owner.startswith("container"):
        name = held.owner.removeprefix("container ")
        out = f"publish another port, or docker stop {name}"
    elif held.owner.endswith(".service"):
        out = f"give it another port or address, or systemctl disable --now {held.owner}"
    else:
        out = "end it, or give it another port or address"
    keep = "; `redirect: false` under data of this host leaves it port 80"
    return out + (keep if door.port == 80 else "")


def _firewall(plan: HostPlan, host: Host, catalogue: Catalogue) -> Iterator[Finding]:
    if not host.tailnet:
        return
    source = next((str(o.address) for o in catalogue.hosts.values() if o != host), "100.64.0.1")
    for how, port in (("tcp", 443), ("udp", 53)):
        if not any((door.how, door.port) == (how, port) for door in ground.doors(host, catalogue)):
            continue
        packet = firewall.Packet(how=how, port=port, source=source, target=str(host.address))
        closed = firewall.closed_by(plan.state.ground, packet)
        if closed:
            way = next((way for known, way in OPEN.items() if closed.startswith(known)), NFT)
            yield _finding(
                "firewall", host, Status.WARN, subject=f"port {port}",
                seen=f"{closed} closes port {port} to the tailnet", todo=way,
            )  # fmt: skip


def _neighbours(plan: HostPlan, host: Host, catalogue: Catalogue) -> Iterator[Finding]:
    """Services and configs of others that take something from what ours promise."""
    for words in (
        *caddy.warnings(host, catalogue),
        *listening.warnings(host, catalogue, plan.state.listening),
        *plan.state.unbound_clashes,
    ):
        yield _finding("neighbours", host, Status.WARN, seen=words)


def _own_lines(plan: HostPlan, host: Host, catalogue: Catalogue) -> Iterator[Finding]:
    adapted = plan.state.adapted
    for key, words in own_lines.problems(adapted, host, catalogue) if host.is_edge else ():
        yield _finding("own lines", host, Status.FAILED, subject=key, seen=f"{key}: {words}")
    for key, words in own_lines.effects(adapted, host, catalogue):
        yield _finding("own lines", host, Status.WARN, subject=key, seen=f"{key}: {words}")


def _clock(plan: HostPlan, host: Host, _: Catalogue) -> Iterator[Finding]:
    if plan.state.ground.synchronised is False:
        yield _finding(
            "clock", host, Status.WARN,
            seen="its time is not synchronised",
            todo="timedatectl set-ntp true, or chrony; a sync takes the newer of two changes",
        )  # fmt: skip


def _files(plan: HostPlan, host: Host, _: Catalogue) -> Iterator[Finding]:
    if plan.state.unmounted:
        yield _finding("files", host, Status.FAILED, seen=plan.state.unmounted_words)
    for change in plan.odd:
        yield _finding(
            "files", host, Status.FAILED, subject=change.config.path,
            seen=f"{change.config.path} is not a plain file",
            todo="twinedge replaces no link, folder or device: move it away",
        )  # fmt: skip
    theirs = [change.config.path for change in plan.changes if _is_anothers(change)]
    if theirs:
        yield _finding(
            "files", host, Status.WARN,
            seen=f"{', '.join(theirs)}: not twinedge's, and a deploy replaces it",
            todo="keep a copy of what you still need (deploy.py shows the difference)",
        )  # fmt: skip


def _is_anothers(change: FileChange) -> bool:
    """Did neither a release of this host nor an earlier twinedge write what is there?"""
    live = change.live
    known = change.claimed is not None or live.made_by is not None
    return live.kind == "file" and not known and MADE_BY not in (live.text or "")


CHECKS: dict[str, Callable[[HostPlan, Host, Catalogue], Iterator[Finding]]] = {
    "programs": _programs,
    "units": _units,
    "ports": _ports,
    "firewall": _firewall,
    "neighbours": _neighbours,
    "own lines": _own_lines,
    "clock": _clock,
    "files": _files,
}
