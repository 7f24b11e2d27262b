"""Reading the YAML files into a Catalogue, or refusing them with file, key and way out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from inventory import audiences, rules
from inventory.appliance import DATA, KEYS, Appliance
from inventory.catalogue import Catalogue, HealthCheck, Host, Service, Site, Sync
from inventory.errors import InventoryError
from inventory.levels import (
    EXTRAS,
    HOST_KEYS,
    Level,
    groups_of,
    inherit,
    is_logged_in_to,
    meant,
)
from inventory.mcp import Mcp
from inventory.ssh import Login, Ssh, refuse_client_settings
from inventory.wording import Place, brief, explain
from inventory.yaml_file import read_yaml, short

T = TypeVar("T")

SITE_KEYS = (
    "domain",
    "domains",
    "control",
    "tunnel",
    "access",
    "access_from",
    "caddy",
    "cloudflare",
    "tailscale",
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
NORNIR_KEYS = (
    *("connection_options", "data", "groups", "hostname"),
    *("password", "platform", "port", "username"),
)


@dataclass(frozen=True, kw_only=True)
class Files:
    """The files that a Nornir config names, as absolute paths."""

    config: Path
    hosts: Path
    groups: Path
    defaults: Path
    services: Path
    mcp: Path


def locate(config: Path) -> Files:
    """The inventory files that the Nornir settings in `config` name."""
    settings = read_yaml(config)
    refuse_client_settings(short(config), settings)
    _refuse_host_keys(short(config), settings)
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
        for key, path in named.items():
            if not isinstance(path, str) or not path.isprintable():
                raise InventoryError(f"{short(config)}: the file of {key}: {path!r} is no path")
        folder = config.resolve().parent
        return Files(config=config, **{k: (folder / v).resolve() for k, v in named.items()})
    except (KeyError, TypeError) as error:
        raise InventoryError(
            f"{short(config)}: should name host_file, group_file and defaults_file under "
            f"inventory.options, services_file and mcp_file under user_defined; wrong: {error}"
        ) from error


def _refuse_host_keys(file: str, settings: Mapping[str, Any]) -> None:
    """Nornir takes any key in its settings without a word. Raises InventoryError for one that
    means something elsewhere."""
    inventory, own = settings.get("inventory"), settings.get("user_defined")
    options = inventory.get("options") if isinstance(inventory, dict) else None
    parts = (("", settings), ("inventory.options.", options), ("user_defined.", own))
    for prefix, part in parts:
        for key in part if isinstance(part, dict) else ():
            if isinstance(key, str) and key != "ssh" and meant(key):
                raise InventoryError(f"{file}: {prefix}{key}: means nothing here{meant(key)}")


def load_catalogue(config: Path) -> Catalogue:
    """Read and check everything that `config` names.

    Raises InventoryError; its text holds every problem found, one a line.
    """
    files = locate(config)
    defaults = read_yaml(files.defaults)
    site = _site(files, defaults)
    hosts, appliances = _hosts(files, defaults)
    services, syncs = _services(files, site)
    services = audiences.known(audiences.beside(files.services), services)
    mcp = _read(Mcp, read_yaml(files.mcp), _below(files.mcp))
    catalogue = Catalogue(
        config=config.resolve(),
        site=site,
        hosts=hosts,
        appliances=appliances,
        services=services,
        syncs=syncs,
        mcp=mcp,
    )
    rules.refuse_contradictions(catalogue, files={k: short(v) for k, v in vars(files).items()})
    return catalogue


@cache
def _reader(kind: type[Any]) -> TypeAdapter[Any]:
    """What reads a `kind`, built when the first is read."""
    return TypeAdapter(kind)


def _read(kind: type[T], raw: Any, place: Place) -> T:
    try:
        made: T = _reader(kind).validate_python(raw)  # type: ignore[arg-type]
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


def _hosts(
    files: Files, defaults: Mapping[str, Any]
) -> tuple[dict[str, Host], dict[str, Appliance]]:
    groups, entries = read_yaml(files.groups), read_yaml(files.hosts)
    _refuse_unknown_keys({"": defaults}, files.defaults)
    _refuse_unknown_keys(groups, files.groups)
    _refuse_unknown_keys(entries, files.hosts)
    hosts: dict[str, Host] = {}
    appliances: dict[str, Appliance] = {}
    for name in entries:
        levels = _levels(files, name, entries, groups, defaults)
        if is_logged_in_to(levels):
            hosts[name] = _host(levels)
        else:
            appliances[name] = _appliance(levels[0])
    return hosts, appliances


def _refuse_unknown_keys(entries: Mapping[str, Any], path: Path) -> None:
    """Nornir takes a misspelt key without a word, and leaves it out."""
    for name in entries:
        for key in _part(entries, name, path):
            if key not in NORNIR_KEYS:
                where = f"{name}.{key}" if name else key
                known = ", ".join(NORNIR_KEYS)
                raise InventoryError(
                    f"{short(path)}: {where}: unknown key{meant(key)} (known: {known})"
                )


def _levels(
    files: Files,
    name: str,
    entries: Mapping[str, Any],
    groups: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> list[Level]:
    """What Nornir resolves a host from: its own keys, then its groups', then the defaults'."""
    own = Level(file=short(files.hosts), name=name, content=_part(entries, name, files.hosts))
    shared = Level(file=short(files.defaults), name="", content=defaults, shared=True)
    return [own, *groups_of(own, groups, short(files.groups)), shared]


def _appliance(own: Level) -> Appliance:
    """Of what others say only `ssh: false` counts; its own entry may say nothing else."""
    data = own.content.get("data") or {}
    stray = [key for key in own.content if key not in KEYS]
    stray += [f"data.{key}" for key in data if key not in DATA]
    if stray:
        raise InventoryError(
            f"{own.place(stray[0])}: has no meaning with ssh: false: nobody logs in to {own.name}"
        )
    raw = {"name": own.name, "address": own.content.get("hostname"), "was": data.get("was")}
    places = {"address": own.place("hostname"), "was": own.place("data.was")}
    return _read(Appliance, raw, lambda key: places.get(key, own.place("")))


def _host(levels: list[Level]) -> Host:
    own, found = levels[0], inherit(levels)

    def place(kind: str, else_at: str) -> Place:
        return lambda word: found.places.get(f"{kind}.{word}", own.place(f"{else_at}{word}"))

    raw = {
        **found.host,
        "name": own.name,
        "address": own.content.get("hostname"),
        "login": _read(Login, found.login, place("login", f"{EXTRAS}.")),
        "ssh": _read(Ssh, found.ssh, place("ssh", "data.ssh.")),
    }
    found.places["host.address"] = own.place("hostname")
    return _read(Host, raw, place("host", ""))


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
            said = _part({name: entry}, name, files.services, part)
            if "name" in said:
                raise InventoryError(
                    f"{short(files.services)}: {name}.name: unknown key: the name is {name!r}, "
                    "above it"
                )
            raw = {"name": name, **said}
            if kind is Service:
                raw = {"title": name, "unit": name, **_of_edges(raw), **raw}
            found[name] = _read(kind, raw, _below(files.services, name))
        except InventoryError as error:
            problems.append(str(error))
    return found


def _of_edges(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a service need not say that the edges answer themselves: it is at their own port."""
    front = raw.get("front")
    keys = ("root", "redirect", "respond")
    return {"port": 443} if isinstance(front, dict) and any(k in front for k in keys) else {}


def _complete(service: Service, domain: str) -> Service:
    """With every name in full; what the edges answer themselves has its health in that."""
    alone = service.front.alone
    if alone and service.health is None:
        always = alone.respond or alone.redirect
        service = replace(
            service, health=HealthCheck(path="/", status=always.status if always else 200)
        )
    return service.named_in(domain)


def _part(mapping: Mapping[str, Any], key: str, path: Path, parent: str = "") -> dict[str, Any]:
    value = mapping.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(k, str) for k in value):
        where = f"{parent}.{key}" if parent else key
        raise InventoryError(
            f"{short(path)}: {where}: should be a mapping of keys, not {brief(value)}"
        )
    return value
