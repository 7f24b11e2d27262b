"""A site on disk that a test may bend: the lab's, with local paths and docker as managers."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent

SETTINGS = "lab/site/config.yaml"  # the lab's site, which tests bend; never the operator's own


class Site:
    """Inventory files in `folder`; `change` edits one, `config` names Nornir's settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for path in (ROOT / SETTINGS).parent.glob("*.yaml"):
            (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
        self.change("defaults", "data.domain", "home.example")
        self.change("defaults", "data.access", {"team": "example"})
        self.change("defaults", "data.resolver.forward", ["1.1.1.1", "9.9.9.9"])
        self.change("groups", "edge.data.manager", "docker")
        self.change("groups", "media.data.manager", "unraid")
        appdata = "/mnt/user/appdata"
        paths = {"mcp": f"{appdata}/mcp/mcp.json", "state": f"{appdata}/twinedge"}
        self.change("groups", "media.data.paths", paths)
        credentials = folder / "tunnel.json"
        credentials.write_text('{"TunnelSecret": "tunnel-secret-value"}', encoding="utf-8")
        self.change("defaults", "data.tunnel.credentials", f"file:{credentials}")
        self.change("defaults", "data.journal.file", str(self.journal))
        self.change("defaults", "data.page.directory", str(folder / "status"))
        token = folder / "mcp-token"
        token.write_text("mcp-secret-value\n", encoding="utf-8")
        env = "servers.github.env.GITHUB_PERSONAL_ACCESS_TOKEN"
        self.change("mcp", env, f"file:{token}")

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def journal(self) -> Path:
        return self.folder / "journal" / "journal.db"

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.yaml"

    def read(self, name: str) -> dict[str, Any]:
        return yaml.load(self._path(name).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)

    def write(self, name: str, content: object) -> None:
        text = (
            content
            if isinstance(content, str)
            else yaml.dump(content, sort_keys=False, Dumper=yaml.CSafeDumper)
        )
        self._path(name).write_text(text, encoding="utf-8")

    def change(self, name: str, key: str, value: object) -> None:
        """Set the dotted `key` of one file to `value`; None removes it."""
        content = self.read(name)
        *parents, last = key.split(".")
        part = content
        for parent in parents:
            part = part.setdefault(parent, {})
        if value is None:
            part.pop(last, None)
        else:
            part[last] = value
        self.write(name, content)
