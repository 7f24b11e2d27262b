"""One mutated inventory: what the product says of it, and the configs that it makes of it."""

import argparse
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from inventory.errors import InventoryError, UsageError
from runbooks.cli import Session, open_session
from tasks.configs.file import ConfigFile
from tasks.configs.render import render_configs
from tests.soak.inventory.full import FullSite
from tests.soak.inventory.mutate import mutation

FILES = ("config", "hosts", "groups", "defaults", "services", "mcp")
MOST_CPU = 2.0  # seconds of the processor for one inventory, to be read and rendered


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of one mutation. `wrong` is empty when the product did right."""

    seed: int
    what: str
    refused: str = ""
    wrong: str = ""
    configs: tuple[ConfigFile, ...] = ()


def tried(folder: Path, seed: int) -> Verdict:
    """Reads the mutation `seed` of the full site in an empty `folder`, and renders it."""
    site = FullSite(folder)
    texts = {name: (folder / f"{name}.yaml").read_text("utf-8") for name in FILES}
    changed, what = mutation(texts, seed)
    for name, text in changed.items():
        (folder / f"{name}.yaml").write_bytes(text.encode("utf-8", errors="surrogatepass"))
    began = time.process_time()
    refused, wrong, configs = "", "", ()
    try:
        configs = tuple(_rendered(site.config))
        wrong = "; ".join(filter(None, map(_misread, configs)))
    except (InventoryError, UsageError) as error:
        refused = str(error)
        wrong = _unclear(refused)
    except Exception as error:  # what the operator would be told as an error of twinedge itself
        wrong = f"{type(error).__name__}: {error}"
    cpu = time.process_time() - began
    if cpu > MOST_CPU:
        wrong = wrong or f"took {cpu:.1f} s of the processor"
    return Verdict(seed=seed, what=what, refused=refused, wrong=wrong, configs=configs)


def _rendered(config: Path) -> Iterator[ConfigFile]:
    session: Session = open_session(argparse.Namespace(config=config, host=[], role=[]))
    outcome = session.run(lambda task: render_configs(task, session.catalogue, "0" * 40))
    assert not outcome.errors, outcome.errors
    own_ca = session.catalogue.site.tls.mode == "internal"  # else its Caddy needs what a site has
    for file in (file for files in outcome.done.values() for file in files):
        # Own lines are Caddy's to refuse, in a deploy's look.
        is_ours = file.name != "caddy" or (own_ca and file.bare is None)
        if file.text is not None and is_ours:
            yield file


def _misread(file: ConfigFile) -> str:
    """What is wrong with a config whose language is spoken here."""
    text = file.text or ""
    try:
        if file.name in ("mcp", "cloudflared-credentials"):
            json.loads(text)
        elif file.name == "cloudflared":
            yaml.safe_load(text)
        elif file.name in ("sync", "sync-table"):
            subprocess.run(["sh", "-n"], input=text, text=True, check=True, capture_output=True)
    except (ValueError, yaml.YAMLError, subprocess.CalledProcessError) as error:
        return f"{file.name}: {error}"
    return ""


def _unclear(words: str) -> str:
    """What is wrong with the words of a refusal; nothing if they are ours."""
    for stranger in ("Traceback", "pydantic", "twinedge itself"):
        if stranger in words:
            return f"told as {stranger}: {words[:200]}"
    placed = all(": " in line for line in words.splitlines())
    return "" if words and placed else f"told without a place: {words[:200]}"
