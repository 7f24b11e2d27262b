"""What a deploy would do to one host: pure, from what is wanted and what is there."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from inventory.secret import redact
from tasks.configs.file import ConfigFile
from tasks.live import HostState, LiveFile

Kind = Literal["same", "new", "changed", "odd"]


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
        if self.live.kind == "absent":
            return "new"
        wanted = (self.config.digest, self.config.mode, self.config.owner)
        same = wanted == (self.live.digest, self.live.mode, self.live.owner)
        return "same" if same else "changed"

    @property
    def drifted(self) -> bool:
        """Somebody else than a deploy changed it: it is not what the release claims."""
        return self.claimed is not None and self.live.digest != self.claimed

    @property
    def drift(self) -> str:
        """Who changed it, as far as the host can tell."""
        if self.live.kind == "absent":
            return "was removed by hand"
        if self.live.made_by:
            return f"is the file of release {self.live.made_by}"
        when = f"{self.live.modified:%Y-%m-%d %H:%M:%S}" if self.live.modified else "unknown"
        return f"was edited by hand at {when} UTC (owner {self.live.owner})"

    def diff(self, host: str) -> list[str]:
        """A unified diff from what is there to what is wanted, secrets taken out."""
        if self.config.secret:
            return [f"{host}:{self.config.path}: contents not shown, they are secret"]
        before = redact(self.live.text or "").splitlines()
        after = redact(self.config.text).splitlines()
        name = f"{host}:{self.config.path}"
        lines = list(difflib.unified_diff(before, after, name, name, lineterm=""))
        return lines or [f"{name}: {self._attributes()}"]

    def _attributes(self) -> str:
        return (
            f"mode {self.live.mode or 0:04o}, owner {self.live.owner} -> "
            f"mode {self.config.mode:04o}, owner {self.config.owner}"
        )


@dataclass(frozen=True, kw_only=True)
class HostPlan:
    """All of one host. `commit` is the label of what would be deployed."""

    host: str
    commit: str
    state: HostState
    files: tuple[FileChange, ...]

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
        return not self.changes and (current is None or current.commit != self.commit)

    @property
    def is_done(self) -> bool:
        return not self.changes and not self.records_commit

    @property
    def orphans(self) -> tuple[str, ...]:
        """Files that the host's release wrote and that nobody manages any more."""
        wanted = {change.config.path for change in self.files}
        claimed: Mapping[str, str] = self.state.current.digests if self.state.current else {}
        return tuple(path for path in claimed if path not in wanted)

    def touches(self, name: str) -> bool:
        """Would the activation `name` run?"""
        return any(c.config.activation and c.config.activation.name == name for c in self.changes)


def make_plan(host: str, commit: str, files: Sequence[ConfigFile], state: HostState) -> HostPlan:
    claims = state.current.digests if state.current else {}
    return HostPlan(
        host=host,
        commit=commit,
        state=state,
        files=tuple(
            FileChange(config=f, live=state.files[f.path], claimed=claims.get(f.path))
            for f in files
        ),
    )
