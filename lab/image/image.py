"""What each host of a lab boots from: chosen when the lab is made, written down for its life."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from lab.errors import UsageError
from lab.image import cache, containers
from lab.image.layer import DISTRIBUTIONS, MACHINE, Software, layer, python
from lab.kernel.cgroup import Group
from lab.options import Options
from lab.state import State
from lab.topology import Topology

FILE = "images.json"
PACKAGES = ("caddy",)  # Debian's own: it brings a unit, a user and a configuration


@dataclass(frozen=True)
class Image:
    """One host's software: a layer of the cache, and its own Python environment, if it has one."""

    layer: str
    venv: str = ""

    @classmethod
    def of(cls, state: State, host: str) -> "Image":
        match state.read(FILE):
            case dict(images) if host in images:
                return cls(**images[host])
        return cls(layer="")


def choose(known: Topology, options: Options) -> dict[str, Software]:
    """The software of each host. Raises UsageError for what there is not."""
    distributions = _by_host(known, options.distribution, DISTRIBUTIONS)
    packages = _by_host(known, options.package, PACKAGES)
    contained = {each.host for each in known.origins if each.is_container}
    return {
        name: Software(
            distribution=distributions.get(name, MACHINE),
            beside=(
                *(packages[each] for each in (name,) if each in packages),
                *(containers.PACKAGES if name in contained else ()),
            ),
        )
        for name in known.machines
    }


def obtain(
    state: State,
    chosen: Mapping[str, Software],
    *,
    group: Group,
    lab_lock: int,
    say: Callable[[str], None],
) -> tuple[dict[str, Image], list[int]]:
    """Every host's image, built where it is not in the cache, and what keeps them there."""
    made: dict[Software, Image] = {}
    locks = []
    for software in dict.fromkeys(chosen.values()):
        root = layer(software)
        entries = [root]
        if software.is_whole:
            entries.append(python(state.checkout, root))
        locks += [cache.obtain(e, group=group, lab_lock=lab_lock, say=say) for e in entries]
        made[software] = Image(*[str(entry.folder) for entry in entries])
    images = {host: made[software] for host, software in chosen.items()}
    state.write(FILE, {host: asdict(image) for host, image in images.items()})
    return images, locks


def _by_host(known: Topology, asked: str, allowed: Sequence[str]) -> dict[str, str]:
    """`NAME` or `HOST=NAME,...` as a name by host; what stands later wins."""
    by_host: dict[str, str] = {}
    for part in filter(None, asked.split(",")):
        host, _, name = part.rpartition("=")
        if name not in allowed:
            raise UsageError(f"the lab has no '{name}' for a host (there is: {', '.join(allowed)})")
        by_host |= dict.fromkeys([known.machine(host).name] if host else known.machines, name)
    return by_host
