"""What an operation is given: the hosts of a site, and what each of them answers."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from nornir.core.task import Result, Task

from inventory.catalogue import Catalogue, Host
from inventory.source import Source
from tasks.shell import HostError


class Answers(Protocol):
    """What a task gave on each host, and why it could not."""

    @property
    def done(self) -> Mapping[str, Any]: ...
    @property
    def errors(self) -> Mapping[str, HostError]: ...


class Edge(Protocol):
    """The selected hosts, and the catalogue that they are in."""

    @property
    def catalogue(self) -> Catalogue: ...
    @property
    def hosts(self) -> tuple[Host, ...]: ...
    @property
    def source(self) -> Source: ...
    def run(
        self, work: Callable[[Task], Result], hosts: Iterable[str] | None = None
    ) -> Answers: ...
