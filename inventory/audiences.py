"""audiences.yaml, beside services.yaml: the AUD tag of each protected name's Access application.

Cloudflare gives an application its tag when it is made, so outside.py writes the file and git
keeps it: whoever renders an ingress, a stand-in too, demands the same application. A tag is no
secret; every login page shows it.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from inventory.catalogue import Service
from inventory.errors import InventoryError
from inventory.fields import Audience, DnsName
from inventory.wording import explain
from inventory.yaml_file import read_yaml, short

HEADER = """\
# The AUD tag of each protected name's Access application, which the ingress demands. Written by
# python runbooks/outside.py --apply; commit it. An `audience` in services.yaml goes before it.
"""
_AUDIENCES: TypeAdapter[dict[DnsName, Audience]] = TypeAdapter(dict[DnsName, Audience])


def beside(services: Path) -> Path:
    """Where the file lies."""
    return services.with_name("audiences.yaml")


def known(path: Path, services: Mapping[str, Service]) -> dict[str, Service]:
    """`services` with the tag of each that is protected. Raises InventoryError."""
    tags = read(path)
    return {
        name: replace(service, audience=tags[service.hostname])
        if service.is_protected and service.audience is None and service.hostname in tags
        else service
        for name, service in services.items()
    }


def read(path: Path) -> Mapping[str, str]:
    """Hostname -> AUD tag; empty where there is no file. Raises InventoryError."""
    if not path.exists():
        return {}
    told: Any = read_yaml(path)
    try:
        return _AUDIENCES.validate_python(told)
    except ValidationError as error:
        place = f"{short(path)}: "
        raise InventoryError(explain(error, dict, lambda key: f"{place}{key}")) from error


def write(path: Path, tags: Mapping[str, str]) -> None:
    """Raises OSError. The file is there whole, or as it was."""
    text = HEADER + yaml.safe_dump(dict(sorted(tags.items())))
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
