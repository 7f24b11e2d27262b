"""The topology as a picture: each hop a chip, coloured as the last look found it. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from inventory.appliance import Appliance
from inventory.catalogue import Host, Service
from journal.page.present import Cell, Present

# The picture's own units; it scales to the page. A phone shows it at about nine tenths.
FRAME, BETWEEN, EDGE = 176, 30, 6  # width of a host, room between two, margin
PAD, CHIP, GAP, HEAD = 8, 28, 6, 42  # inside a host
CLOUD_TOP, CLOUD_WIDTH = 4, 190
HOSTS_TOP = 72
LETTER = 6.8  # width of one, on average, in the widest of the usual fonts
MESH = 64  # room for the mesh between the edges and the others
WORST = ("bad", "along", "warn", "unknown", "ok")


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A hop: a box with a word, and how it is."""

    x: int
    y: int
    width: int
    label: str
    cell: Cell

    @property
    def middle(self) -> int:
        return self.x + self.width // 2

    @property
    def short(self) -> str:
        """As much of the label as there is room for."""
        return clipped(self.label, int((self.width - 28) / LETTER))


def clipped(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1].rstrip()}…"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A host: a box around its hops."""

    x: int
    y: int
    width: int
    height: int
    name: str
    address: str
    chips: Sequence[Chip]

    @property
    def middle(self) -> int:
        return self.x + self.width // 2

    @property
    def bottom(self) -> int:
        return self.y + self.height


@dataclass(frozen=True, kw_only=True)
class Line:
    """A way from one hop to the next."""

    x1: int
    y1: int
    x2: int
    y2: int
    cell: Cell


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Everything that is drawn."""

    width: int
    height: int
    cloud: Chip
    frames: Sequence[Frame]
    lines: Sequence[Line]
    mesh_y: int

    @property
    def middle(self) -> int:
        return self.width // 2

    @property
    def chips(self) -> list[Chip]:
        return [self.cloud, *(chip for frame in self.frames for chip in frame.chips)]


def draw(present: Present) -> Picture:
    """The edges side by side below Cloudflare, the other hosts below the mesh."""
    catalogue = present.catalogue
    edges = catalogue.edges
    others = [h for h in catalogue.hosts.values() if not h.is_edge]
    shown: list[Host | Appliance] = [*others, *catalogue.appliances.values()]
    width = 2 * EDGE + len(edges) * FRAME + (len(edges) - 1) * BETWEEN
    above = [
        _frame(present, edge, EDGE + n * (FRAME + BETWEEN), HOSTS_TOP, FRAME, halves=False)
        for n, edge in enumerate(edges)
    ]
    bottom = max(frame.bottom for frame in above)
    below, y = [], bottom + (MESH if shown else 0)
    for host in shown:
        below.append(_frame(present, host, EDGE, y, width - 2 * EDGE, halves=True))
        y = below[-1].bottom + GAP
    cloud = Chip(
        x=(width - CLOUD_WIDTH) // 2,
        y=CLOUD_TOP,
        width=CLOUD_WIDTH,
        label="Cloudflare, Access",
        cell=present.hop(check="access"),
    )
    return Picture(
        width=width,
        height=max(bottom, y) + EDGE,
        cloud=cloud,
        frames=[*above, *below],
        lines=[*_lines(present, cloud, above, below[: len(others)])],
        mesh_y=bottom + MESH // 2 + 4,
    )


def _frame(
    present: Present, host: Host | Appliance, x: int, y: int, width: int, *, halves: bool
) -> Frame:
    rows = list(_rows(present, host, halves=halves))
    chips = []
    for m, row in enumerate(rows):
        columns = 2 if halves else len(row)
        each = (width - 2 * PAD - (columns - 1) * GAP) // columns
        for n, (label, cell) in enumerate(row):
            left, top = x + PAD + n * (each + GAP), y + HEAD + m * (CHIP + GAP)
            chips.append(Chip(x=left, y=top, width=each, label=label, cell=cell))
    height = HEAD + len(rows) * (CHIP + GAP) + PAD - GAP
    return Frame(
        x=x, y=y, width=width, height=height, name=host.name, address=_address(host), chips=chips
    )


def _address(host: Host | Appliance) -> str:
    return str(host.address) if isinstance(host, Host) else f"{host.address}, no SSH"


def _rows(
    present: Present, host: Host | Appliance, *, halves: bool
) -> Iterator[list[tuple[str, Cell]]]:
    """The chips of a host, row by row; services two in a row where there is room."""
    catalogue = present.catalogue

    def check(label: str, name: str) -> tuple[str, Cell]:
        return label, present.hop(check=name, host=host.name)

    if isinstance(host, Appliance):
        yield [check("Host", "host")]
    else:
        yield from _own(present, host, check)
    own = [
        (
            _title(service, host.name),
            present.hop(check="service", service=service.name, host=host.name),
        )
        for service in catalogue.web_services
        if host.name in service.placements
    ]
    step = 2 if halves else 1
    for n in range(0, len(own), step):
        yield own[n : n + step]


def _own(
    present: Present, host: Host, check: Callable[[str, str], tuple[str, Cell]]
) -> Iterator[list[tuple[str, Cell]]]:
    """What is on a host beside its services."""
    catalogue = present.catalogue
    if host.is_edge:
        yield [check("Tunnel", "tunnel")]
        yield [check("Caddy", "caddy")]
    pairs = [check("DNS", "dns")] if host in catalogue.resolvers else []
    pairs += [check("Sync", "sync")] if catalogue.syncs_of(host.name) else []
    if pairs:
        yield pairs
    yield [check("Host", "host"), check("Config", "config")]


def _title(service: Service, host: str) -> str:
    """The first in line is marked, where it matters which one it is."""
    return f"{service.title} ①" if service.primary == host and service.fallback else service.title


def _lines(
    present: Present, cloud: Chip, above: Sequence[Frame], below: Sequence[Frame]
) -> Iterator[Line]:
    for frame in above:
        tunnel = frame.chips[0]
        yield Line(
            x1=cloud.middle, y1=cloud.y + CHIP, x2=frame.middle, y2=frame.y, cell=tunnel.cell
        )
    for left, right in pairwise(above):
        y = left.chips[1].y + CHIP // 2
        cell = _mesh(present, left.name, right.name)
        yield Line(x1=left.x + left.width, y1=y, x2=right.x, y2=y, cell=cell)
    for frame in below[:1]:
        for edge in above:
            cell = _mesh(present, edge.name, frame.name)
            yield Line(x1=edge.middle, y1=edge.bottom, x2=frame.middle, y2=frame.y, cell=cell)


def _mesh(present: Present, one: str, other: str) -> Cell:
    """The way between two hosts, as both see it."""
    sides = [present.hop(hop=f"mesh {a} to {b}") for a, b in ((one, other), (other, one))]
    return min(sides, key=lambda cell: WORST.index(cell.look))
