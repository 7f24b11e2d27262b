"""Own lines: what an operator wrote himself into an edge's Caddyfile, judged by what the edge's
Caddy makes of it.

Containment needs no reading of the lines: the config with them, those parts left out that bear
their mark, is the config without them. So listeners, names and all that is ours stay as they are.
What is inside of a mark is judged handler by handler, and what is not known there is refused.
"""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inventory.catalogue import Catalogue, Host
from tasks.configs.caddy_front import own_lines
from tasks.configs.file import ConfigFile
from tasks.doctor.own_handlers import MARK, Own, effects_of, refused
from tasks.host import host_side
from tasks.quote import shell as word

WITH, BARE = "with", "bare"
END = "TWINEDGE-END"  # ends what is sent inside a script; base64 holds no dash


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """What an edge's Caddy made of a Caddyfile: a config, or `why` it made none."""

    config: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""


def look_script(files: Sequence[ConfigFile]) -> str:
    """The script that prints what `parse` reads, of the configs with own lines in them."""
    texts = {
        name: text
        for config in files
        if config.bare is not None
        for name, text in ((WITH, config.text), (BARE, config.bare))
    }
    asked = [
        f"adapt {word(name)} <<'{END}'\n"
        f"{base64.encodebytes(gzip.compress((text or '').encode())).decode()}{END}\n"
        for name, text in texts.items()
    ]
    return f"{host_side('adapt.sh')}{''.join(asked)}" if asked else ""


def parse(text: str) -> Mapping[str, Adapted]:
    """By name, what adapt.sh printed."""
    found = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        name, _, told = rest.partition(" ")
        if kind == "adapted":
            found[name] = _config(gzip.decompress(base64.b64decode(told)))
        elif kind == "unadapted":
            found[name] = Adapted(why=_message(told))
    return found


def _config(text: bytes) -> Adapted:
    try:
        return Adapted(config=json.loads(text))
    except ValueError:
        return Adapted(why="it says nothing of them")


def _message(line: str) -> str:
    """Of a line of Caddy's log, what it says."""
    try:
        return str(json.loads(line)["msg"])
    except (ValueError, KeyError, TypeError):
        return line


def problems(
    adapted: Mapping[str, Adapted], edge: Host, catalogue: Catalogue
) -> Iterator[tuple[str, str]]:
    """(key, why it may not be so) of own lines on `edge`."""
    places = {key: s for s in catalogue.web_services for key in own_lines(s, catalogue)}
    if not places:
        return
    if not adapted:
        yield "caddy", "own lines are judged by the edge's own Caddy, which is not there"
    elif adapted[WITH].why or adapted[BARE].why:
        yield "caddy", f"Caddy refuses own lines: {adapted[WITH].why or adapted[BARE].why}"
    elif _without_own(adapted[WITH].config) != _without_own(adapted[BARE].config):
        yield "caddy", f"{' and '.join(places)}: own lines change what stands around them"
    else:
        judged = {
            (own.key, problem)
            for own in _owns(adapted[WITH].config, catalogue)
            for problem in refused(own, edge, catalogue)
        }
        yield from sorted(judged)


def effects(
    adapted: Mapping[str, Adapted], edge: Host, catalogue: Catalogue
) -> Iterator[tuple[str, str]]:
    """(key, what of ours does not hold there) of own lines that may be as they are."""
    if WITH in adapted and not any(problems(adapted, edge, catalogue)):
        owns = _owns(adapted[WITH].config, catalogue)
        yield from sorted({(own.key, effect) for own in owns for effect in effects_of(own)})


# --- containment ------------------------------------------------------------------------------


def _mark(part: Any) -> str | None:
    """Whose own lines a handler is, if it is some."""
    try:
        first = part["routes"][0]["handle"][0]
        found = first[MARK] if part["handler"] == "subroute" else None
    except (KeyError, IndexError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _without_own(config: Any) -> Any:
    """The config with nothing but their marks for own lines, and groups by their order."""
    groups: dict[str, str] = {}

    def pruned(part: Any) -> Any:
        if isinstance(part, list):
            return [pruned(one) for one in part]
        if not isinstance(part, dict):
            return part
        mark = _mark(part)
        if mark:
            return {MARK: mark}
        made = {key: pruned(value) for key, value in part.items() if key != "group"}
        if "group" in part:
            made["group"] = groups.setdefault(str(part["group"]), f"{len(groups)}")
        return made

    return pruned(config)


def _owns(part: Any, catalogue: Catalogue) -> Iterator[Own]:
    """Every place of own lines, once for each site that it stands in."""
    mark = _mark(part)
    if mark:
        name, _, place = mark.partition("@")
        yield Own(service=catalogue.services[name], place=place, routes=part["routes"])
        return
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, dict | list):
            yield from _owns(inner, catalogue)
