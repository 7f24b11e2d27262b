"""Survey: everything that one verify asked and heard, for pure checks to judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from inventory.catalogue import Catalogue, Host, Service
from outside.client import CloudError
from outside.plan import Outlook
from tasks import served
from tasks.checks.refusal import Refusals
from tasks.lookup import DnsAnswer
from tasks.observe import Observation, Reply
from tasks.plan import HostPlan
from tasks.probe import Answer
from tasks.served import Served

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What was asked for (`hosts`, `services`) and what was heard from `here`.

    A pair is (service, host). `direct` and `routes` were asked from the control node,
    `strangers` and `guests` (with the service token) through Cloudflare; `guards` tell which
    application is in front there, signed with one of the team's `keys`. `names` are of (further
    name, edge), `strangers_as` by further name. `doors` tell
    of (host, address, port) whether anything took a connection from here. `lost` tells why
    a host could not be looked at; `refused` are those of them that did answer. `outside` is what
    Cloudflare's API said, or why it said nothing; None where it was not asked.
    """

    catalogue: Catalogue
    here: str
    hosts: tuple[Host, ...]
    services: tuple[Service, ...]
    timeout: float = 5.0
    seen: Mapping[str, Observation] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    plans: Mapping[str, HostPlan] = field(default_factory=dict)
    direct: Mapping[Pair, Answer] = field(default_factory=dict)
    routes: Mapping[Pair, Answer] = field(default_factory=dict)
    names: Mapping[Pair, Answer] = field(default_factory=dict)
    admin: Mapping[str, Answer] = field(default_factory=dict)
    doors: Mapping[tuple[str, str, int], bool] = field(default_factory=dict)
    strangers: Mapping[str, Answer] = field(default_factory=dict)
    strangers_as: Mapping[str, Answer] = field(default_factory=dict)
    guests: Mapping[str, Answer] = field(default_factory=dict)
    guards: Mapping[str, Answer] = field(default_factory=dict)
    keys: Answer | None = None
    refusals: Refusals = field(default_factory=dict)
    records: Mapping[tuple[str, str, str], DnsAnswer] = field(default_factory=dict)
    outside: Outlook | CloudError | None = None

    @cached_property
    def web_services(self) -> tuple[Service, ...]:
        return tuple(service for service in self.services if service.kind == "http")

    @property
    def edges(self) -> tuple[Host, ...]:
        """The selected edges that could be looked at."""
        return tuple(h for h in self.hosts if h.is_edge and h.name in self.seen)

    @cached_property
    def served(self) -> Mapping[str, Served]:
        """What each host that could be looked at serves by its own files."""
        found = {}
        for name, observation in self.seen.items():
            paths, files = self.catalogue.hosts[name].paths, observation.state.files
            texts = [
                files[path].text if path in files else None
                for path in (paths.caddy, paths.resolver)
            ]
            found[name] = served.parse(*texts)
        return found

    def reply(self, host: str, question: str) -> Reply:
        return self.seen[host].reply(question)

    def unit_state(self, host: str, unit: str) -> str | None:
        """systemd's word for a unit (`active`, `inactive`, `failed`); None where not asked."""
        return self._unit_states.get(host, {}).get(f"{unit}.service")

    @cached_property
    def _unit_states(self) -> Mapping[str, Mapping[str, str]]:
        """Host -> unit -> state; of two blocks of one unit the first."""
        return {host: _states(self.reply(host, "units").text) for host in self.seen}


def _states(text: str) -> Mapping[str, str]:
    """Id -> ActiveState of each block of `systemctl show`."""
    states: dict[str, str] = {}
    for block in text.split("\n\n"):
        told = dict(line.partition("=")[::2] for line in block.splitlines())
        if "Id" in told and "ActiveState" in told:
            states.setdefault(told["Id"], told["ActiveState"])
    return states
