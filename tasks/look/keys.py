"""The stand-ins' keys: each may run one program on every host, the look."""

from inventory.catalogue import Catalogue
from tasks.keys import Purpose
from tasks.ssh.options import LOOK_FOLDER


def _visits(catalogue: Catalogue, host: str) -> tuple[str, ...]:
    return tuple(catalogue.hosts) if host in catalogue.site.schedule.juniors else ()


def _admits(catalogue: Catalogue, _: str) -> tuple[str, ...]:
    return catalogue.site.schedule.juniors


def _news(catalogue: Catalogue, host: str) -> str:
    juniors = catalogue.site.schedule.juniors
    who = " and ".join(juniors) or "nobody"
    own = "would get a key that may only look, and " if host in juniors else "would "
    return f"{own}let {who} look, as a stand-in"


LOOK = Purpose(
    name="look",
    folder=lambda _: LOOK_FOLDER,
    visits=_visits,
    admits=_admits,
    company=lambda catalogue, host: tuple(name for name in catalogue.hosts if name != host),
    command=lambda host, _: host.look,
    known_as=lambda host: str(host.address),
    news=_news,
    lends=True,
)
