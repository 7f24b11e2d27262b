"""A copy of a site whose hosts run their services another way."""

import shutil
from pathlib import Path

import yaml

from inventory.load import locate
from inventory.yaml_file import read_yaml
from lab.settings import FILE

NAMES = ("hosts", "groups", "defaults", "services", "mcp")


def copy(config: Path, manager: str, folder: Path) -> None:
    """Writes the site of `config` to `folder`; every host there has that manager."""
    files = locate(config)
    folder.mkdir(parents=True)
    for name in NAMES:
        shutil.copyfile(getattr(files, name), folder / f"{name}.yaml")
    if config.with_name(FILE).exists():
        shutil.copyfile(config.with_name(FILE), folder / FILE)
    settings = read_yaml(config)
    settings["inventory"]["options"] = {
        "host_file": "hosts.yaml",
        "group_file": "groups.yaml",
        "defaults_file": "defaults.yaml",
    }
    settings["user_defined"] |= {"services_file": "services.yaml", "mcp_file": "mcp.yaml"}
    _write(folder / "config.yaml", settings)
    hosts = read_yaml(files.hosts)
    for host in hosts.values():
        host["data"] = (host.get("data") or {}) | {"manager": manager}
    _write(folder / "hosts.yaml", hosts)


def _write(path: Path, content: object) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
