"""MCP: the servers that hosts offer to their agents, and the files that their clients read.

A client has a file of its own, in its own format (`FORMATS`). What a format has no key for is
refused for that client, not left out in silence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from inventory.fields import (
    EnvName,
    Flag,
    HeaderName,
    Line,
    McpName,
    Name,
    Path,
    SecretText,
    Strict,
    UrlOrSecret,
    is_reference,
)

Transport = Literal["stdio", "http", "sse"]


@dataclass(frozen=True, kw_only=True)
class Format:
    """How a client writes a server: `top` holds them all, `remote` the address.

    `types` are the words for each transport, where it has a key for them; `knows` are the keys
    of ours that it has one for, by its name for each; timeouts are seconds in all of them.
    """

    top: str = "mcpServers"
    remote: str = "url"
    types: Mapping[str, str] = field(default_factory=dict)
    knows: Mapping[str, str] = field(default_factory=dict)


_PLAIN = {"stdio": "stdio", "http": "http", "sse": "sse"}
FORMATS: Mapping[str, Format] = {
    # What most clients read; `remote_key` of mcp.yaml names the address.
    "common": Format(
        types=_PLAIN,
        knows={
            "cwd": "cwd",
            "disabled": "disabled",
            "timeout": "timeout",
            "auto_approve": "autoApprove",
        },
    ),
    # code.claude.com/docs/en/mcp
    "claude-code": Format(types=_PLAIN),
    # code.visualstudio.com/docs/copilot/reference/mcp-configuration
    "vscode": Format(top="servers", types=_PLAIN),
    # docs.cline.bot/mcp/configuring-mcp-servers
    "cline": Format(
        types={"stdio": "stdio", "http": "streamableHttp", "sse": "sse"},
        knows={"disabled": "disabled", "timeout": "timeout", "auto_approve": "alwaysAllow"},
    ),
}


def _word(value: Any) -> Any:
    """A word without a secret is plain text in YAML, or a number."""
    if isinstance(value, bool):
        return value
    return {"text": str(value)} if isinstance(value, str | int | float) else value


def _value(value: Any) -> Any:
    """A value that is a reference is a secret; another one is a word."""
    return {"secret": value} if isinstance(value, str) and is_reference(value) else _word(value)


@dataclass(frozen=True, kw_only=True)
class Word(Strict):
    """One word of a command: a text, and right behind it a secret, or one of them."""

    text: Line = ""
    secret: SecretText | None = None


@dataclass(frozen=True, kw_only=True)
class McpServer(Strict):
    """One MCP server: a `command` to start in `cwd`, or a `url` to reach, which may be a secret.

    Values of `env` and `headers` are secrets by reference, plain text, or `{text: "Bearer ",
    secret: env:TOKEN}`. `timeout` counts seconds. It is for all `hosts` and `clients` where
    these are not named.
    """

    type: Transport | None = None
    command: Line | None = None
    args: tuple[Annotated[Word, BeforeValidator(_word)], ...] = ()
    cwd: Path | None = None
    env: Mapping[EnvName, Annotated[Word, BeforeValidator(_value)]] = field(default_factory=dict)
    url: UrlOrSecret | None = None
    headers: Mapping[HeaderName, Annotated[Word, BeforeValidator(_value)]] = field(
        default_factory=dict
    )
    disabled: Flag = False
    timeout: Annotated[int, Field(strict=True, ge=1, le=3600)] | None = None
    auto_approve: tuple[Line, ...] = ()
    hosts: tuple[Name, ...] = ()
    clients: tuple[Name, ...] = ()

    @property
    def transport(self) -> Transport:
        return self.type or ("http" if self.url else "stdio")

    def is_for(self, host: str, client: str | None) -> bool:
        """Does it stand in the file of `client` on `host`? None is the file of every host."""
        here = not self.hosts or host in self.hosts
        return here and (not self.clients or client in self.clients)


@dataclass(frozen=True, kw_only=True)
class McpClient(Strict):
    """A program that reads MCP servers from a file of its own, on all `hosts` or on these.

    The whole file is twinedge's: of a program's settings that hold more than servers it is not.
    """

    format: Literal["common", "claude-code", "vscode", "cline"] = "common"
    path: Path
    hosts: tuple[Name, ...] = ()

    def is_on(self, host: str) -> bool:
        return not self.hosts or host in self.hosts


@dataclass(frozen=True, kw_only=True)
class Mcp(Strict):
    """inventory/mcp.yaml: the servers, in a file of every host (`paths.mcp`) and of each client."""

    remote_key: Literal["url", "serverUrl"] = "url"
    servers: Mapping[McpName, McpServer] = field(default_factory=dict)
    clients: Mapping[Name, McpClient] = field(default_factory=dict)
