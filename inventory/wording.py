"""What pydantic finds wrong in the YAML, told in the operator's words."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, cast, get_args, get_type_hints

from pydantic import ValidationError
from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]
Place = Callable[[str], str]  # a first-level key -> "file: its.full.key"

_WORDS = {
    "int_type": "should be a whole number",
    "bool_type": "should be true or false",
    "string_type": "should be text",
    "tuple_type": "should be a list",
    "dataclass_type": "should be a mapping of keys",
    "mapping_type": "should be a mapping of keys",
    "dict_type": "should be a mapping of keys",
    "ip_v4_address": "should be an IPv4 address such as 100.67.88.109",
}


LONGEST = 60  # characters of a wrong value that are repeated


def explain(error: ValidationError, kind: type[Any], place: Place) -> str:
    """`error` as lines of `file: key: what is wrong, what would be right`.

    `kind` is the dataclass that was read; `place` tells where its first-level key stands.
    """
    return "\n".join(
        f"{_where(detail['loc'], place)}: {_wording(detail, kind)}"
        for detail in error.errors(include_url=False)
    )


def brief(value: object) -> str:
    """`value` as it stands in an error: its beginning."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _where(location: Location, place: Place) -> str:
    """The key; a part in parentheses is pydantic's word for one of several forms."""
    first = str(location[0]) if location else ""
    return ".".join([place(first), *(str(p) for p in location[1:] if str(p)[:1] != "(")])


def _wording(detail: ErrorDetails, kind: type[Any]) -> str:
    problem, got = detail["type"], detail["input"]
    if problem == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    if problem in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"unknown key (known: {', '.join(_known_keys(kind, detail['loc'][:-1]))})"
    if problem in ("missing", "missing_argument"):
        return "is missing"
    return f"{_WORDS.get(problem, detail['msg'])}, not {brief(got)}"


def _known_keys(kind: Any, location: Location) -> list[str]:
    for part in location:
        kind = _inside(kind, part)
    return sorted(f.name for f in fields(kind)) if is_dataclass(kind) else []


def _inside(kind: Any, part: int | str) -> Any:
    """The dataclass that stands at `part` of `kind`, or `kind` where there is none."""
    if is_dataclass(kind):
        return next(_dataclasses(get_type_hints(kind).get(str(part))), kind)
    return kind


def _dataclasses(hint: Any) -> Iterator[type[Any]]:
    if is_dataclass(hint):
        yield cast(type[Any], hint)
    for argument in get_args(hint):
        yield from _dataclasses(argument)
