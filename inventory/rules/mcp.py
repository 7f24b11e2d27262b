"""Rules of inventory/mcp.yaml: a server is a command or an address, and no secret stands in it."""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from inventory.catalogue import Catalogue
from inventory.mcp import FORMATS, McpServer, Word
from inventory.rules.words import unknown_host

# How the tokens of well-known services begin, by their own documentation.
TOKEN = re.compile(
    r"\b(gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sk-|AKIA|ya29\.|hf_|npm_|pypi-|AIza|eyJ)"
    r"[A-Za-z0-9_.-]{10}"
)
SECRET_FLAG = re.compile(
    r"-{0,2}[a-z0-9_-]*(token|secret|passw(or)?d|api[_-]?key|access[_-]?key)", re.IGNORECASE
)
BEARER = re.compile(r"\b(Bearer|Basic) [A-Za-z0-9+/._=-]{8}", re.IGNORECASE)
PASSWORD_IN_URL = re.compile(r"[a-z]+://[^/@ ]*:[^/@ ]+@")
SHORTEST = 8  # characters of what may be a secret
# What `env` and `headers` call a value that nobody else may know.
SECRET_NAME = re.compile(r"token|secret|passw|api_?-?key|access_?-?key|auth|cookie", re.IGNORECASE)
WAY_OUT = {
    "args": "put it into a file of mode 0600 and write {secret: file:PATH} in its place",
    "url": "put the whole address into a file of mode 0600 and write url: file:PATH",
    "env": "write it by reference: env:NAME, file:PATH or cmd:COMMAND",
    "headers": 'write it by reference, as in {text: "Bearer ", secret: env:NAME}',
    "command": "hand it over by env, as a reference",
}


def mcp_servers_are_one_kind(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for name, server in catalogue.mcp.servers.items():
        if bool(server.command) == bool(server.url):
            yield f"servers.{name}", "needs either command or url, not both or neither"
        if server.url and (server.args or server.env or server.cwd):
            yield f"servers.{name}", "args, env and cwd belong to a command, not to a url"
        if server.command and server.headers:
            yield f"servers.{name}", "headers belong to a url, not to a command"
        if (server.type == "stdio") != bool(server.command) and server.type:
            yield f"servers.{name}.type", "stdio is a command's; http and sse are a url's"


def hosts_and_clients_exist(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    mcp = catalogue.mcp
    named = [(f"servers.{name}", server.hosts) for name, server in mcp.servers.items()]
    named += [(f"clients.{name}", client.hosts) for name, client in mcp.clients.items()]
    for key, hosts in named:
        for host in hosts:
            if problem := unknown_host(catalogue, host):
                yield f"{key}.hosts", problem
    for name, server in mcp.servers.items():
        for client in server.clients:
            if client not in mcp.clients:
                known = ", ".join(sorted(mcp.clients)) or "none"
                yield f"servers.{name}.clients", f"no client {client!r} (clients: {known})"


def a_client_has_a_key_for_all_that_is_said(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    mcp = catalogue.mcp
    for client, its in mcp.clients.items():
        for name, server in mcp.servers.items():
            if server.clients and client not in server.clients:
                continue
            for key in ("cwd", "disabled", "timeout", "auto_approve"):
                if getattr(server, key) and key not in FORMATS[its.format].knows:
                    yield (
                        f"servers.{name}.{key}",
                        f"client {client}: its format ({its.format}) has no such key; name the "
                        f"others alone: servers.{name}.clients",
                    )


def no_secret_stands_in_plain_text(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """The text itself is not repeated."""
    for name, server in catalogue.mcp.servers.items():
        for key in _plain_secrets(server):
            way_out = WAY_OUT[key.partition(".")[0]]
            yield f"servers.{name}.{key}", f"looks like a secret: {way_out}"


def _plain_secrets(server: McpServer) -> Iterator[str]:
    for index, (before, word) in enumerate(pairwise(("", *(arg.text for arg in server.args)))):
        if _holds_secret(word) or (SECRET_FLAG.fullmatch(before) and _is_value(word)):
            yield f"args.{index}"
    for kind in ("env", "headers"):
        words: Mapping[str, Word] = getattr(server, kind)
        yield from (f"{kind}.{name}" for name, its in words.items() if _is_plain_secret(name, its))
    for key in ("command", "url"):
        if _holds_secret(getattr(server, key) or ""):
            yield key


def _is_plain_secret(name: str, word: Word) -> bool:
    """A name that promises a secret has one by reference, or a number, a path, a variable."""
    if _holds_secret(word.text):
        return True
    promised = SECRET_NAME.search(name) and word.secret is None and word.text
    return bool(promised and word.text[0] not in "-/$~" and not word.text.isdigit())


def _holds_secret(word: str) -> bool:
    """A token that is known by its looks, or `some-key=VALUE`, also in a query."""
    if any(pattern.search(word) for pattern in (TOKEN, BEARER, PASSWORD_IN_URL)):
        return True
    pairs = (part.partition("=") for part in re.split(r"[?&, ]", word))
    return any(SECRET_FLAG.fullmatch(key) and _is_value(value) for key, _, value in pairs)


def _is_value(word: str) -> bool:
    """Not a number, a further flag, a path, or a variable for the server itself to fill in."""
    return len(word) >= SHORTEST and word[0] not in "-/$~" and not word.isdigit()


RULES = (
    mcp_servers_are_one_kind,
    hosts_and_clients_exist,
    a_client_has_a_key_for_all_that_is_said,
    no_secret_stands_in_plain_text,
)
