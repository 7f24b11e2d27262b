"""A site that is unlike the lab's own: other names, another domain, one edge to four."""

from pathlib import Path
from typing import Any

import yaml

from tests.site import ROOT, SETTINGS

EDGES = ("frankfurt", "helsinki", "ashburn-va-datacenter-2", "nuremberg")
MEDIA = ("tower", "nas")
ADDRESSES = {
    **{name: f"100.64.0.{n}" for n, name in enumerate(EDGES, 1)},
    **{name: f"100.64.1.{n}" for n, name in enumerate(MEDIA, 1)},
}


def site_of_edges(folder: Path, count: int) -> Path:
    """Writes the site to `folder`; gives its settings. The last edge is the control node."""
    folder.mkdir()
    edges = EDGES[:count]
    files = {path.name: yaml.safe_load(path.read_text()) for path in _labs().glob("*.yaml")}
    files["hosts.yaml"] = {
        name: {"hostname": ADDRESSES[name], "groups": ["edge" if name in edges else "media"]}
        for name in (*edges, *MEDIA)
    }
    files["defaults.yaml"]["data"] |= {"domain": "attic.test", "control": edges[-1]}
    files["defaults.yaml"]["data"]["access"]["team"] = "attic"
    for service in files["services.yaml"]["services"].values():
        _move(service, edges)
    for sync in files["services.yaml"]["syncs"].values():
        sync["hosts"] = list(edges[:2])
    if count == 1:
        del files["services.yaml"]["syncs"]
    for name, content in files.items():
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False))
    return folder / "config.yaml"


def _labs() -> Path:
    return (ROOT / SETTINGS).parent


def _move(service: dict[str, Any], edges: tuple[str, ...]) -> None:
    """To hosts of this site: a primary with a fallback only where there are two edges."""
    if service.get("hosts") == ["unraid"]:
        service["hosts"] = [MEDIA[1] if service["hostname"] == "plex" else MEDIA[0]]
    elif "primary" in service and len(edges) > 1:
        service["primary"], service["fallback"] = edges[:2]
    else:
        service.pop("primary", None), service.pop("fallback", None)
        service["hosts"] = list(edges)
