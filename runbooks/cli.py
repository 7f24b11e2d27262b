"""What all runbooks share: exit statuses, the Nornir object, errors in words."""

import argparse
import logging
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from nornir import InitNornir
from nornir.core import Nornir
from nornir.core.task import AggregatedResult, Result, Task

from inventory.catalogue import Catalogue, Host
from inventory.errors import Exit, InventoryError, TwinedgeError, UsageError
from inventory.load import load_catalogue, locate
from inventory.secret import redact
from inventory.source import Source, read_source, root_of
from inventory.yaml_file import short
from runbooks.lines import err, say, tell
from tasks.shell import HostError
from tasks.ssh.options import settle


@dataclass(frozen=True)
class Outcome:
    """Host name -> what its task returned, or why it could not."""

    done: Mapping[str, Any]
    errors: Mapping[str, HostError]

    @classmethod
    def of(cls, results: AggregatedResult) -> "Outcome":
        done: dict[str, Any] = {}
        errors: dict[str, HostError] = {}
        for name, result in results.items():
            error = result[0].exception
            if isinstance(error, HostError):
                errors[name] = error
            elif error is not None:
                raise error
            else:
                done[name] = result[0].result
        return cls(done, errors)


@dataclass(frozen=True, kw_only=True)
class Session:
    """What a runbook works with: the catalogue and Nornir, both of the selected hosts."""

    catalogue: Catalogue
    nornir: Nornir

    @cached_property
    def source(self) -> Source:
        """The state of the site's repository when it was first asked for."""
        return read_source(root_of(self.catalogue.config))

    @property
    def hosts(self) -> tuple[Host, ...]:
        return tuple(self.catalogue.hosts[name] for name in self.nornir.inventory.hosts)

    def run(self, work: Callable[[Task], Result], hosts: Iterable[str] | None = None) -> Outcome:
        """Run `work` on `hosts` (all selected ones when None), in parallel.

        `work` is a closure: Nornir logs the arguments of a task, and there are none.
        """
        names = list(self.nornir.inventory.hosts if hosts is None else hosts)
        if not names:
            return Outcome({}, {})
        chosen = self.nornir.filter(filter_func=lambda host: host.name in names)
        return Outcome.of(chosen.run(task=work, on_failed=True))


def _quiet_libraries() -> None:
    """Errors reach the operator in our words; the libraries' logs hold arguments."""
    for name in ("nornir", "paramiko", "netmiko", "httpx"):
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False


def open_session(arguments: argparse.Namespace) -> Session:
    """Read the inventory and choose the hosts. Raises InventoryError or UsageError."""
    _quiet_libraries()
    catalogue = load_catalogue(arguments.config)
    names = _chosen(catalogue, arguments.host, arguments.role)
    nornir = _nornir(arguments.config).filter(filter_func=lambda one: one.name in catalogue.hosts)
    settle(nornir.inventory, catalogue)
    return Session(
        catalogue=catalogue, nornir=nornir.filter(filter_func=lambda host: host.name in names)
    )


def _nornir(config: Path) -> Nornir:
    """Nornir over the files that `config` names. Raises InventoryError in our own words."""
    files = locate(config)
    options = {
        "host_file": str(files.hosts),
        "group_file": str(files.groups),
        "defaults_file": str(files.defaults),
    }
    try:
        nornir = InitNornir(
            config_file=str(config), inventory={"plugin": "SimpleInventory", "options": options}
        )
        workers = getattr(nornir.runner, "num_workers", 1)
        if not isinstance(workers, int) or workers < 1:
            raise ValueError(f"runner.options.num_workers should be 1 or more, not {workers!r}")
        return nornir
    except Exception as error:  # of Nornir, its YAML reader and the plugins that it was told
        words = " ".join(str(error).split()) or type(error).__name__
        raise InventoryError(f"{short(config)}: Nornir does not take this: {words}") from error


def _chosen(catalogue: Catalogue, hosts: Sequence[str], roles: Sequence[str]) -> set[str]:
    for name in hosts:
        if name in catalogue.appliances:
            raise UsageError(
                f"--host {name}: nobody logs in to it (ssh: false); choose edges, which ask its "
                "services, and with verify.py --service"
            )
    refuse_unknown("host", hosts, catalogue.hosts)
    known_roles = {host.role for host in catalogue.hosts.values()}
    refuse_unknown("role", roles, known_roles)
    if not hosts and not roles:
        return set(catalogue.hosts)
    return {h.name for h in catalogue.hosts.values() if h.name in hosts or h.role in roles}


def refuse_unknown(what: str, asked: Iterable[str], known: Iterable[str]) -> None:
    """Raise UsageError for the first name that is not known, listing those that are."""
    for name in asked:
        if name not in known:
            raise UsageError(f"no {what} {name!r} ({what}s: {', '.join(sorted(known))})")


def main(work: Callable[[argparse.Namespace], int], flags: argparse.ArgumentParser) -> NoReturn:
    """Run a runbook: parse, work, and leave with its exit status and no traceback."""
    arguments = flags.parse_args()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _terminate)
    try:
        status = work(arguments)
    except (Exception, KeyboardInterrupt) as error:
        status = status_of(error)
        _tell(error, arguments.debug)
    sys.exit(status)


def status_of(error: BaseException) -> Exit:
    """The exit status of a run that ends with `error`."""
    if isinstance(error, TwinedgeError):
        return error.status
    return Exit.INTERRUPTED if isinstance(error, KeyboardInterrupt) else Exit.FAILED


def _terminate(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _tell(error: BaseException, debug: bool) -> None:
    if debug:
        err.print(redact(traceback.format_exc()), markup=False)
    elif isinstance(error, TwinedgeError) and error.status is Exit.NOT_UNDONE:
        _complain(str(error), style="bold white on red")
    elif isinstance(error, TwinedgeError):
        _complain(f"error: {redact(str(error))}")
    elif isinstance(error, KeyboardInterrupt):
        _complain("interrupted")
    else:
        kind = type(error).__name__
        words = f"error in twinedge itself ({kind}): {redact(str(error))}"
        _complain(f"{words}; --debug shows where")


def _complain(words: str, *, style: str = "") -> None:
    for line in words.splitlines():
        say(line, style=style, to=err)


def tell_appliances(session: Session, arguments: argparse.Namespace) -> None:
    """A line for each host that is never logged in to, where all hosts are listed."""
    for one in session.catalogue.appliances.values():
        if not arguments.host and not arguments.role:
            tell(one.name, one.words, style="dim")


@contextmanager
def working(words: str) -> Iterator[Callable[[str], None]]:
    """A spinner on a terminal while something takes its time; nothing elsewhere.

    Gives a function that tells which step it is at.
    """
    if not err.is_terminal:
        yield lambda _: None
        return
    with err.status(words) as spinner:
        yield lambda step: spinner.update(f"{words}: {step}")
