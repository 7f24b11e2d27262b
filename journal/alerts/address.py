"""Whether an apprise address says what its writer meant, before a message goes elsewhere."""

import re

CODES = {"/": "%2F", "@": "%40", ":": "%3A", "#": "%23", "?": "%3F"}


def misread(url: str) -> str:
    """What apprise would take for something else in `url`, with the way to write it; or "".

    Measured with apprise 2.2: `ntfy://user:pa/ss@ntfy.example/topic` goes to the public
    server, `ntfy://user:p@ss@host/topic` to the host `ss`. Nothing of `url` is repeated.
    """
    rest = url.partition("://")[2]
    authority, path = re.fullmatch(r"([^/?#]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    user, at, _ = authority.rpartition("@")
    if not at:
        named, _, port = authority.partition(":")
        cut = bool(named and port and not port.isdigit() and re.search("[^/]@", path))
        return _code(path[0]) if cut else ""
    if "@" in user:
        return _code("@")
    return _code(":") if user.count(":") > 1 else ""


def _code(character: str) -> str:
    return f"its password holds a {character!r}: write {CODES[character]} in its place"
