"""MCP: the servers that a host offers to its agents, a file for each client. Holds secrets."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from inventory.catalogue import Catalogue, Host
from inventory.fields import is_reference
from inventory.mcp import FORMATS, Format, McpServer, Word
from inventory.secret import Secret
from tasks.configs.file import ConfigFile, Render


def servers(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    """The file of every host, for whoever has none of its own."""
    form = replace(FORMATS["common"], remote=catalogue.mcp.remote_key)
    return _file("mcp", host.paths.mcp, None, form, host, catalogue, render)


def clients(host: Host, catalogue: Catalogue, render: Render) -> Iterator[ConfigFile]:
    """The files of the clients on `host`."""
    for name, client in catalogue.mcp.clients.items():
        if client.is_on(host.name):
            form = FORMATS[client.format]
            yield _file(f"mcp-{name}", client.path, name, form, host, catalogue, render)


def _file(
    name: str,
    path: str,
    client: str | None,
    form: Format,
    host: Host,
    catalogue: Catalogue,
    render: Render,
) -> ConfigFile:
    here = {n: s for n, s in catalogue.mcp.servers.items() if s.is_for(host.name, client)}
    text = render(
        "mcp/mcp.json.j2",
        top=form.top,
        servers={server: _entry(its, form, bool(client)) for server, its in here.items()},
    )
    return ConfigFile(name=name, path=path, text=text, mode=0o600, secret=True)


def _entry(server: McpServer, form: Format, typed: bool) -> dict[str, Any]:
    """What the client is told of one server; `typed`: its transport too, if it was not said."""
    entry: dict[str, Any] = {}
    if form.types and (server.type or typed):
        entry["type"] = form.types[server.transport]
    if server.url:
        url = Secret(server.url).reveal() if is_reference(server.url) else server.url
        entry[form.remote] = url
        if server.headers:
            entry["headers"] = {name: _text(word) for name, word in server.headers.items()}
    else:
        entry["command"] = server.command
        entry["args"] = [_text(word) for word in server.args]
        entry["env"] = {name: _text(word) for name, word in server.env.items()}
    for key, theirs in form.knows.items():
        value = getattr(server, key)
        if value:
            entry[theirs] = value
    return entry


def _text(word: Word) -> str:
    return word.text + (Secret(word.secret).reveal() if word.secret else "")
