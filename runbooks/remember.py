"""Every run goes into the history: that it began, what it did and found, how it ended."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from inventory.catalogue import Catalogue, Memory, Site
from inventory.errors import Exit, UsageError
from inventory.source import Source, read_source, root_of
from journal.alerts.book import Book, Silence
from journal.entries import DrillEntry, Run, Step
from journal.history import GAP, History
from journal.renaming import Renames, rename
from journal.store import JournalError
from runbooks.cli import Session, status_of
from runbooks.lines import err, say
from runbooks.transaction.begin import new_id, operator
from tasks.checks.finding import Finding
from tasks.drill.result import DrillResult

T = TypeVar("T")

LOOKS_MISSED = 4  # scheduled looks without which nobody knows any more


class Record:
    """What one run tells the history. A history that fails is told once, and left alone.

    Until `conclude` says otherwise, the run went well. `show` tells the operator a step.
    """

    def __init__(
        self,
        open_it: Callable[[], History],
        run: Run,
        show: Callable[[str], None],
        catalogue: Catalogue | None = None,
    ) -> None:
        self.run = run
        self._catalogue = catalogue
        self._look: tuple[Sequence[Finding], datetime] | None = None
        self._show = show
        self._status, self._words = Exit.OK, ""
        self._steps: list[Step] = []
        self.history = self._try(open_it)
        self._tell(lambda history: history.begin(run))

    def step(self, words: str) -> None:
        """Show a step, and note it; it is written when the run ends."""
        self._show(words)
        self._steps.append(Step(at=datetime.now(UTC), words=words))

    def conclude(self, status: Exit, words: str) -> None:
        """How the run ended, in one sentence."""
        self._status, self._words = status, words

    def found(self, findings: Sequence[Finding], *, whole: bool) -> None:
        """What a look found; people are told of it when it was at the `whole` edge."""
        at = datetime.now(UTC)
        self._tell(lambda history: history.look(findings, at))
        self._look = (findings, at) if whole else None

    def silence(self, span: timedelta, reason: str) -> None:
        """Tell nobody anything for that long from now on; no time at all ends a silence."""
        at = datetime.now(UTC)
        quiet = Silence(until=at + span, reason=reason)
        self._tell(lambda history: Book(history.store).silence(quiet, self.run.operator, at))

    def last_drill(self, result: DrillResult) -> Mapping[str, Any] | None:
        """The document of the last drill of the same service, fault and host, if any."""
        kind = (result.service, result.fault.kind, result.fault.host)

        def find(history: History) -> Mapping[str, Any] | None:
            known = history.drills(since=datetime.fromtimestamp(0, UTC))
            alike = (d.document for _, d in known if (d.service, d.fault, d.host) == kind)
            return next(alike, None)

        history = self.history
        return self._try(lambda: find(history)) if history else None

    def drilled(self, result: DrillResult) -> None:
        entry = DrillEntry(
            run=self.run.id,
            service=result.service,
            fault=result.fault.kind,
            host=result.fault.host,
            kept=result.kept,
            document=result.as_json(),
        )
        self._tell(lambda history: history.drilled(entry))

    def forget(self) -> None:
        self._tell(lambda history: history.forget(self.run.id))
        if self.history:
            self.history.close()

    def end(self) -> None:
        self._tell(
            lambda history: history.end(
                self.run.id,
                at=datetime.now(UTC),
                status=self._status,
                words=self._words,
                steps=self._steps,
            )
        )
        if self.history:
            self._follow(self.history)
            self.history.close()

    def _follow(self, history: History) -> None:
        """Only now, when the run itself is remembered."""
        if self._catalogue is None:
            return
        # Here, since it takes 0.1 s to load, which a run that remembers nothing would wait for.
        from journal.watch import Watch

        watch = Watch(catalogue=self._catalogue, history=history, say=_warn)
        if self._look:
            watch.looked(*self._look)
        watch.ran(datetime.now(UTC))

    def _tell(self, work: Callable[[History], None]) -> None:
        if self.history:
            history = self.history
            self._try(lambda: work(history))

    def _try(self, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except JournalError as error:
            self.history = None
            _warn(f"not remembered: {error}")
            return None


def _warn(words: str) -> None:
    say(words, style="yellow", to=err)


def open_history(catalogue: Catalogue) -> History:
    """The history of this machine, which is made when it is not there. Raises JournalError.

    What has another name now is in it under that.
    """
    site = catalogue.site
    verify = site.schedule.verify
    gap = max(GAP, LOOKS_MISSED * verify.every) if verify and verify.every else GAP
    history = History(_path(site), gap=gap, kept=timedelta(days=site.journal.days))
    try:
        rename(history.store, Renames.of(catalogue))
    except JournalError as error:  # it can be read all the same
        _warn(f"former names are not renamed in the history yet: {error}")
    return history


def existing_history(session: Session) -> History:
    """The history, to be read. Raises JournalError when there is nothing in it."""
    site = session.catalogue.site
    history = open_history(session.catalogue) if _path(site).exists() else None
    if history is None or not history.runs(since=datetime.fromtimestamp(0, UTC)):
        raise JournalError(
            f"{_path(site)}: no history yet, nobody has ever looked from this machine and as this "
            "user: python runbooks/verify.py looks once, python runbooks/schedule.py for good"
        )
    return history


def _path(site: Site) -> Path:
    return Path(site.journal.file).expanduser()


@contextmanager
def remembered(
    session: Session,
    kind: str,
    run: str | None = None,
    *,
    show: Callable[[str], None] = lambda _: None,
) -> Iterator[Record]:
    """The record of a run of `kind`, whose id is `run` if it has one already.

    However it ends, that is noted; a run that is killed is one without an end.
    """
    catalogue = session.catalogue
    this = _run(kind, run, session.source)
    with _kept(lambda: open_history(catalogue), this, show, catalogue) as record:
        yield record


def remember_without_inventory(kind: str, words: str, config: Path) -> None:
    """Note a run that failed because the inventory cannot be read, where a journal lies by
    default."""
    path = Path(Memory().file).expanduser()
    this = _run(kind, None, read_source(root_of(config)))
    with _kept(lambda: History(path), this, lambda _: None) as record:
        record.conclude(Exit.FAILED, words)


@contextmanager
def _kept(
    open_it: Callable[[], History],
    run: Run,
    show: Callable[[str], None],
    catalogue: Catalogue | None = None,
) -> Iterator[Record]:
    record = Record(open_it, run, show, catalogue)
    try:
        yield record
    except UsageError:  # nothing was done that a history could tell
        record.forget()
        raise
    except BaseException as error:
        record.conclude(status_of(error), str(error) or "interrupted")
        record.end()
        raise
    record.end()


def _run(kind: str, run: str | None, source: Source) -> Run:
    return Run(
        id=run or new_id(),
        kind=kind,
        began=datetime.now(UTC),
        operator=operator(),
        commit=source.label,
        asked=" ".join(sys.argv[1:]),
    )
