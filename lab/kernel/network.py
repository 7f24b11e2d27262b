"""The lab's two networks: bridges in the keeper, one port per host, and what cuts them."""

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.topology import Machine

FORWARDING, DISABLED = "3", "0"  # states of a bridge port; 0 drops silently, as a mesh does
NOWHERE = "02:00:00:00:00:00"


@dataclass(frozen=True, kw_only=True)
class Network:
    """The switch, and the namespaces of the hosts; `keeper` is the pid that holds them."""

    keeper: int
    folder: Path  # with one namespace file per host, seen by the keeper only

    def join_host(self, machine: Machine, tailnet: Mapping[str, str]) -> None:
        """Plugs the host into its networks. All peers are known in advance, so that a
        cut is silence and not "no route to host"."""
        self._ip(None, _cables(machine, self.folder))
        self._ip(machine.name, _addresses(machine, tailnet))

    def set_ports(self, ports: Mapping[str, bool]) -> None:
        """By address: does the port of the host that has it pass packets?"""
        # `ip link set ... bridge_slave state` is taken and has no effect: only bridge(8) does it.
        states = [
            f"link set dev {port_name(address)} state {FORWARDING if up else DISABLED}"
            for address, up in ports.items()
        ]
        self._batch("bridge", None, states)

    def set_pair(self, one: Machine, other: Machine, *, joined: bool) -> None:
        """Cuts or joins two hosts of the tailnet, leaving all others as they are."""
        for here, there in ((one, other), (other, one)):
            mac = mac_address(there.tailnet or "") if joined else NOWHERE
            self._ip(here.name, [_neighbour(there.tailnet or "", mac)])

    def set_latency(self, name: str, milliseconds: float) -> None:
        """Delays what the host sends on the tailnet; 0 ends it."""
        verb = "replace" if milliseconds else "del"
        delay = f" netem delay {milliseconds:g}ms" if milliseconds else ""
        command = f"tc qdisc {verb} dev tailscale0 root{delay}".split()
        done = self._inside(name, command)
        if done.returncode and milliseconds:
            raise LabError(
                "this machine's kernel cannot delay packets (no sch_netem); "
                f"use another fault. tc said: {done.stderr.strip()}"
            )

    def _ip(self, host: str | None, lines: Iterable[str]) -> None:
        self._batch("ip", host, lines)

    def _batch(self, program: str, host: str | None, lines: Iterable[str]) -> None:
        done = self._inside(host, [program, "-batch", "-"], stdin="\n".join(lines) + "\n")
        if done.returncode:
            raise LabError(
                f"network of {host or 'the switch'}: {done.stderr.strip()}; "
                "`python -m lab down` and `up` build it anew"
            )

    def _inside(
        self, host: str | None, command: list[str], *, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        enter = ["nsenter", "-t", str(self.keeper), "-m", "-n", "--"]
        if host:
            enter += ["nsenter", f"--net={self.folder / host}", "--"]
        return subprocess.run([*enter, *command], input=stdin, text=True, capture_output=True)


def mac_address(address: str) -> str:
    """A host's link address, from its tailnet address: known to all without asking."""
    return "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def port_name(address: str) -> str:
    """The switch's end of a cable; a host's name may be longer than a link's can be."""
    return "port-" + "".join(f"{int(part):02x}" for part in address.split("."))


def _cables(machine: Machine, folder: Path) -> list[str]:
    namespace = folder / machine.name
    port = port_name(machine.internet)
    lines = [
        f"link add {port} type veth peer name eth0 netns {namespace}",
        f"link set {port} master internet up",
    ]
    if machine.tailnet:
        mac, port = mac_address(machine.tailnet), port_name(machine.tailnet)
        lines += [
            f"link add {port} type veth peer name tailscale0 address {mac} netns {namespace}",
            f"link set {port} master tailnet up",
        ]
    return lines


def _addresses(machine: Machine, tailnet: Mapping[str, str]) -> list[str]:
    lines = [f"address add {machine.internet}/24 dev eth0", "link set eth0 up"]
    if machine.tailnet:
        lines += [f"address add {machine.tailnet}/10 dev tailscale0", "link set tailscale0 up"]
        lines += [
            _neighbour(address, mac_address(address))
            for name, address in tailnet.items()
            if name != machine.name
        ]
    return lines


def _neighbour(address: str, mac: str) -> str:
    return f"neighbour replace {address} lladdr {mac} nud permanent dev tailscale0"
