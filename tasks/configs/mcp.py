"""MCP: the servers that every host offers to its agents. Holds secrets."""

from typing import Any

from inventory.catalogue import Catalogue, Host, McpServer, Word
from inventory.fields import is_reference
from inventory.secret import Secret
from tasks.configs.file import ConfigFile, Render


def servers(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    mcp = catalogue.mcp
    text = render(
        "mcp/mcp.json.j2",
        servers={name: _entry(server, mcp.remote_key) for name, server in mcp.servers.items()},
    )
    return ConfigFile(name="mcp", path=host.paths.mcp, text=text, mode=0o600, secret=True)


def _entry(server: McpServer, remote_key: str) -> dict[str, Any]:
    if server.url:
        url = Secret(server.url).reveal() if is_reference(server.url) else server.url
        return {remote_key: url}
    env = {name: Secret(reference).reveal() for name, reference in server.env.items()}
    return {"command": server.command, "args": [_text(word) for word in server.args], "env": env}


def _text(word: Word) -> str:
    return word.text + (Secret(word.secret).reveal() if word.secret else "")
