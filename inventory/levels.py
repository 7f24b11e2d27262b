"""What a host inherits: its own keys first, then its groups', then the defaults'.

The options of SSH are merged key by key. Nornir lets the nearest level's replace all the
others', and a host with one option of its own would lose its strict host keys.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inventory.errors import InventoryError

HOST_KEYS = ("role", "manager", "sudo", "tailnet", "redirect", "paths", "ssh", "was")
PLUGIN = "connection_options.netmiko"
EXTRAS = f"{PLUGIN}.extras"
PLUGIN_KEYS = ("extras", "hostname", "password", "platform", "port", "username")


@dataclass(frozen=True, kw_only=True)
class Level:
    """A host, a group or the defaults, whose `data` is the site's, too (`shared`)."""

    file: str
    name: str
    content: Mapping[str, Any]
    shared: bool = False

    def place(self, key: str) -> str:
        """`key` as the operator finds it."""
        return f"{self.file}: {f'{self.name}.{key}' if self.name else key}"


@dataclass(frozen=True, kw_only=True)
class Inherited:
    """Field -> value, and field -> where it stands.

    `host` has the fields of Host, `ssh` those of its data.ssh, `login` the extras.
    """

    host: dict[str, Any]
    ssh: dict[str, Any]
    login: dict[str, Any]
    places: dict[str, str]


def inherit(levels: Iterable[Level]) -> Inherited:
    """Every field of a host from its nearest level. Raises InventoryError."""
    found = Inherited(host={}, ssh={}, login={}, places={})
    for level in levels:
        for kind, word, value, key in _entries(level):
            fields: dict[str, Any] = getattr(found, kind)
            if word not in fields:
                fields[word] = value
                found.places[f"{kind}.{word}"] = level.place(key)
    return found


def is_logged_in_to(levels: Iterable[Level]) -> bool:
    """What the nearest level says that speaks of `data.ssh`; `false` is never."""
    found = (data["ssh"] for level in levels if "ssh" in (data := _mapping(level, "data")))
    return next(found, None) is not False


def groups_of(
    level: Level, groups: Mapping[str, Any], file: str, above: tuple[str, ...] = ()
) -> Iterator[Level]:
    """The levels of the groups that `level` names, and of theirs."""
    where, named = level.place("groups"), level.content.get("groups", [])
    if not isinstance(named, list):
        raise InventoryError(f"{where}: should be a list of groups, not {named!r}")
    for name in named:
        if not isinstance(name, str) or name not in groups:
            known = ", ".join(sorted(groups)) or "none"
            raise InventoryError(f"{where}: no group {name!r} (groups: {known})")
        if name in above:
            raise InventoryError(f"{where}: group {name!r} is in itself")
        if not isinstance(groups[name] or {}, dict):
            raise InventoryError(f"{file}: {name}: should be a mapping, not {groups[name]!r}")
        group = Level(file=file, name=name, content=groups[name] or {})
        yield group
        yield from groups_of(group, groups, file, (*above, name))


def meant(key: str) -> str:
    """Where a key stands that was written elsewhere, as a part of a sentence; else ""."""
    if key in ("user", "username"):
        return "; the SSH user is `username`, beside `port`"
    if key in HOST_KEYS:
        return f"; `{key}` stands below `data` of a host, a group or the defaults"
    return ""


def _entries(level: Level) -> Iterator[tuple[str, str, Any, str]]:
    """(kind, field, value, key in the file) of all that one level says."""
    plugin = _mapping(level, PLUGIN)
    for key in plugin:
        if key not in PLUGIN_KEYS:
            known = ", ".join(PLUGIN_KEYS)
            raise InventoryError(
                f"{level.place(f'{PLUGIN}.{key}')}: unknown key{meant(key)} (known: {known})"
            )
    if plugin.get("hostname") is not None:
        raise InventoryError(
            f"{level.place(f'{PLUGIN}.hostname')}: a host has one address: `hostname` in hosts.yaml"
        )
    for content, prefix in ((plugin, f"{PLUGIN}."), (level.content, "")):
        for key, field in (("username", "user"), ("port", "port")):
            if content.get(key) is not None:
                yield "host", field, content[key], f"{prefix}{key}"
    for key, value in _mapping(level, EXTRAS).items():
        yield "login", key, value, f"{EXTRAS}.{key}"
    data = _mapping(level, "data")
    for key, value in data.items():
        if key not in HOST_KEYS and not level.shared:
            known = ", ".join(sorted(HOST_KEYS))
            raise InventoryError(
                f"{level.place(f'data.{key}')}: unknown key{meant(key)} (known: {known})"
            )
        if key != "ssh" and key in HOST_KEYS:
            yield "host", key, value, f"data.{key}"
    ssh = {} if data.get("ssh") is False else _mapping(level, "data.ssh")
    for key, value in ssh.items():
        yield "ssh", key, value, f"data.ssh.{key}"


def _mapping(level: Level, path: str) -> Mapping[str, Any]:
    """The mapping at the dotted `path`; empty where there is none."""
    part: Mapping[str, Any] = level.content
    walked: list[str] = []
    for key in path.split("."):
        walked.append(key)
        if key not in part or (part[key] is None and key == "data"):
            return {}
        inner = part[key]
        if not isinstance(inner, dict) or not all(isinstance(k, str) for k in inner):
            where = level.place(".".join(walked))
            raise InventoryError(f"{where}: should be a mapping of keys, not {inner!r}")
        part = inner
    return part
