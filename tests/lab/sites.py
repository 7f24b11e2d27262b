"""Two versions of the lab's site, which differ in every managed file that may differ."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.api import Lab
from tests.lab.conftest import shell

VERSIONS = ("a", "b")


def config(version: str) -> str:
    """The Nornir settings of one version, on a controller."""
    return f"/root/sites/{version}/config.yaml"


def install(
    lab: Lab, controller: str, *, user: str = "root", sudo: bool = False, unraid: bool = False
) -> None:
    """Write both versions to `controller`.

    `user` and `sudo` are how it logs in; with `unraid` the media host is managed as one
    without systemd.
    """
    checkout = lab.state.checkout
    defaults = yaml.safe_load((checkout / "lab/site/defaults.yaml").read_text("utf-8"))
    defaults["username"], defaults["data"]["sudo"] = user, sudo
    groups = yaml.safe_load((checkout / "lab/site/groups.yaml").read_text("utf-8"))
    if unraid:
        groups["media"]["data"]["manager"] = "unraid"
    for version in VERSIONS:
        folder = str(Path(config(version)).parent)
        files = {
            "services.yaml": _services(checkout, version),
            "mcp.yaml": _mcp(checkout, version),
            "config.yaml": _settings(checkout),
            "defaults.yaml": defaults,
            "groups.yaml": groups,
        }
        write(lab, controller, folder, files)


def write(lab: Lab, controller: str, folder: str, files: Mapping[str, object]) -> None:
    """YAML files in a folder of the controller."""
    script = [f"mkdir -p {folder}"]
    for name, content in files.items():
        text = yaml.safe_dump(content, sort_keys=False)
        script.append(f"cat > {folder}/{name} <<'END'\n{text}END")
    shell(lab, controller, "\n".join(script))


def scheduled(lab: Lab, controller: str, folder: str, schedule: object, **data: object) -> str:
    """The lab's site with a schedule, on a controller; gives its Nornir settings.

    `data` are further keys of the site data.
    """
    checkout = lab.state.checkout
    defaults = yaml.safe_load((checkout / "lab/site/defaults.yaml").read_text("utf-8"))
    defaults["data"] |= {"schedule": schedule, **data}
    settings = _settings(checkout)
    settings["inventory"]["options"]["group_file"] = str(checkout / "lab/site/groups.yaml")
    settings["user_defined"] = {
        "services_file": str(checkout / "inventory/services.yaml"),
        "mcp_file": str(checkout / "inventory/mcp.yaml"),
    }
    write(lab, controller, folder, {"config.yaml": settings, "defaults.yaml": defaults})
    return f"{folder}/config.yaml"


def _settings(checkout: Path) -> dict[str, Any]:
    return {
        "inventory": {
            "plugin": "SimpleInventory",
            "options": {
                "host_file": str(checkout / "inventory" / "hosts.yaml"),
                "group_file": "groups.yaml",
                "defaults_file": "defaults.yaml",
            },
        },
        "runner": {"plugin": "threaded", "options": {"num_workers": 20}},
        "logging": {"enabled": False},
        "user_defined": {"services_file": "services.yaml", "mcp_file": "mcp.yaml"},
    }


def _services(checkout: Path, version: str) -> dict[str, object]:
    content = yaml.safe_load((checkout / "inventory" / "services.yaml").read_text("utf-8"))
    content["services"]["plex"]["hostname"] = f"plex-{version}"
    content["syncs"][f"extra-{version}"] = {
        "hosts": ["vps1", "vps2"],
        "directory": f"/srv/extra-{version}",
    }
    return dict(content)


def _mcp(checkout: Path, version: str) -> dict[str, object]:
    content = yaml.safe_load((checkout / "inventory" / "mcp.yaml").read_text("utf-8"))
    content["servers"]["docs"] = {"url": f"https://docs-{version}.example/mcp"}
    return dict(content)
