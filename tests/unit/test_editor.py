"""The JSON schemas for editors say of a site's YAML what its loader says."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from inventory.editor import main, schemas
from inventory.errors import InventoryError
from inventory.load import load_catalogue
from tests.field import NUMBERS, Field
from tests.site import ROOT, Site
from tests.soak.inventory.full import FullSite
from tests.soak.inventory.mutate import mutation

KEPT = ROOT / "docs" / "schema"  # where script/bootstrap writes them
READ = {
    name: jsonschema.Draft202012Validator(schema, format_checker=None)
    for name, schema in schemas().items()
}


def wrong(folder: Path) -> list[str]:
    """What an editor would underline in the files of a site."""
    texts = {name: (folder / f"{name}.yaml").read_text("utf-8") for name in READ}
    files = {name: yaml.load(text, yaml.CSafeLoader) for name, text in texts.items()}
    return [
        f"{name} {error.json_path}: {error.message}"
        for name, content in files.items()
        for error in READ[name].iter_errors(content)
    ]


def test_each_file_of_a_site_has_a_schema_that_is_one(tmp_path: Path):
    main(tmp_path)
    for name in READ:
        written = json.loads((tmp_path / f"{name}.schema.json").read_text("utf-8"))
        jsonschema.Draft202012Validator.check_schema(written)


def test_an_editor_has_nothing_to_say_of_the_labs_site():
    assert wrong(ROOT / "lab" / "site") == []


def test_an_editor_has_nothing_to_say_of_a_site_with_every_key(tmp_path: Path):
    FullSite(tmp_path)
    assert wrong(tmp_path) == []


@pytest.mark.parametrize("number", NUMBERS)
def test_an_editor_has_nothing_to_say_of_the_sites_of_the_field(site: Site, number: int):
    Field(number).put_into(site)
    assert wrong(site.folder) == []


def test_what_the_loader_takes_an_editor_takes(tmp_path: Path):
    site = FullSite(tmp_path)
    texts = {name: (tmp_path / f"{name}.yaml").read_text("utf-8") for name in (*READ, "config")}
    taken = 0
    for seed in range(60):
        changed, what = mutation(texts, seed)
        for name, text in changed.items():
            (tmp_path / f"{name}.yaml").write_bytes(text.encode("utf-8", errors="surrogatepass"))
        try:
            load_catalogue(site.config)
        except InventoryError:
            continue
        taken += 1
        assert wrong(tmp_path) == [], what
    assert taken > 5


def mappings(part: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(part, dict):
        yield at
    inner: Mapping[str | int, Any] = (
        part if isinstance(part, dict) else dict(enumerate(part)) if isinstance(part, list) else {}
    )
    for key, value in inner.items():
        yield from mappings(value, (*at, key))


@pytest.mark.parametrize("name", ["services", "defaults", "mcp", "hosts"])
def test_a_misspelt_key_is_underlined_where_the_loader_refuses_it(tmp_path: Path, name: str):
    site = FullSite(tmp_path)
    given = site.read(name)
    places = [*mappings(given)]
    for at in places[:: len(places) // 12 or 1]:
        content = site_with(given, at)
        site.write(name, content)
        try:
            load_catalogue(site.config)
        except InventoryError as refused:
            if "unknown key" in str(refused):
                assert wrong(tmp_path), at
        else:
            assert wrong(tmp_path) == [], at


def site_with(content: Any, at: tuple[str | int, ...]) -> Any:
    """`content` with a key that nobody knows in the mapping at that place."""
    copy = json.loads(json.dumps(content))
    part = copy
    for key in at:
        part = part[key]
    part["no_such_key"] = "x"
    return copy
