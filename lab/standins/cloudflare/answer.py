"""What the API is asked and answers: the envelope, and the errors by their codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request; `path` is what stands behind /client/v4."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    token: str = ""
    body: Any = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer; `body` is JSON, or text where it is none. A `cut` one is never sent."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


class RefusedError(Exception):
    """The API says no: a status, and a code of its own."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def granted(result: Any, status: int = 200, info: Json | None = None) -> Answer:
    body: Json = {"success": True, "errors": [], "messages": [], "result": result}
    if info is not None:
        body["result_info"] = info
    return Answer(status=status, body=body)


def refused(status: int, code: int, message: str, **headers: str) -> Answer:
    body = {
        "success": False,
        "errors": [{"code": code, "message": message}],
        "messages": [],
        "result": None,
    }
    return Answer(status=status, body=body, headers=headers)
