"""0.1.0 as people run it: a checkout and a site, on the lab's control node and on its stand-in.

Both are pulled to HEAD later.
"""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.api import Lab
from tests.lab import sites
from tests.lab.conftest import shell

COMMIT = "28a754cf70613b846fec75553163c9dab0d7af3b"  # 0.1.0
CONTROL, STAND_IN = "vps2", "vps1"
CHECKOUT, SITE = "/root/twinedge", "/root/site"
CONFIG = f"{SITE}/config.yaml"
REPOSITORY = "twinedge.git"  # in the folder that every lab host sees as /run/lab
LOCAL = (".git", ".venv", ".soak", "__pycache__")  # what a pull does not bring


def is_known(checkout: Path) -> bool:
    """Has this clone the commit? A shallow one need not."""
    return _git(checkout, "cat-file", "-e", f"{COMMIT}^{{commit}}").returncode == 0


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Whoever runs runbooks on the control node, from a checkout that is pulled now and then.

    The stand-in has the same checkout and site.
    """

    lab: Lab

    def clone(self) -> None:
        """The checkout, at 0.1.0."""
        shared = self.lab.state.folder / "shared" / REPOSITORY
        _git(shared.parent, "init", "-q", "--bare", REPOSITORY).check_returncode()
        _git(shared, "config", "receive.shallowUpdate", "true").check_returncode()
        refs = (f"{COMMIT}:refs/heads/released", "HEAD:refs/heads/head")
        _git(self.lab.state.checkout, "push", "-q", str(shared), *refs).check_returncode()
        self._on_both(
            f"git config --global safe.directory '*'; "
            f"git clone -q -b released /run/lab/{REPOSITORY} {CHECKOUT} && cd {CHECKOUT} && "
            f"echo .venv >> .git/info/exclude && ln -s {self.lab.state.venv} .venv"
        )

    def pull(self) -> None:
        """The checkout becomes what is tested: HEAD, and what is not committed yet."""
        left = " ".join(f"--exclude={name}" for name in LOCAL)
        tree = f"rsync -a --delete {left} {self.lab.state.checkout}/ {CHECKOUT}/"
        self._on_both(f"git -C {CHECKOUT} checkout -q head && {tree}")

    def go_back(self) -> None:
        """The checkout is 0.1.0 again."""
        self._on_both(f"cd {CHECKOUT} && git checkout -qf released && git clean -qfd")

    def write_site(self, **data: object) -> None:
        """0.1.0's own lab site, with `data` as further keys of the site data."""
        defaults = self._released("lab/site/defaults.yaml")
        defaults["data"] |= data
        files = {
            "config.yaml": _SETTINGS,
            "defaults.yaml": defaults,
            "groups.yaml": self._released("lab/site/groups.yaml"),
        } | {
            f"{name}.yaml": self._released(f"inventory/{name}.yaml")
            for name in ("hosts", "services", "mcp")
        }
        for host in (CONTROL, STAND_IN):
            sites.write(self.lab, host, SITE, files)

    def _released(self, path: str) -> dict[str, Any]:
        shown = _git(self.lab.state.checkout, "show", f"{COMMIT}:{path}")
        return dict(yaml.safe_load(shown.stdout))

    def _on_both(self, script: str) -> None:
        for host in (CONTROL, STAND_IN):
            shell(self.lab, host, script)

    def run(
        self, runbook: str, *arguments: str, host: str = CONTROL
    ) -> "subprocess.CompletedProcess[str]":
        words = ["python", f"{CHECKOUT}/runbooks/{runbook}.py", *arguments, "--config", CONFIG]
        return self.lab.run(host, words)

    def told(self, runbook: str, *arguments: str) -> str:
        """What a run that has to succeed prints."""
        done = self.run(runbook, *arguments)
        assert done.returncode == 0, f"{runbook}: {done.stdout}{done.stderr}"
        return done.stdout

    def python(self, script: str) -> str:
        """What `script` prints, run among the modules of the checkout."""
        words = ["env", "-C", CHECKOUT, f"TWINEDGE_CONFIG={CONFIG}", "python", "-c", script]
        return self.lab.run(CONTROL, words, check=True).stdout


_SETTINGS: Mapping[str, object] = {
    "inventory": {
        "plugin": "SimpleInventory",
        "options": {
            "host_file": "hosts.yaml",
            "group_file": "groups.yaml",
            "defaults_file": "defaults.yaml",
        },
    },
    "runner": {"plugin": "threaded", "options": {"num_workers": 20}},
    "logging": {"enabled": False},
    "user_defined": {"services_file": "services.yaml", "mcp_file": "mcp.yaml"},
}


def _git(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True)
