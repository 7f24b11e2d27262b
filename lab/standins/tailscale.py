"""The lab's stand-in for the tailscale command: tells the lab's own mesh in its words."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.standins.mesh import Mesh, MeshError, MeshHost, read_mesh

VERSION = "1.80.0\n  twinedge lab stand-in for tailscale, its mesh is the lab's bridge"
NEVER = "0001-01-01T00:00:00Z"  # tailscale's zero time
RELAY = "lab"
FILTERS = ["off", "nodivert", "on"]  # in the order of tailscale's own numbers
PREFS = Path("/run/tailscale-lab-netfilter-mode")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def status(mesh: Mesh, arguments: argparse.Namespace) -> int:
    print(json.dumps(_status(mesh), indent=2) if arguments.json else _status_text(mesh))
    return 0


def dns(mesh: Mesh, arguments: argparse.Namespace) -> int:
    routes = {mesh.domain: [{"Addr": resolver} for resolver in mesh.resolvers]}
    told = {"TailscaleDNS": True, "SplitDNSRoutes": routes, "SystemDNS": {"Nameservers": []}}
    text = f"Tailscale DNS: enabled.\n{mesh.domain} -> {', '.join(mesh.resolvers)}"
    print(json.dumps(told, indent=2) if arguments.json else text)
    return 0


def address(mesh: Mesh, _: argparse.Namespace) -> int:
    print(mesh.me.address)
    return 0


def prefs(_: Mesh, __: argparse.Namespace) -> int:
    """The one preference that the lab keeps. No filter stands behind it here."""
    try:
        mode = PREFS.read_text(encoding="utf-8")
    except FileNotFoundError:
        mode = "on"
    print(json.dumps({"NetfilterMode": FILTERS.index(mode)}, indent=2))
    return 0


def set_prefs(_: Mesh, arguments: argparse.Namespace) -> int:
    PREFS.write_text(arguments.netfilter_mode, encoding="utf-8")
    return 0


def ping(mesh: Mesh, arguments: argparse.Namespace) -> int:
    """Ping until a direct answer, or `-c` times; the status tells as tailscale's own does."""
    host = mesh.find(arguments.target)
    answered = False
    for _ in range(arguments.c):
        milliseconds = _icmp(host, arguments.timeout)
        if milliseconds is None:
            print(f'ping "{host.address}" timed out')
            continue
        answered = True
        via = host.direct or f"DERP({RELAY})"
        print(f"pong from {host.name} ({host.address}) via {via} in {milliseconds}ms")
        if host.direct and arguments.until_direct:
            return 0
    return _verdict(host, answered=answered, until_direct=arguments.until_direct)


def _verdict(host: MeshHost, *, answered: bool, until_direct: bool) -> int:
    if not answered:
        print("no reply", file=sys.stderr)
    elif until_direct and not host.direct:
        print("direct connection not established", file=sys.stderr)
    else:
        return 0
    return 1


def _icmp(host: MeshHost, timeout: float) -> int | None:
    command = ["/usr/bin/ping", "-n", "-c", "1", "-W", str(timeout), host.address]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"time=([\d.]+) ms", answer.stdout)
    return max(1, round(float(found[1]))) if found and answer.returncode == 0 else None


def _status(mesh: Mesh) -> Mapping[str, Any]:
    warnings = [] if mesh.me.port_up else ["Unable to connect to the lab's mesh: port is down"]
    return {
        "Version": VERSION.replace("\n ", ""),
        "BackendState": "Running",
        "Health": warnings,
        "MagicDNSSuffix": mesh.domain,
        "Self": _node(mesh.me, online=mesh.me.port_up),
        "Peer": {_key(peer): _node(peer, online=mesh.online(peer)) for peer in mesh.peers},
    }


def _node(host: MeshHost, *, online: bool) -> Mapping[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "HostName": host.name,
        "DNSName": f"{host.name}.",
        "OS": "linux",
        "TailscaleIPs": [host.address],
        "Online": online,
        "CurAddr": host.direct if online else "",
        "Relay": RELAY,
        "LastHandshake": now if online else NEVER,
        "Expired": host.expired,
        "KeyExpiry": host.key_expiry.isoformat(),
    }


def _key(host: MeshHost) -> str:
    return f"nodekey:{hashlib.sha256(host.name.encode()).hexdigest()}"


def _status_text(mesh: Mesh) -> str:
    lines = [_line(mesh.me, "-")]
    for peer in mesh.peers:
        path = f"direct {peer.direct}" if peer.direct else f'relay "{RELAY}"'
        lines.append(_line(peer, f"active; {path}" if mesh.online(peer) else "offline"))
    return "\n".join(lines)


def _line(host: MeshHost, state: str) -> str:
    return f"{host.address:<15} {host.name:<20} lab@  linux  {state}"


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(ms|s|m)", text)
    if not found:
        raise ValueError(f"{text!r} is not a duration such as 2s")
    return float(found[1]) * _UNITS[found[2]]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tailscale", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("version").set_defaults(run=None)
    command = commands.add_parser("status")
    command.add_argument("--json", action="store_true")
    command.set_defaults(run=status)
    command = commands.add_parser("dns")
    command.add_argument("what", choices=["status"])
    command.add_argument("--json", action="store_true")
    command.set_defaults(run=dns)
    command = commands.add_parser("debug")
    command.add_argument("what", choices=["prefs"])
    command.set_defaults(run=prefs)
    command = commands.add_parser("set")
    command.add_argument("--netfilter-mode", choices=FILTERS, required=True)
    command.set_defaults(run=set_prefs)
    command = commands.add_parser("ip")
    command.add_argument("-4", action="store_true", dest="four")
    command.set_defaults(run=address)
    _ping_arguments(commands.add_parser("ping"))
    return parser.parse_args()


def _ping_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("-c", type=int, default=10)
    command.add_argument("--timeout", type=_seconds, default=5.0)
    command.add_argument("--until-direct", type=lambda text: text == "true", default=True)
    command.add_argument("target")
    command.set_defaults(run=ping)


def main() -> int:
    arguments = _arguments()
    if arguments.run is None:
        print(VERSION)
        return 0
    try:
        result: int = arguments.run(read_mesh(), arguments)
    except MeshError as error:
        print(error, file=sys.stderr)
        return 1
    return result


if __name__ == "__main__":
    raise SystemExit(main())
