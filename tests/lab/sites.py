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
    defaults, groups = read(lab, "defaults"), read(lab, "groups")
    defaults["username"], defaults["data"]["sudo"] = user, sudo
    if unraid:
        groups["media"]["data"]["manager"] = "unraid"
    for version in VERSIONS:
        folder = str(Path(config(version)).parent)
        files = {
            "services.yaml": _services(lab, version),
            "mcp.yaml": _mcp(lab, version),
            "config.yaml": read(lab, "config"),
            "hosts.yaml": read(lab, "hosts"),
            "defaults.yaml": defaults,
            "groups.yaml": groups,
        }
        write(lab, controller, folder, files)


def read(lab: Lab, name: str) -> dict[str, Any]:
    """One file of the site that the lab was made from."""
    path = lab.options.site.with_name(f"{name}.yaml")
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


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
    files = site_files(lab)
    files["defaults.yaml"]["data"] |= {"schedule": schedule, **data}
    write(lab, controller, folder, files)
    return f"{folder}/config.yaml"


def with_services(
    lab: Lab, controller: str, folder: str, changes: Mapping[str, Mapping[str, object]]
) -> str:
    """The lab's site with other keys of some services; gives its Nornir settings."""
    files = site_files(lab)
    for name, keys in changes.items():
        files["services.yaml"]["services"][name] |= keys
    write(lab, controller, folder, files)
    return f"{folder}/config.yaml"


def site_files(lab: Lab) -> dict[str, dict[str, Any]]:
    """The lab's own site: file name -> content."""
    names = ("config", "hosts", "groups", "defaults", "services", "mcp")
    return {f"{name}.yaml": read(lab, name) for name in names}


def _services(lab: Lab, version: str) -> dict[str, object]:
    content = read(lab, "services")
    content["services"]["plex"]["hostname"] = f"plex-{version}"
    content["syncs"][f"extra-{version}"] = {
        "hosts": ["vps1", "vps2"],
        "directory": f"/srv/extra-{version}",
    }
    return content


def _mcp(lab: Lab, version: str) -> dict[str, object]:
    content = read(lab, "mcp")
    content["servers"]["docs"] = {"url": f"https://docs-{version}.example/mcp"}
    return content
