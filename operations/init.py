"""A site in a repository of its own: begun from an example, or moved out of a checkout.

A site that is moved keeps the history of its files, and knows which commits the checkout had:
hosts that record one of them run this site's files, and nothing newer.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inventory import audiences
from inventory.errors import UsageError
from inventory.load import locate
from inventory.source import MOVED, ROOT, SHORT, environment, git, read_source

BRANCH = "main"
COMMIT = ("commit", "--quiet", "--no-gpg-sign", "--no-verify", "--message")

IGNORED = "/reports/\n"
README = """\
# The site of a twinedge

What exists here: hosts in `inventory/hosts.yaml` and `groups.yaml`, services and syncs in
`inventory/services.yaml`, all else in `inventory/defaults.yaml`. Secrets are named, never kept.

```
export TWINEDGE_CONFIG=$PWD/config.yaml
python {checkout}/runbooks/deploy.py           # shows every difference, changes nothing
git commit -am "what and why" && git push
python {checkout}/runbooks/deploy.py --apply
```

The product is upgraded by itself: `git -C {checkout} pull && {checkout}/script/bootstrap`.
"""


class InitRefused(UsageError):
    """The site was not made; the text says why, and what to do."""

    def __init__(self, words: str) -> None:
        super().__init__(f"{words}\nnothing was written")


@dataclass(frozen=True, kw_only=True)
class NewSite:
    """What was made. `files` are the site's YAML, `brought` the commits that came with them."""

    folder: Path
    files: tuple[str, ...]
    brought: int

    @property
    def config(self) -> Path:
        return self.folder / self.files[0]


def make_site(folder: Path, *, checkout: Path = ROOT, history: bool = False) -> NewSite:
    """Make `folder` a site with the YAML of `checkout`, with its `history` where asked.

    It is there whole or not at all. Raises InitRefused, and InventoryError where the
    checkout's settings cannot be read.
    """
    folder, checkout = folder.absolute(), checkout.resolve()
    _refuse_taken(folder)
    files = _files_of(checkout)
    if history:
        _refuse_uncommitted(checkout, files)
    with _beside(folder) as new:
        _git(new, "init", "--quiet", f"--initial-branch={BRANCH}")
        brought = _bring(checkout, new, files) if history else _copy(checkout, new, files)
        _lead_to_schemas(new, files)
        _write(new / "README.md", README.format(checkout=ROOT))
        _write(new / ".gitignore", IGNORED)
        _git(new, "add", "--all")
        _git(new, *_author(new), *COMMIT, "A site of its own")
    return NewSite(folder=folder, files=files, brought=brought)


def _refuse_taken(folder: Path) -> None:
    if shutil.which("git") is None:
        raise InitRefused("git is not installed here, and a site is a git repository")
    if folder.resolve().is_relative_to(ROOT):
        raise InitRefused(
            f"{folder} lies in the product's checkout, which an upgrade changes: a folder beside it"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InitRefused(f"{folder} is there already, and not empty: another folder, or move it")
    if not folder.parent.is_dir():
        raise InitRefused(f"there is no folder {folder.parent}")


def _files_of(checkout: Path) -> tuple[str, ...]:
    """The site's files in `checkout`, config.yaml first, as paths from there."""
    config = checkout / "config.yaml"
    if not config.is_file():
        raise InitRefused(f"{checkout} has no config.yaml: name the folder where a site's lies")
    found = locate(config)
    named = [config, *(path for key, path in vars(found).items() if key != "config")]
    if audiences.beside(found.services).exists():
        named.append(audiences.beside(found.services))
    outside = [path for path in named if not path.is_relative_to(checkout)]
    if outside:
        raise InitRefused(f"{config} names {outside[0]}, which does not lie in {checkout}")
    missing = [path for path in named if not path.is_file()]
    if missing:
        raise InitRefused(f"{config} names {missing[0]}, which is no file")
    return tuple(dict.fromkeys(str(path.relative_to(checkout)) for path in named))


def _refuse_uncommitted(checkout: Path, files: tuple[str, ...]) -> None:
    source = read_source(checkout)
    if source.trouble:
        raise InitRefused(source.trouble)
    if git(checkout, "status", "--porcelain", "--", *files):
        raise InitRefused(
            f"{checkout} has changes of its site that are not committed, and the history moves: "
            f"git -C {checkout} commit"
        )


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A new folder that becomes `folder` at the end, and goes if there is none."""
    new = Path(tempfile.mkdtemp(prefix=".twinedge-init-", dir=folder.parent))
    try:
        mask = os.umask(0)
        os.umask(mask)
        new.chmod(0o777 & ~mask)
        yield new
        new.rename(folder)
    except OSError as error:
        raise InitRefused(f"{error.filename or folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _copy(checkout: Path, new: Path, files: tuple[str, ...]) -> int:
    for name in files:
        _write(new / name, (checkout / name).read_text(encoding="utf-8"))
    return 0


def _bring(checkout: Path, new: Path, files: tuple[str, ...]) -> int:
    """The commits that touched `files`, and the names of all that the checkout has."""
    branch = git(checkout, "symbolic-ref", "--quiet", "HEAD") or "HEAD"
    refspec = f"{branch}:refs/heads/{BRANCH}"
    told = _git(checkout, "fast-export", "--refspec", refspec, branch, "--", *files)
    _git(new, "fast-import", "--quiet", stdin=told)
    _git(new, "reset", "--quiet", "--hard", BRANCH)
    commits = _git(checkout, "rev-list", "HEAD").decode().split()
    _write(new / MOVED, "".join(f"{commit[:SHORT]}\n" for commit in commits))
    return int(_git(new, "rev-list", "--count", BRANCH))


def _lead_to_schemas(new: Path, files: tuple[str, ...]) -> None:
    """The schemas that editors read are the checkout's."""
    for path in (new / name for name in files):
        text = path.read_text(encoding="utf-8")
        _write(path, text.replace("$schema=../docs/schema/", f"$schema={ROOT}/docs/schema/", 1))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _author(new: Path) -> tuple[str, ...]:
    """Flags for a machine on which git knows nobody."""
    if git(new, "var", "GIT_COMMITTER_IDENT"):
        return ()
    return ("-c", "user.name=twinedge", "-c", "user.email=twinedge@localhost")


def _git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, input=stdin, env=environment(), capture_output=True)
    if done.returncode:
        words = " ".join(done.stderr.decode(errors="replace").split())
        raise InitRefused(f"git {arguments[0]} in {folder} refused: {words}")
    return done.stdout
