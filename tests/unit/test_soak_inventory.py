"""What the soak of hostile inventories changes."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from inventory.fields import Strict
from inventory.load import load_catalogue
from tests.soak.inventory.full import FullSite

NAMED_BY_PLACE = {"name", "address"}  # the key above, and `hostname`
OF_ANOTHER_KIND = {"certificate", "key", "token_env"}  # of `tls`, whose mode is `internal` here
NEVER = {"ssh_config_file"}
OF_THE_HOST = {"checkout"}  # systemd takes a unit only where its program is


def kinds(kind: type) -> Iterator[type]:
    for below in kind.__subclasses__():
        yield below
        yield from kinds(below)


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield str(key)
            yield from keys(below)
    elif isinstance(value, list):
        for below in value:
            yield from keys(below)


def test_every_key_that_a_site_may_say_is_among_what_the_soak_changes(tmp_path):
    site = FullSite(tmp_path)
    load_catalogue(site.config)  # all of it is read
    files = ("hosts", "groups", "defaults", "services", "mcp")
    said = {key for name in files for key in keys(site.read(name))}
    known = {field.name for kind in kinds(Strict) for field in fields(kind)}  # type: ignore[arg-type]
    assert known - said == NAMED_BY_PLACE | OF_ANOTHER_KIND | NEVER | OF_THE_HOST
