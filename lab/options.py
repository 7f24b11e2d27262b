"""What was asked of a lab when it was made. It stays so until the lab is down."""

import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from lab.errors import UsageError
from lab.state import State

SITE = Path("lab/site/config.yaml")
FILE = "options.json"


@dataclass(frozen=True, kw_only=True)
class Options:
    """A lab's options; a new one is a field here and a flag of `up`."""

    site: Path  # Nornir's settings of the site whose hosts the lab has
    distribution: str = ""  # NAME for all hosts, or HOST=NAME,...
    package: str = ""  # installed beside the usual ones, in the same words
    manager: str = ""  # of every host's services; empty is what the site says

    @classmethod
    def default(cls, state: State) -> "Options":
        return cls(site=state.checkout / SITE)

    @classmethod
    def of(cls, state: State) -> "Options":
        """Those of the lab that is up, or the default ones."""
        match state.read(FILE):
            case dict(saved):
                return cls(**saved | {"site": Path(saved["site"])})
        return cls.default(state)

    @classmethod
    def asked(cls, state: State, **given: object) -> "Options":
        """Those of the lab with what was `given`; None is not given."""
        chosen = {name: value for name, value in given.items() if value is not None}
        return replace(cls.of(state), **chosen)  # type: ignore[arg-type]

    def save(self, state: State) -> None:
        state.write(FILE, asdict(self) | {"site": str(self.site)})

    def config(self, state: State) -> Path:
        """The settings that runbooks have in the lab: the site's, or those of its copy."""
        return state.folder / "site" / "config.yaml" if self.manager else self.site

    def folders(self, state: State) -> list[Path]:
        """What hosts have to see of it beside the checkout."""
        folder = self.config(state).parent
        return [] if folder.is_relative_to(state.checkout) else [folder]

    def refuse_other(self, asked: "Options") -> None:
        """Raises UsageError when the lab that is up was made with other options."""
        for field in fields(self):
            ours, theirs = getattr(self, field.name), getattr(asked, field.name)
            if ours != theirs:
                raise UsageError(
                    f"the lab is up with {field.name} {ours}, not {theirs}; "
                    "`python -m lab down` first"
                )


def site_file(path: Path) -> Path:
    """The site's settings as an absolute path. Raises UsageError where hosts could not see it."""
    found = path.resolve()
    if not found.is_file():
        raise UsageError(f"no file {path}: --site is the path of a site's config.yaml")
    if not re.fullmatch(r"[A-Za-z0-9._+/-]+", str(found)):
        raise UsageError(f"the site's path has special characters ({found}); move it")
    if len(found.parts) < 4:  # its folder is mounted on every host: not over /etc or /root
        raise UsageError(f"the site lies in {found.parent}; give it a folder of its own")
    return found
