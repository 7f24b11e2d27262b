"""Ground: what a host has beside our files, as tasks/host/doctor.sh prints it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address

from inventory.catalogue import Catalogue, Host
from tasks.host import host_side
from tasks.listening import MAPPING
from tasks.quote import shell as word

ANY = ("0.0.0.0", "*", "[::]")
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Held:
    """A socket that listens. `owner` is a unit, a container or a process, "" where nobody knows."""

    how: str
    address: str
    port: int
    name: str
    owner: str

    @property
    def who(self) -> str:
        return f"{self.name} ({self.owner})" if self.owner else self.name


@dataclass(frozen=True, kw_only=True)
class Ground:
    """`units` maps each to (LoadState, ActiveState), `nft` is its ruleset as JSON and `iptables`
    the lines of `iptables -S`; `synchronised` is None where nobody could tell."""

    held: tuple[Held, ...] = ()
    units: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    nft: str = ""
    iptables: tuple[str, ...] = ()
    synchronised: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Door:
    """A port that a program of ours listens on: at `addresses`, as part of `unit`."""

    how: str
    port: int
    addresses: tuple[str, ...]
    unit: str

    def is_barred_by(self, held: Held) -> bool:
        """Could we not listen there beside it?"""
        here = held.address in ANY or held.address in self.addresses
        return here and (held.how, held.port) == (self.how, self.port)


def doors(host: Host, catalogue: Catalogue) -> Iterator[Door]:
    """Every port that a deploy needs on `host`."""
    own, tunnel = str(host.address), catalogue.site.tunnel
    if host.is_edge:
        yield Door(how="tcp", port=443, addresses=(own,), unit="caddy")
        if catalogue.redirects(host):
            yield Door(how="tcp", port=80, addresses=(own,), unit="caddy")
        both = (LOOPBACK, own) if catalogue.other_edges(host) else (LOOPBACK,)
        yield Door(how="tcp", port=tunnel.caddy_port, addresses=both, unit="caddy")
        yield Door(how="tcp", port=tunnel.metrics_port, addresses=(LOOPBACK,), unit="cloudflared")
    if host in catalogue.resolvers:
        for how in ("udp", "tcp"):
            yield Door(how=how, port=53, addresses=(LOOPBACK, own), unit="unbound")


def units(host: Host, catalogue: Catalogue) -> tuple[str, ...]:
    """The units that packages bring and a deploy activates."""
    return tuple(dict.fromkeys(door.unit for door in doors(host, catalogue)))


def look_script(host: Host, catalogue: Catalogue, *, clock: bool = False) -> str:
    """The script that prints what `parse` reads, beside what else prints whole lines.

    The clock takes systemd a second to tell, so only who asks for it has it.
    """
    ports = sorted({door.port for door in doors(host, catalogue)})
    verbs = ["clock_synchronised &\n"] if clock else []
    if ports:
        verbs += [f"holders {' '.join(map(str, ports))} &\n", "firewall &\n"]
    if ports and host.has_systemd:
        verbs.append(f"units_there {' '.join(map(word, units(host, catalogue)))} &\n")
    return f"{host_side('doctor.sh')}{''.join(verbs)}" if verbs else ""


def parse(text: str) -> Ground:
    """What doctor.sh printed, and the ports that docker's containers publish."""
    lines = [line.partition(" ")[::2] for line in text.splitlines()]

    def all_of(kind: str) -> list[str]:
        return [rest for found, rest in lines if found == kind]

    told = next((rest for rest in all_of("synchronised") if rest in ("yes", "no")), None)
    return Ground(
        held=(*_held(all_of("held")), *_published(all_of("publishes"))),
        units={
            name: (loaded, active)
            for name, loaded, active in (rest.split() for rest in all_of("unit"))
        },
        nft="".join(all_of("nft")),
        iptables=tuple(all_of("iptables")),
        synchronised=None if told is None else told == "yes",
    )


def _held(lines: Sequence[str]) -> Iterator[Held]:
    for line in lines:
        socket, name, owner = line.split("\t")
        how, _, at = socket.partition(" ")
        address, _, port = at.rpartition(":")
        yield Held(
            how=how,
            address=address.partition("%")[0],
            port=int(port),
            name=name or "something",
            owner=owner,
        )


def _published(lines: Sequence[str]) -> Iterator[Held]:
    """docker may publish without a socket: it leads packets elsewhere."""
    for line in lines:
        container, _, mappings = line.partition(" ")
        for mapping in MAPPING.finditer(mappings):
            address = ip_address(mapping["address"].strip("[]"))
            first = int(mapping["first"])
            for port in range(first, int(mapping["last"] or first) + 1):
                yield Held(
                    how=mapping["how"],
                    address=str(address) if isinstance(address, IPv4Address) else f"[{address}]",
                    port=port,
                    name="docker",
                    owner=f"container {container}",
                )
