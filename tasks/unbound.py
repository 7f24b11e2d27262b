"""unbound's whole configuration: what other files take from what ours promises."""

from collections.abc import Iterator

from inventory.catalogue import Catalogue, Host
from tasks.quote import shell as word


def question(host: Host, catalogue: Catalogue) -> tuple[str, ...]:
    """The words that ask it of a host, where the text of unbound.sh is in front."""
    trees = (sync.directory for sync in catalogue.syncs_of(host.name))
    return "unbound_beside", host.paths.resolver, *trees


def look_script(host: Host, catalogue: Catalogue) -> str:
    return f"{' '.join(word(part) for part in question(host, catalogue))}\n"


def clashes(text: str) -> Iterator[str]:
    """What unbound.sh printed, in words; nothing where all is ours."""
    for line in text.splitlines():
        match line.split():
            case ["unbound", "port", port, *files]:
                yield f"unbound listens on port {port} ({_named(files)}), and names are asked at 53"
            case ["unbound", "forwards", *files]:
                yield (
                    f"{_named(files)} forwards all names, too: of the two unbound uses one, "
                    "and says so in its log alone"
                )


def _named(files: list[str]) -> str:
    return ", ".join(files) or "a file of unbound's"
