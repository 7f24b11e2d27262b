"""The SSH keys with which hosts reach each other: made on the hosts, only public halves travel.

What a key may do is one program, named in the line that lets it in; host keys are pinned.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from nornir.core.task import Result, Task

from inventory.catalogue import Catalogue, Host
from tasks import release, shell
from tasks.host import host_side
from tasks.live import HostKeys, parse_keys
from tasks.quote import shell as word
from tasks.release import EOF

TIMEOUT = 20.0  # seconds of silence

Found = Mapping[str, HostKeys]  # by host


@dataclass(frozen=True, kw_only=True)
class Purpose:
    """What a kind of key is for, as functions of the catalogue and a host's name.

    A host `visits` others with its key, and `admits` those that come to it with theirs; only
    together with its `company` can it be introduced to anybody. `command` is what the host
    (first) lets the other run, `known_as` the name by which a host's own keys are pinned, and
    `news` what an operator is told of a host that is not in place. Where `lends`, the key and
    its folder are for `schedule.user`, else for root.
    """

    name: str
    folder: Callable[[Host], str]
    visits: Callable[[Catalogue, str], tuple[str, ...]]
    admits: Callable[[Catalogue, str], tuple[str, ...]]
    company: Callable[[Catalogue, str], tuple[str, ...]]
    command: Callable[[Host, Host], str]
    known_as: Callable[[Host], str]
    news: Callable[[Catalogue, str], str]
    lends: bool = False

    def look_script(self, catalogue: Catalogue, host: Host) -> str:
        """The script that prints what `parse_keys` reads, changing nothing."""
        return f"(\n{self._preamble(catalogue, host)}look\n)\n"

    def read(self, task: Task, catalogue: Catalogue, host: Host) -> HostKeys:
        """The host's keys as they are."""
        return self._read(task, catalogue, host, "look\n")

    def make(self, task: Task, catalogue: Catalogue, host: Host) -> Result:
        """Nornir task: the host's HostKeys, once it has a key if it is to have one."""
        make = "make_key\n" if self.visits(catalogue, host.name) else ""
        return Result(host=task.host, result=self._read(task, catalogue, host, f"{make}look\n"))

    def install(self, task: Task, catalogue: Catalogue, host: Host, lines: "Lines") -> Result:
        """Nornir task: put `lines` in place of our earlier ones. A key without use goes."""
        goes = not self.visits(catalogue, host.name) and not lines.known
        script = "drop_key\n" if goes else _here("install_known", lines.known)
        script += _here("install_authorized", lines.authorized)
        self._read(task, catalogue, host, script)
        return Result(host=task.host, changed=True)

    def remove(self, task: Task, catalogue: Catalogue, host: Host) -> Result:
        """Nornir task: the host has no key of its own any more, and no line of ours."""
        self._read(task, catalogue, host, f"drop_key\n{_here('install_authorized', ())}")
        return Result(host=task.host, changed=True)

    def wanted(self, catalogue: Catalogue, host: Host, found: Found) -> "Lines":
        """The lines for `host`, from what the others have."""
        admitted = [catalogue.hosts[name] for name in self.admits(catalogue, host.name)]
        visited = [catalogue.hosts[name] for name in self.visits(catalogue, host.name)]
        return Lines(
            authorized=tuple(self._authorized(host, o, found[o.name].public) for o in admitted),
            known=tuple(
                f"{self.known_as(other)} {key}"
                for other in visited
                for key in found[other.name].host_keys
            ),
        )

    def is_in_place(self, catalogue: Catalogue, host: Host, found: Found) -> bool:
        have = found[host.name]
        makers = self.admits(catalogue, host.name)
        is_keyed = (have.public is not None) == bool(self.visits(catalogue, host.name))
        if not is_keyed or any(found[name].public is None for name in makers):
            return False
        return Lines.of(have) == self.wanted(catalogue, host, found)

    def _authorized(self, host: Host, other: Host, public: str | None) -> str:
        sudo = "sudo -n " if host.sudo else ""
        command = f"{sudo}{self.command(host, other)}"
        mark = f"twinedge-{self.name}:{other.name}"
        return f'restrict,from="{other.address}",command="{command}" {public or ""} {mark}'

    def _preamble(self, catalogue: Catalogue, host: Host) -> str:
        values = {
            "purpose": self.name,
            "keys": self.folder(host),
            "owner": catalogue.site.schedule.user if self.lends else "root",
            "user": host.user,
            "mask": "022" if self.lends else "077",
        }
        front = "".join(f"{name}={word(value)}\n" for name, value in values.items())
        return f"{front}{host_side('write.sh', 'keys.sh')}\n"

    def _read(self, task: Task, catalogue: Catalogue, host: Host, verbs: str) -> HostKeys:
        script = self._preamble(catalogue, host) + verbs
        output = shell.run(task, script, timeout=TIMEOUT, sudo=host.sudo)
        if output.status:
            said = output.stderr.strip() or output.stdout.strip()
            raise release.Refused(f"the {self.name}'s keys: {said}")
        return parse_keys(release.printed(host, output), self.name)


@dataclass(frozen=True, kw_only=True)
class Lines:
    """The lines that stand on one host: those that let others in, and the hosts it knows."""

    authorized: tuple[str, ...]
    known: tuple[str, ...]

    @classmethod
    def of(cls, keys: HostKeys) -> "Lines":
        return cls(authorized=keys.authorized, known=keys.known)

    def beside(self, earlier: "Lines") -> "Lines":
        """These, and behind them what was there earlier."""
        return Lines(
            authorized=tuple(dict.fromkeys((*self.authorized, *earlier.authorized))),
            known=tuple(dict.fromkeys((*self.known, *earlier.known))),
        )


def _here(verb: str, lines: Iterable[str]) -> str:
    text = "".join(f"{line}\n" for line in lines)
    return f"{verb} <<'{EOF}'\n{text}{EOF}\n"
