"""Where a site's words refer to a secret."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from inventory.fields import is_reference

FREE = ("text", "name", "title")  # words of the operator's that may look like a reference


def references(part: Any, key: str) -> Iterator[tuple[str, str]]:
    """(dotted key, reference) of all below `part`."""
    if isinstance(part, str):
        if is_reference(part) and key.rpartition(".")[2] not in FREE:
            yield key.removesuffix(".secret"), part
        return
    inner: list[tuple[str, Any]] = []
    if is_dataclass(part):
        inner = [(field.name, getattr(part, field.name)) for field in fields(part)]
    elif isinstance(part, Mapping):
        inner = [(str(name), value) for name, value in part.items()]
    elif isinstance(part, tuple):
        inner = [(str(n), value) for n, value in enumerate(part)]
    for name, value in inner:
        yield from references(value, f"{key}.{name}" if key else name)
