"""Reading the YAML files into a Catalogue, or refusing them with file, key and way out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from inventory import rules
from inventory.catalogue import Catalogue, Host, Mcp, Service, Site, Sync
from inventory.errors import InventoryError, Place, explain

T = TypeVar("T")

SITE_KEYS = (
    "domain",
    "control",
    "tunnel",
    "access",
    "access_from",
    "tls",
    "resolver",
    "journal",
    "alerts",
    "metrics",
    "heartbeat",
    "page",
    "drills",
    "schedule",
)
HOST_KEYS = ("role", "manager", "sudo", "paths")
READERS: Mapping[type[Any], TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (Site, Host, Service, Sync, Mcp)
}


@dataclass(frozen=True, kw_only=True)
class Files:
    """The files that a Nornir config names, as absolute paths."""

    config: Path
    hosts: Path
    groups: Path
    defaults: Path
    services: Path
    mcp: Path


class _Loader(yaml.CSafeLoader):
    """libyaml's SafeLoader that refuses a key which stands twice, where YAML keeps the last."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} stands twice", key_node.start_mark
            )
        seen.add(key)
    return dict(yaml.CSafeLoader.construct_mapping(loader, node, deep=True))


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in `path`. Raises InventoryError with file, line and column."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise InventoryError(f"{short(path)}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InventoryError(f"{short(path)}: is not UTF-8 text") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise InventoryError(f"{short(path)}{where}: YAML: {error.problem}") from error
    except (yaml.YAMLError, TypeError, RecursionError) as error:
        raise InventoryError(f"{short(path)}: YAML: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InventoryError(f"{short(path)}: should be a mapping of names to entries")
    return content


def short(path: Path) -> str:
    """`path` as an operator names it: below the checkout, from there."""
    root = Path(__file__).resolve().parent.parent
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def locate(config: Path) -> Files:
    """The inventory files that the Nornir settings in `config` name."""
    settings = read_yaml(config)
    try:
        options = settings["inventory"]["options"]
        extra = settings["user_defined"]
        named = {
            "hosts": options["host_file"],
            "groups": options["group_file"],
            "defaults": options["defaults_file"],
            "services": extra["services_file"],
            "mcp": extra["mcp_file"],
        }
        folder = config.resolve().parent
        return Files(config=config, **{k: (folder / v).resolve() for k, v in named.items()})
    except (KeyError, TypeError) as error:
        raise InventoryError(
            f"{short(config)}: should name host_file, group_file and defaults_file under "
            f"inventory.options, services_file and mcp_file under user_defined; wrong: {error}"
        ) from error


def load_catalogue(config: Path) -> Catalogue:
    """Read and check everything that `config` names.

    Raises InventoryError; its text holds every problem found, one a line.
    """
    files = locate(config)
    defaults = read_yaml(files.defaults)
    site = _site(files, defaults)
    hosts = _hosts(files, defaults)
    services, syncs = _services(files, site)
    mcp = _read(Mcp, read_yaml(files.mcp), _below(files.mcp))
    catalogue = Catalogue(site=site, hosts=hosts, services=services, syncs=syncs, mcp=mcp)
    rules.refuse_contradictions(catalogue, files={k: short(v) for k, v in vars(files).items()})
    return catalogue


def _read(kind: type[T], raw: Any, place: Place) -> T:
    try:
        made: T = READERS[kind].validate_python(raw)
    except ValidationError as error:
        raise InventoryError(explain(error, kind, place)) from error
    return made


def _below(path: Path, *keys: str) -> Place:
    """The place of every key of an entry: below `keys` in `path`."""
    return lambda key: f"{short(path)}: {'.'.join([*keys, key] if key else keys) or 'the file'}"


def _site(files: Files, defaults: Mapping[str, Any]) -> Site:
    data = _part(defaults, "data", files.defaults)
    stray = sorted(set(data) - {*SITE_KEYS, *HOST_KEYS})
    if stray:
        known = ", ".join(sorted({*SITE_KEYS, *HOST_KEYS}))
        raise InventoryError(f"{short(files.defaults)}: data.{stray[0]}: unknown key ({known})")
    own = {key: value for key, value in data.items() if key in SITE_KEYS}
    return _read(Site, own, _below(files.defaults, "data"))


def _hosts(files: Files, defaults: Mapping[str, Any]) -> dict[str, Host]:
    groups, entries = read_yaml(files.groups), read_yaml(files.hosts)
    return {name: _host(files, name, entries, groups, defaults) for name in entries}


def _host(
    files: Files,
    name: str,
    entries: Mapping[str, Any],
    groups: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> Host:
    """The host as Nornir resolves it: its own keys, then its groups', then the defaults'."""
    entry = _part(entries, name, files.hosts)
    raw: dict[str, Any] = {"name": name, "address": entry.get("hostname")}
    places = {"address": f"{short(files.hosts)}: {name}.hostname"}
    layers: list[tuple[Path, str, Mapping[str, Any]]] = [(files.hosts, name, entry)]
    for group in _groups_of(entry, f"{short(files.hosts)}: {name}.groups", groups):
        layers.append((files.groups, group, _part(groups, group, files.groups)))
    layers.append((files.defaults, "", defaults))
    for path, key, layer in layers:
        for word, value, where in _host_keys(layer, shared=path == files.defaults):
            if word not in raw:
                raw[word] = value
                places[word] = f"{short(path)}: {f'{key}.{where}' if key else where}"
    return _read(Host, raw, lambda word: places.get(word, f"{short(files.hosts)}: {name}.{word}"))


def _host_keys(layer: Mapping[str, Any], *, shared: bool) -> Iterator[tuple[str, Any, str]]:
    """(field of Host, value, key in the file) of one layer; a `shared` one holds more."""
    for source, word in (("username", "user"), ("port", "port")):
        if layer.get(source) is not None:
            yield word, layer[source], source
    for word, value in (layer.get("data") or {}).items():
        if word in HOST_KEYS or not shared:
            yield word, value, f"data.{word}"


def _groups_of(entry: Mapping[str, Any], where: str, groups: Mapping[str, Any]) -> Iterable[str]:
    named = entry.get("groups", [])
    if not isinstance(named, list):
        raise InventoryError(f"{where}: should be a list of groups, not {named!r}")
    for group in named:
        if group not in groups:
            raise InventoryError(f"{where}: no group {group!r} (groups: {_list(groups)})")
        yield group


def _services(files: Files, site: Site) -> tuple[dict[str, Service], dict[str, Sync]]:
    content = read_yaml(files.services)
    stray = set(content) - {"services", "syncs"}
    if stray:
        raise InventoryError(
            f"{short(files.services)}: {min(stray)}: unknown key (known: services, syncs)"
        )
    problems: list[str] = []
    services = _entries(Service, content, "services", files, problems)
    syncs = _entries(Sync, content, "syncs", files, problems)
    if problems:
        raise InventoryError("\n".join(problems))
    return {name: _complete(s, site.domain) for name, s in services.items()}, syncs


def _entries(
    kind: type[T], content: Mapping[str, Any], part: str, files: Files, problems: list[str]
) -> dict[str, T]:
    """Every entry below `part`; what is wrong with any goes to `problems`."""
    found: dict[str, T] = {}
    for name, entry in _part(content, part, files.services).items():
        try:
            raw = {"name": name, **_part({name: entry}, name, files.services, part)}
            if kind is Service:
                raw = {"title": name, "unit": name, **raw}
            found[name] = _read(kind, raw, _below(files.services, name))
        except InventoryError as error:
            problems.append(str(error))
    return found


def _complete(service: Service, domain: str) -> Service:
    """`hostname: plex` stands for plex.DOMAIN; a full name stays as it is."""
    if "." in service.hostname:
        return service
    return replace(service, hostname=f"{service.hostname}.{domain}")


def _part(mapping: Mapping[str, Any], key: str, path: Path, parent: str = "") -> dict[str, Any]:
    value = mapping.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(k, str) for k in value):
        where = f"{parent}.{key}" if parent else key
        raise InventoryError(f"{short(path)}: {where}: should be a mapping of keys, not {value!r}")
    return value


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
