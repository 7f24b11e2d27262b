"""Rules of inventory/mcp.yaml: a server is a command or an address, and no secret stands in it."""

import re
from collections.abc import Iterator
from itertools import pairwise

from inventory.catalogue import Catalogue, McpServer

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
WAY_OUT = {
    "args": "put it into a file of mode 0600 and write {secret: file:PATH} in its place",
    "url": "put the whole address into a file of mode 0600 and write url: file:PATH",
    "command": "hand it over by env, as a reference",
}


def mcp_servers_are_one_kind(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for name, server in catalogue.mcp.servers.items():
        if bool(server.command) == bool(server.url):
            yield f"servers.{name}", "needs either command or url, not both or neither"
        if server.url and (server.args or server.env):
            yield f"servers.{name}", "args and env belong to a command, not to a url"


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
    for key in ("command", "url"):
        if _holds_secret(getattr(server, key) or ""):
            yield key


def _holds_secret(word: str) -> bool:
    """A token that is known by its looks, or `some-key=VALUE`, also in a query."""
    if any(pattern.search(word) for pattern in (TOKEN, BEARER, PASSWORD_IN_URL)):
        return True
    pairs = (part.partition("=") for part in re.split(r"[?&, ]", word))
    return any(SECRET_FLAG.fullmatch(key) and _is_value(value) for key, _, value in pairs)


def _is_value(word: str) -> bool:
    """Not a number, a further flag, a path, or a variable for the server itself to fill in."""
    return len(word) >= SHORTEST and word[0] not in "-/$~" and not word.isdigit()


RULES = (mcp_servers_are_one_kind, no_secret_stands_in_plain_text)
