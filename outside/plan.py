"""A plan as a value: what is to be made, changed, adopted, released and deleted at Cloudflare.

It judges itself: what waits, what stands in the way, how much it takes away. Who made it is
outside/planning.py; who carries it out is outside/apply.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

from outside.seen import Seen

Action = Literal["create", "change", "adopt", "release", "delete"]
Kind = Literal["policy", "application", "record"]
Json = Mapping[str, Any]

MANY = 3  # a plan that takes away more than one in so many of ours says so twice


class Turn(IntEnum):
    """When a step comes. The hosts, with their ingress, stand between RECORD_GOES and
    RECORD_COMES: nobody is led to a name that is not guarded yet, or not any more.
    """

    POLICY = 0
    APP = 1
    RECORD_GOES = 2
    RECORD_COMES = 3
    APP_GOES = 4
    POLICY_GOES = 5

    @property
    def is_before_hosts(self) -> bool:
        return self <= Turn.RECORD_GOES


@dataclass(frozen=True, kw_only=True)
class Change:
    """One key of an object, as it is and as it is wanted, in words."""

    key: str
    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One object, and what is to be done with it.

    `host` is the public name that it is for, `told` what the API said of it, `body` what is
    sent. An application's `policies` are names, since some may only be made before it. A record
    that takes the place of others deletes `instead` with the same request. What `waits` is not
    done now, and says why.
    """

    action: Action
    kind: Kind
    host: str
    name: str
    turn: Turn
    id: str = ""
    told: Json = field(default_factory=dict)
    body: Json = field(default_factory=dict)
    policies: tuple[str, ...] | None = None
    instead: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    waits: str = ""

    @property
    def words(self) -> str:
        return f"{self.action} {self.kind} {self.name}"


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """A foreign object where one of ours should be."""

    kind: Kind
    host: str
    words: str
    adoptable: bool = True

    @property
    def todo(self) -> str:
        if self.adoptable:
            return f"python runbooks/outside.py --adopt {self.host} shows what would become of it"
        return "it can only be mended in Cloudflare's dashboard"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`problems` forbid every step; `notes` are to be known, among them what is `ending`.
    `audiences` are the AUD tags of our applications by public name, `policies` the ids of our
    policies by name; `ours` is how many objects carry our mark.
    """

    steps: tuple[Step, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    ending: tuple[str, ...] = ()
    audiences: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)
    ours: int = 0

    @property
    def ready(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if not step.waits)

    @property
    def taken(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.action == "delete")

    @property
    def takes_many(self) -> bool:
        return len(self.taken) * MANY > self.ours

    @property
    def is_done(self) -> bool:
        return not self.steps and not self.conflicts


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What is there, and what is to be done about it.

    `who` changed an object that is not as wanted, by its id; `nobody` says why that is not known.
    """

    seen: Seen
    plan: Plan
    who: Mapping[str, str] = field(default_factory=dict)
    nobody: str = ""
