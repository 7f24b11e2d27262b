"""What can go wrong between a client and the API, as often as a test asks for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from lab.standins.cloudflare.answer import Answer, Ask, refused

Kind = Literal["limit", "error", "no-json", "cut", "lost", "short", "denied", "revoked"]


@dataclass(kw_only=True)
class Fault:
    """`times` requests whose `METHOD path` matches `where` meet it, after `after` that do not.

    limit    429, come again in `seconds` (None: it does not say when)
    error    500, nothing done
    no-json  a page of HTML with status 502, nothing done
    cut      done, and the connection closed without an answer
    lost     not done, and the connection closed without an answer
    short    the last entry of a page is missing, its counts are not
    denied   403: the permission is missing
    revoked  401: the token is gone
    """

    kind: Kind
    where: str = ""
    times: int = 1
    after: int = 0
    seconds: int | None = 1

    def meets(self, ask: Ask) -> bool:
        if not self.times or not re.search(self.where, f"{ask.method} {ask.path}"):
            return False
        if self.after:
            self.after -= 1
            return False
        self.times -= 1
        return True


def suffered(fault: Fault, ask: Ask, work: Callable[[Ask], Answer]) -> Answer:
    """The answer to `ask`, which `work` would have answered."""
    match fault.kind:
        case "limit":
            wait = {} if fault.seconds is None else {"Retry-After": str(fault.seconds)}
            return refused(429, 10429, "Rate limited. Please wait", **wait)
        case "error":
            return refused(500, 10001, "Internal server error")
        case "no-json":
            return Answer(status=502, body="<html><h1>502 Bad Gateway</h1></html>")
        case "cut":
            return replace(work(ask), cut=True)
        case "lost":
            return Answer(status=0, body="", cut=True)
        case "denied":
            return refused(403, 10000, "Authentication error")
        case "revoked":
            return refused(401, 1000, "Invalid API Token")
        case "short":
            answer = work(ask)
            if isinstance(answer.body.get("result"), list):
                answer.body["result"] = answer.body["result"][:-1]
            return answer
