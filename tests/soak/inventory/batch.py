"""Two hundred hostile inventories: read here, and what is accepted taken by a host's programs."""

import base64
import io
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.api import Lab
from tasks.configs.file import ConfigFile
from tests.soak.inventory.trial import Verdict, tried

SIZE = 200

# What a host's stage does with each: make the folders, run the validator on the staged copy.
# The lab has no cloudflared to ask.
VALIDATE = r"""
work=$(mktemp -d) && cd "$work" && base64 -d | tar -xf - || exit 1
for folder in *; do
    cd "$work/$folder" || exit 1
    command -v "$(cat tool)" >/dev/null || continue
    mkdir scratch
    while read -r made; do
        [ -d "$made" ] || { mkdir -p "$made" && echo "$made" >> made; }
    done < folders
    said=$(scratch=$PWD/scratch; export scratch; timeout 60 sh validate "$PWD/staged" 2>&1) ||
        printf '%s: %s\n' "$folder" "$(printf '%s' "$said" | tail -n 1)"
    [ ! -e made ] || while read -r made; do rmdir "$made"; done < made
done
rm -rf "$work"
"""


class InventoryBench:
    """The host whose programs are asked."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._edge = lab.topology.edges[0].name

    def run(self, first: int) -> dict[str, Any]:
        """The mutations `first` to `first + SIZE - 1`."""
        verdicts = [_tried(seed) for seed in range(first, first + SIZE)]
        seeds = {file: v.seed for v in verdicts for file in v.configs if file.validate}
        wrong = [f"{v.seed} ({v.what}): {v.wrong}" for v in verdicts if v.wrong]
        wrong += self._refused_by_programs(list(seeds.items()))
        ends = Counter("refused" if v.refused else "accepted" for v in verdicts)
        return {"wrong": wrong, **ends, "validated": len(seeds)}

    def _refused_by_programs(self, configs: Iterable[tuple[ConfigFile, int]]) -> list[str]:
        named = {f"{seed}-{file.name}": file for file, seed in configs}
        done = self._lab.run(
            self._edge, ["sh", "-c", VALIDATE], input=_packed(named), timeout=3600, check=True
        )
        return done.stdout.splitlines()


def _tried(seed: int) -> Verdict:
    with tempfile.TemporaryDirectory() as folder:
        return tried(Path(folder), seed)


def _packed(named: Mapping[str, ConfigFile]) -> str:
    """A tar, in base64, with a folder for each config."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for name, file in named.items():
            folders = "".join(f"{folder}\n" for folder in file.folders)
            parts = {"staged": file.text or "", "validate": file.validate, "folders": folders}
            parts["tool"] = file.tool.name if file.tool else ""
            for part, text in parts.items():
                content = text.encode()
                member = tarfile.TarInfo(f"{name}/{part}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return base64.b64encode(held.getvalue()).decode()
