"""Which faults there are, what may be asked for, and the record of those in force."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from lab.errors import UsageError
from lab.fault_kinds import KINDS, SERVICE_KINDS
from lab.state import State
from lab.topology import Origin, Topology

RECORD = "faults.json"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault in force. `other` is the far end, where only a pair of hosts is cut."""

    kind: str
    subject: str
    amount: float | None = None  # of its kind's option: seconds, milliseconds, or a status
    other: str | None = None

    @property
    def host(self) -> str:
        return self.subject.rpartition("@")[2]

    def __str__(self) -> str:
        amount = "" if self.amount is None else f" {self.amount:g}"
        return f"{self.kind} {self.subject}{amount}{f' from {self.other}' if self.other else ''}"

    def same(self, other: "Fault") -> bool:
        """The same thing is broken, perhaps by another amount."""
        return (self.kind, self.subject, self.other) == (other.kind, other.subject, other.other)


@dataclass(frozen=True, kw_only=True)
class Record:
    """The faults in force, as the lab wrote them down."""

    state: State
    faults: tuple[Fault, ...] = field(default=())

    @classmethod
    def of(cls, state: State) -> "Record":
        match state.read(RECORD):
            case list(entries):
                return cls(state=state, faults=tuple(Fault(**entry) for entry in entries))
        return cls(state=state)

    def add(self, fault: Fault) -> "Record":
        return self._save((*(f for f in self.faults if not f.same(fault)), fault))

    def drop(self, gone: tuple[Fault, ...]) -> "Record":
        return self._save(tuple(f for f in self.faults if f not in gone))

    def _save(self, faults: tuple[Fault, ...]) -> "Record":
        self.state.write(RECORD, [asdict(fault) for fault in faults])
        return Record(state=self.state, faults=faults)

    def has(self, kind: str, host: str) -> bool:
        return any(f.kind == kind and f.subject == host and not f.other for f in self.faults)

    def matching(self, kind: str, subject: str, other: str | None) -> tuple[Fault, ...]:
        return tuple(
            f
            for f in self.faults
            if (f.kind, f.subject) == (kind, subject) and other in (None, f.other)
        )

    def cured_by_reboot(self, host: str) -> tuple[Fault, ...]:
        return tuple(
            f for f in self.faults if f.host == host and f.kind in (*SERVICE_KINDS, "power-cut")
        )


def parse(
    topology: Topology, kind: str, subject: str, options: Mapping[str, str | float | None]
) -> Fault:
    """The fault that was asked for, or UsageError with the kinds and subjects that there are."""
    if kind not in KINDS:
        raise UsageError(f"no fault '{kind}' (faults: {', '.join(KINDS)})")
    given = {name: value for name, value in options.items() if value is not None}
    known = {*KINDS[kind].options, *(("other",) if kind == "partition" else ())}
    if wrong := sorted(set(given) - known):
        allowed = ", ".join(sorted(known)) or "none"
        raise UsageError(f"fault {kind} has no option '{wrong[0]}' (options: {allowed})")
    if kind in SERVICE_KINDS:
        _check_service(topology.origin(subject), kind)
    elif kind == "array-stopped" and not topology.machine(subject).is_unraid:
        raise UsageError(f"{subject} has no array: it is not managed as unraid in the lab's site")
    elif topology.machine(subject).tailnet is None and kind in ("partition", "latency"):
        raise UsageError(f"{subject} is not on the tailnet (hosts: {', '.join(topology.tailnet)})")
    other = given.get("other")
    if other is not None and (other not in topology.tailnet or other == subject):
        raise UsageError(f"no other host '{other}' (hosts: {', '.join(topology.tailnet)})")
    return Fault(kind=kind, subject=subject, amount=_amount(kind, given), other=_text(other))


def _check_service(origin: Origin, kind: str) -> None:
    if origin.kind == "dns" and KINDS[kind].maker != "manager":
        raise UsageError(f"{origin.service} is no web service (its faults: stop, kill, hang)")


def _amount(kind: str, given: Mapping[str, str | float]) -> float | None:
    for name, default in KINDS[kind].options.items():
        try:
            return float(given.get(name, default))
        except ValueError as error:
            raise UsageError(f"{name} is a number, not '{given[name]}'") from error
    return None


def _text(value: str | float | None) -> str | None:
    return None if value is None else str(value)
