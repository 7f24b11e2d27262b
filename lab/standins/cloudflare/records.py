"""DNS records: how they are normalised, and which stand in each other's way."""

from __future__ import annotations

from typing import Any

from lab.standins.cloudflare.account import Account
from lab.standins.cloudflare.answer import Json, RefusedError

ADDRESSES = ("A", "AAAA")
PROXIABLE = (*ADDRESSES, "CNAME")
LONGEST_COMMENT = 100  # characters, on Free


class Records:
    """The records of the account's zone."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def found(self, record: str) -> Json:
        try:
            return self._account.records[record]
        except KeyError:
            raise RefusedError(404, 81044, "Record does not exist.") from None

    def create(self, body: Json) -> Json:
        made = {
            "id": self._account.new_hex(),
            **self._normalised(body),
            "meta": {
                "auto_added": False,
                "managed_by_apps": False,
                "managed_by_argo_tunnel": False,
            },
            "created_on": self._account.at(),
            "modified_on": self._account.at(),
        }
        self._refuse_conflict(made)
        self._account.records[made["id"]] = made
        return made

    def patch(self, record: str, body: Json) -> Json:
        return self._replace(record, {**self.found(record), **body})

    def put(self, record: str, body: Json) -> Json:
        self.found(record)
        return self._replace(record, body)

    def delete(self, record: str) -> Json:
        self.found(record)
        del self._account.records[record]
        return {"id": record}

    def batch(self, body: Json) -> Json:
        """Deletes, patches, puts, posts, in that order; the first error undoes all."""
        before = {key: dict(value) for key, value in self._account.records.items()}
        try:
            return {
                "deletes": [self._gone(one["id"]) for one in body.get("deletes") or []],
                "patches": [self.patch(one["id"], one) for one in body.get("patches") or []],
                "puts": [self.put(one["id"], one) for one in body.get("puts") or []],
                "posts": [self.create(one) for one in body.get("posts") or []],
            }
        except RefusedError:
            self._account.records = before
            raise

    def _gone(self, record: str) -> Json:
        gone = self.found(record)
        self.delete(record)
        return gone

    def _replace(self, record: str, body: Json) -> Json:
        old = self.found(record)
        new = {**old, **self._normalised(body), "modified_on": self._account.at()}
        self._refuse_conflict(new)
        self._account.records[record] = new
        return new

    def _normalised(self, body: Json) -> Json:
        kind, name = str(body.get("type")), str(body.get("name")).lower().rstrip(".")
        zone = self._account.zone
        if name == "@":
            name = zone
        elif name != zone and not name.endswith(f".{zone}"):
            name = f"{name}.{zone}"
        proxied = bool(body.get("proxied")) and kind in PROXIABLE
        comment = body.get("comment") or None
        if comment and (len(comment) > LONGEST_COMMENT or "\n" in comment):
            raise RefusedError(400, 1004, "DNS Validation Error")
        return {
            "type": kind,
            "name": name,
            "content": _content(kind, body.get("content")),
            "proxied": proxied,
            "proxiable": kind in PROXIABLE,
            "ttl": 1 if proxied else body.get("ttl", 1),
            "comment": comment,
            "tags": [],
            "settings": {},
        }

    def _refuse_conflict(self, new: Json) -> None:
        for other in self._account.records.values():
            if other["id"] == new["id"] or other["name"] != new["name"]:
                continue
            if new["type"] == "CNAME" and other["type"] in PROXIABLE:
                raise RefusedError(
                    400, 81053, "An A, AAAA, or CNAME record with that host already exists."
                )
            if new["type"] in ADDRESSES and other["type"] == "CNAME":
                raise RefusedError(400, 81054, "A CNAME record with that host already exists.")
            if (new["type"], new["content"]) == (other["type"], other["content"]):
                raise RefusedError(400, 81058, "An identical record already exists.")


def _content(kind: str, content: Any) -> str:
    text = str(content)
    return text.lower().rstrip(".") if kind == "CNAME" else text
