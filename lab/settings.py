"""How the lab runs the services of a site: origins.yaml beside its config.yaml, if it is there.

The product never reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from lab.errors import LabError

FILE = "origins.yaml"
Listen = Literal["tailnet", "loopback", "all"]
Network = Literal["host", "bridge"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One service's. Restart policy, network and health check are a container's alone."""

    listen: Listen = "tailnet"  # behind a bridge: where its port is published
    stop_timeout: int = 10  # seconds until what ignores SIGTERM is killed; docker's default
    restart: str = "unless-stopped"
    network: Network = "host"
    health_interval: int = 10  # seconds; 0 is no health check


class OriginSettings:
    """The settings of a site's services by name; `defaults` hold where one says nothing."""

    def __init__(self, config: Path) -> None:
        self._file = config.with_name(FILE)
        content = self._read()
        self._defaults = content.get("defaults") or {}
        self._services = content.get("services") or {}

    def of(self, service: str) -> Settings:
        """Raises LabError with the key that is wrong."""
        own = self._services.get(service) or {}
        if not isinstance(own, Mapping) or not isinstance(self._defaults, Mapping):
            raise LabError(f"{self._file}: {service}: should be a mapping")
        told = {**self._defaults, **own}
        for key, value in told.items():
            self._check(service, key, value)
        return Settings(**told)

    def _read(self) -> Mapping[str, Mapping[str, object]]:
        if not self._file.exists():
            return {}
        from inventory.yaml_file import read_yaml  # slow to import, and only `up` needs it

        return read_yaml(self._file)

    def _check(self, service: str, key: str, value: object) -> None:
        known = {field.name: field.type for field in fields(Settings)}
        if key not in known:
            raise LabError(f"{self._file}: {service}: no setting {key!r} ({', '.join(known)})")
        allowed = get_args(known[key])
        wanted = int if known[key] is int else str
        if not isinstance(value, wanted) or (allowed and value not in allowed):
            should = ", ".join(allowed) or f"like {getattr(Settings, key)!r}"
            raise LabError(f"{self._file}: {service}: {key} is {value!r}, should be {should}")
