"""The one place where a value is made safe for a config or a shell.

Every filter returns `Quoted`, and the template environment prints nothing else: a value
that no filter has seen is an error, not a hole (`tasks.configs.render`).
"""

import html
import json
import re
import shlex
import sys
from typing import Any

import yaml


class Quoted(str):
    """Text that is safe where it is about to stand."""


class UnsafeValue(ValueError):
    """A value that cannot be written in the target's syntax at all."""


# An IPv6 address in brackets may stand in front, before its port.
_TOKEN = re.compile(r"(\[[0-9a-f:.]+\])?[A-Za-z0-9._~/?&=+,:@%*-]+")


def token(value: object) -> Quoted:
    """A word that needs no quotes in any of our configs; anything else is refused.

    For syntaxes without a safe escape: a Caddyfile expands `{$NAME}` before it reads
    quotes, a systemd unit expands `%`-specifiers and `$NAME` in a command line.
    """
    text = str(value)
    if not _TOKEN.fullmatch(text):
        raise UnsafeValue(f"{text!r} may not stand in this config")
    return Quoted(text)


def caddy_pattern(*texts: str, any_case: bool = False) -> Quoted:
    """A regular expression of Go (RE2) that finds one of `texts` as it is, as one word of a
    Caddyfile.

    All of ASCII but letters and digits is written as its number, so that neither RE2 nor the
    Caddyfile (quotes, `{$NAME}`, `{placeholder}`) finds anything to read in it. The empty text
    is an empty word, which Caddy takes for no expression.
    """
    plain = [
        "".join(c if c.isalnum() or not c.isascii() else f"\\x{ord(c):02x}" for c in text)
        for text in texts
    ]
    return Quoted(f"`{'(?i)' if any_case else ''}{'|'.join(plain)}`")


def caddy_text(text: str) -> Quoted:
    """Text as one word of a Caddyfile, told as it is. Raises UnsafeValue where none can be.

    Stands outside of every snippet: an `import` would take the backslashes away. What Caddy
    replaces while it reads (`{$NAME}`, `{host}`) no backslash keeps from it.
    """
    if re.search(r"`|\r|\{[$A-Za-z]|\\[{}]", text):
        raise UnsafeValue(f"{text!r} may not stand in this config")
    return Quoted("`" + text.replace("{", "\\{") + "`")


def yaml_string(value: object) -> Quoted:
    """A double-quoted YAML scalar on one line."""
    return Quoted(yaml.safe_dump(str(value), default_style='"', width=sys.maxsize).rstrip("\n"))


def json_document(value: Any) -> Quoted:
    """A JSON document, indented, in the order of its keys."""
    return Quoted(json.dumps(value, indent=2))


def lua_string(value: object) -> Quoted:
    """A Lua 5 string; every byte that is not plain is a decimal escape."""
    plain = (
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03d}"
        for byte in str(value).encode()
    )
    return Quoted(f'"{"".join(plain)}"')


def shell(value: object) -> Quoted:
    """One word of a POSIX shell. Raises UnsafeValue on NUL, which no shell can hold."""
    if "\0" in str(value):
        raise UnsafeValue("a shell word cannot hold a NUL byte")
    return Quoted(shlex.quote(str(value)))


def dns_text(value: object) -> Quoted:
    """A character-string of a DNS record (RFC 1035, 5.1): what is not plain is a decimal escape.

    Raises UnsafeValue where it is longer than the 255 bytes that one may have.
    """
    found = str(value).encode()
    if len(found) > 255:
        raise UnsafeValue(f"{str(value)[:20]!r}…: a text of a DNS record has at most 255 bytes")
    plain = (chr(b) if chr(b).isalnum() and b < 128 else f"\\{b:03d}" for b in found)
    return Quoted(f'"{"".join(plain)}"')


def html_text(value: object) -> Quoted:
    """Text of an HTML page, or of a quoted attribute."""
    return Quoted(html.escape(str(value)))


FILTERS = {
    "html": html_text,
    "token": token,
    "caddy_text": caddy_text,
    "yaml": yaml_string,
    "json": json_document,
    "lua": lua_string,
    "sh": shell,
    "dns": dns_text,
}


def finalize(value: object) -> object:
    """Jinja's last look at a printed value: quoted text and numbers pass."""
    if isinstance(value, Quoted) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise UnsafeValue(f"{value!r} reaches a config without a filter ({', '.join(FILTERS)})")
