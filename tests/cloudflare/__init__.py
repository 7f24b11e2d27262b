"""What nobody here wrote of Cloudflare's API, to hold the stand-in and our client against.

openapi.json describes the operations that we use. It is made from the types of Cloudflare's own
Python SDK (PyPI's cloudflare 5.9.0), without its wording. The other files are answers that the
real API gave, recorded in cloudflare/cf-terraforming (96600579, 2026-07-20).
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

FOLDER = Path(__file__).parent
RECORDED = {
    "/zones/{zone_id}/dns_records": "dns_records",
    "/accounts/{account_id}/access/apps": "access_apps",
    "/accounts/{account_id}/access/policies": "access_policies",
    "/accounts/{account_id}/cfd_tunnel": "cfd_tunnel",
}
# Of the envelope and its pages: in the recorded answers and the API's own guide.
ENVELOPE = {"success", "errors", "messages", "result", "result_info", "code", "message"}
PAGES = {"page", "per_page", "count", "total_count", "total_pages", "cursor"}
FREE = {"metadata"}  # whose keys are whatever somebody put there


def recorded(path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{RECORDED[path]}.json").read_text("utf-8"))
    return found


@cache
def _description() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "openapi.json").read_text("utf-8"))
    return found


@cache
def _registry() -> Registry[Any]:
    resource = Resource(contents=_description(), specification=_specification())
    return Registry().with_resource("urn:api", resource)


def _specification() -> Any:
    from referencing.jsonschema import DRAFT202012

    return DRAFT202012


def _absolute(schema: Any) -> Any:
    """References of the description, as they are read from a schema taken out of it."""
    if isinstance(schema, dict):
        return {
            key: f"urn:api{value}" if key == "$ref" else _absolute(value)
            for key, value in schema.items()
        }
    return [_absolute(one) for one in schema] if isinstance(schema, list) else schema


@cache
def _validator(path: str, method: str, part: str) -> Draft202012Validator | None:
    """Of an answer (`part` is its status) or a request (`part` is "request")."""
    operation = _description()["paths"][path][method.lower()]
    if part == "request":
        told = operation.get("requestBody")
    else:
        told = operation["responses"].get(part) or operation["responses"].get(f"{part[0]}XX")
    if told is None:
        return None
    schema = _absolute(told["content"]["application/json"]["schema"])
    return Draft202012Validator(schema, registry=_registry())


def wrong(path: str, method: str, part: str, body: Any) -> list[str]:
    """What in `body` is not as the description has it, which holds no request of some."""
    validator = _validator(path, method, part)
    if validator is None:
        return [] if part == "request" else [f"{method} {path}: the description knows no {part}"]
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(body)]


def strange_keys(path: str, method: str, body: Mapping[str, Any]) -> set[str]:
    """Keys of an answer that neither the description nor a recorded answer knows."""
    return set(_keys(body)) - _known(path, method)


@cache
def _known(path: str, method: str) -> frozenset[str]:
    responses = _description()["paths"][path][method.lower()]["responses"]
    known = {*ENVELOPE, *PAGES, *_schema_keys(responses, set())}
    family = max((one for one in RECORDED if path.startswith(one)), key=len, default=None)
    if family:
        known |= set(_keys(recorded(family)))
    if "/access/apps" in path:  # an answer holds its policies whole
        known |= set(_keys(recorded("/accounts/{account_id}/access/policies")))
    return frozenset(known)


def _keys(body: Any) -> Iterator[str]:
    if isinstance(body, dict):
        for key, value in body.items():
            yield key
            if key not in FREE:
                yield from _keys(value)
    elif isinstance(body, list):
        for one in body:
            yield from _keys(one)


def _schema_keys(schema: Any, walked: set[str]) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for key, value in schema.items():
            if key == "$ref" and value not in walked:
                walked.add(value)
                name = value.rpartition("/")[2]
                yield from _schema_keys(_description()["components"]["schemas"][name], walked)
            else:
                yield from _schema_keys(value, walked)
    elif isinstance(schema, list):
        for one in schema:
            yield from _schema_keys(one, walked)
