"""The site's YAML as JSON schemas, for editors: made of the types that read it.

`python -m inventory.editor FOLDER` writes one for each file of a site.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from inventory.catalogue import Host, Service, Site, Sync
from inventory.fields import Matching
from inventory.levels import HOST_KEYS, PLUGIN_KEYS
from inventory.load import NORNIR_KEYS
from inventory.mcp import Mcp

Json = dict[str, Any]

REF = "#/$defs/{model}"
SHORT = {"type": ["string", "integer", "number", "boolean", "null", "array"]}  # for a mapping


class _OfYaml(GenerateJsonSchema):
    """What may be said shortly may be said in full, and a text has its pattern."""

    def function_before_schema(
        self, schema: core_schema.BeforeValidatorFunctionSchema
    ) -> JsonSchemaValue:
        if "json_schema_input_schema" in schema:
            return super().function_before_schema(schema)
        return {"anyOf": [self.generate_inner(schema["schema"]), SHORT]}

    def function_after_schema(
        self, schema: core_schema.AfterValidatorFunctionSchema
    ) -> JsonSchemaValue:
        made = super().function_after_schema(schema)
        check = schema["function"]["function"]
        if isinstance(check, Matching):
            made |= {"pattern": f"^({check.pattern})$", "description": check.meaning}
        return made

    def field_title_should_be_set(self, _: object) -> bool:
        """A title would only say the key again."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """A default that is more than a word says nothing to who writes."""
        made = self.generate_inner(schema["schema"])
        default = schema.get("default")
        return {**made, "default": default} if isinstance(default, str | int | float) else made


def schemas() -> Mapping[str, Json]:
    """By the name of the file, without its ending."""
    return {
        "services": _document("What runs where", *_services()),
        "hosts": _document("The hosts", _any_of(_perhaps(_host())), _defs(Host)),
        "groups": _document("What hosts share", _any_of(_perhaps(_host())), _defs(Host)),
        "defaults": _document("The site", *_defaults()),
        "mcp": _document("The MCP servers", *_of(Mcp)),
    }


def _document(title: str, schema: Json, defs: Json) -> Json:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **schema,
        "$defs": defs,
    }


def _of(kind: type) -> tuple[Json, Json]:
    """(the schema of a kind, what it refers to)."""
    made = TypeAdapter(kind).json_schema(schema_generator=_OfYaml, ref_template=REF)
    return made, made.pop("$defs", {})


def _defs(*kinds: type) -> Json:
    return {name: schema for kind in kinds for name, schema in _of(kind)[1].items()}


def _object(properties: Json, **more: object) -> Json:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _any_of(entry: Json) -> Json:
    """A mapping of names to such entries."""
    return {"type": "object", "additionalProperties": entry}


def _perhaps(schema: Json) -> Json:
    """With nothing behind its key it is there, and empty."""
    return {"anyOf": [schema, {"type": "null"}]}


def _entry(kind: type, *filled_in: str) -> Json:
    """An entry of services.yaml, whose name is its key; `filled_in` may be left out."""
    schema, _ = _of(kind)
    properties = {key: value for key, value in schema["properties"].items() if key != "name"}
    required = [key for key in schema["required"] if key not in ("name", *filled_in)]
    return {**schema, "properties": properties, "required": required}


def _services() -> tuple[Json, Json]:
    entries = {
        "services": _perhaps(_any_of(_entry(Service, "title", "unit", "port"))),
        "syncs": _perhaps(_any_of(_entry(Sync))),
    }
    return _object(entries), _defs(Service, Sync)


def _host(site: Json | None = None) -> Json:
    """A host, a group, or the defaults, whose `data` is the site's, too."""
    host = _of(Host)[0]["properties"]
    data = {key: host[key] for key in HOST_KEYS}
    data |= {"ssh": {"anyOf": [host["ssh"], {"const": False}]}}
    known = _object(data | site["properties"], required=site["required"]) if site else _object(data)
    login = {"username": host["user"], "port": host["port"]}
    plugin = {**{key: {} for key in PLUGIN_KEYS}, **login, "extras": _perhaps(host["login"])}
    entry = {
        **{key: {} for key in NORNIR_KEYS},
        **login,
        "hostname": {"type": "string"},
        "groups": {"type": "array", "items": {"type": "string"}},
        "connection_options": {"type": "object", "properties": {"netmiko": _object(plugin)}},
        "data": known if site else _perhaps(known),
    }
    return _object(entry)


def _defaults() -> tuple[Json, Json]:
    site, defs = _of(Site)
    return _host(site), {**defs, **_defs(Host)}


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, schema in schemas().items():
        (folder / f"{name}.schema.json").write_text(f"{json.dumps(schema, indent=1)}\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
