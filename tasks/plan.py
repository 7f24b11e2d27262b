"""What a deploy would do to one host: pure, from what is wanted and what is there."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from inventory.secret import redact
from inventory.source import Source
from tasks.checks.finding import Finding
from tasks.configs.file import ABSENT, ConfigFile
from tasks.live import HostState, LiveFile

Kind = Literal["same", "new", "changed", "removed", "odd"]


def has_drifted(live: LiveFile, claimed: str | None) -> bool:
    """Somebody else than a deploy changed it: it is not what the host's release claims."""
    return claimed is not None and (live.digest or ABSENT) != claimed


def drift_words(live: LiveFile) -> str:
    """Who changed a drifted file, as far as the host can tell."""
    if live.kind == "absent":
        return "was removed by hand"
    if live.kind == "odd":
        return "was replaced by something that is no plain file"
    if live.made_by:
        return f"is the file of release {live.made_by}"
    if live.synced:
        return "was written by lsyncd: it lies in a tree that the host's lsyncd fills"
    when = f"{live.modified:%Y-%m-%d %H:%M:%S}" if live.modified else "unknown"
    return f"was edited by hand at {when} UTC (owner {live.owner})"


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """One managed file: as wanted, as it is, and what the host's release claims it to be."""

    config: ConfigFile
    live: LiveFile
    claimed: str | None

    @property
    def kind(self) -> Kind:
        if self.live.kind == "odd":
            return "odd"
        if self.config.text is None:
            return "same" if self.live.kind == "absent" else "removed"
        if self.live.kind == "absent":
            return "new"
        wanted = (self.config.digest, self.config.mode, self.config.owner)
        same = wanted == (self.live.digest, self.live.mode, self.live.owner)
        return "same" if same else "changed"

    @property
    def is_nothing(self) -> bool:
        """No file is wanted, and none is there."""
        return self.config.text is None and self.live.kind == "absent"

    @property
    def drifted(self) -> bool:
        return has_drifted(self.live, self.claimed)

    @property
    def drift(self) -> str:
        return drift_words(self.live)

    @property
    def extent(self) -> str:
        """How many lines come and go, as +N -N, or what else changes; "" where it is secret."""
        if self.config.secret:
            return ""
        lines = list(difflib.unified_diff(*self._texts(), n=0))[2:]  # below the two names
        come, go = (sum(line.startswith(sign) for line in lines) for sign in "+-")
        return f"+{come} -{go}" if come or go else self._attributes()

    def diff(self, host: str) -> list[str]:
        """A unified diff from what is there to what is wanted, secrets taken out."""
        if self.config.secret:
            return [f"{host}:{self.config.path}: contents not shown, they are secret"]
        before, after = self._texts()
        name = f"{host}:{self.config.path}"
        lines = list(difflib.unified_diff(before, after, name, name, lineterm=""))
        return lines or [f"{name}: {self._attributes()}"]

    def _texts(self) -> tuple[list[str], list[str]]:
        """What is there and what is wanted, in lines, secrets taken out."""
        both = (redact(text or "").splitlines() for text in (self.live.text, self.config.text))
        before, after = both
        return before, after

    def _attributes(self) -> str:
        return (
            f"mode {self.live.mode or 0:04o}, owner {self.live.owner} -> "
            f"mode {self.config.mode:04o}, owner {self.config.owner}"
        )


@dataclass(frozen=True, kw_only=True)
class HostPlan:
    """All of one host. `source` is the repository of what would be deployed, `findings` are
    what the look saw that a deploy does not mend."""

    host: str
    source: Source
    state: HostState
    files: tuple[FileChange, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def changes(self) -> tuple[FileChange, ...]:
        return tuple(change for change in self.files if change.kind != "same")

    @property
    def odd(self) -> tuple[FileChange, ...]:
        return tuple(change for change in self.files if change.kind == "odd")

    @property
    def drifted(self) -> tuple[FileChange, ...]:
        return tuple(change for change in self.files if change.drifted)

    @property
    def records_commit(self) -> bool:
        """The files are as wanted, but the host's release names another commit."""
        current = self.state.current
        return not self.changes and (current is None or not self.source.stands_for(current.commit))

    @property
    def is_done(self) -> bool:
        return not self.changes and not self.records_commit

    @property
    def orphans(self) -> tuple[str, ...]:
        """Files that the host's release wrote and that nobody manages any more."""
        wanted = {change.config.path for change in self.files}
        claimed: Mapping[str, str] = self.state.current.digests if self.state.current else {}
        return tuple(path for path in claimed if path not in wanted)

    def change_of(self, path: str) -> FileChange | None:
        return next((change for change in self.files if change.config.path == path), None)

    @property
    def returned_from(self) -> str:
        """The commit that the host was rolled back from, while the source still stands at it."""
        left = self.state.current.left if self.state.current else ""
        return left if left and self.source.stands_for(left) else ""

    def touches(self, name: str) -> bool:
        """Would the activation `name` run?"""
        return any(c.config.activation and c.config.activation.name == name for c in self.changes)


def make_plan(host: str, source: Source, files: Sequence[ConfigFile], state: HostState) -> HostPlan:
    claims = state.current.digests if state.current else {}
    return HostPlan(
        host=host,
        source=source,
        state=state,
        files=tuple(
            FileChange(config=f, live=state.files[f.path], claimed=claims.get(f.path))
            for f in files
        ),
    )
