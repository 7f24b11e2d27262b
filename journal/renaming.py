"""Names that the site has changed (`was`): the history goes on under those of now.

What lies in the journal is written anew, once: every question and the page then find it. What
runs said in words, and what was typed, stays as it was.
"""

import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inventory.catalogue import Catalogue
from journal.store import Store

# Where a name may stand: (table, column) of those that hold nothing else.
SERVICES = (
    ("episodes", "service"),
    ("drills", "service"),
    ("answers", "service"),
    ("responses", "service"),
)
HOSTS = (("episodes", "host"), ("episodes", "vantage"), ("drills", "host"))


@dataclass(frozen=True, kw_only=True)
class Renames:
    """The name of now, by the one before."""

    services: Mapping[str, str]
    hosts: Mapping[str, str]

    @classmethod
    def of(cls, catalogue: Catalogue) -> "Renames":
        return cls(
            services={one.was: one.name for one in catalogue.services.values() if one.was},
            hosts={
                **{one.was: one.name for one in catalogue.hosts.values() if one.was},
                **{one.was: one.name for one in catalogue.appliances.values() if one.was},
            },
        )

    def service(self, name: str | None) -> str | None:
        return self.services.get(name, name) if name else name

    def host(self, name: str | None) -> str | None:
        return self.hosts.get(name, name) if name else name

    def hop(self, hop: str | None) -> str | None:
        """`service plex@unraid`, `mesh vps1 to vps2`: the first word is no name."""
        if hop is None:
            return None
        for was, name in self.services.items():
            hop = re.sub(rf"(?<=^service ){re.escape(was)}(?=@)", name, hop)
        for was, name in self.hosts.items():
            hop = re.sub(rf"(?<=[ @]){re.escape(was)}(?= |$)", name, hop)
        return hop

    def subject(self, subject: str, service: str | None) -> str:
        """`plex through vps1`, where it is one of `service`; no part of a path or of a DNS name."""
        named = dict(self.hosts)
        if service in self.services:
            named[str(service)] = self.services[str(service)]
        for was, name in named.items():
            subject = re.sub(rf"(?<![\w./-]){re.escape(was)}(?![\w./-])", name, subject)
        return subject


def rename(store: Store, renames: Renames) -> bool:
    """Was there anything under a name of before? It is under the name of now from here on.

    Raises JournalError, and nothing is renamed.
    """
    if not _is_known(store, renames):
        return False
    with store.transaction() as db:
        db.create_function("service", 1, renames.service, deterministic=True)
        db.create_function("host", 1, renames.host, deterministic=True)
        db.create_function("hop", 1, renames.hop, deterministic=True)
        db.create_function("subject", 2, renames.subject, deterministic=True)
        db.execute(
            "UPDATE episodes SET service = service(service), host = host(host), "
            "vantage = host(vantage), subject = subject(subject, service), hop = hop(hop), "
            "cause = hop(cause)"
        )
        for table in ("answers", "responses"):  # where both have an hour, that of now stays
            db.execute(f"UPDATE OR IGNORE {table} SET service = service(service)")
        db.execute("UPDATE OR IGNORE told SET hop = hop(hop)")
        for was in renames.services:
            db.execute("DELETE FROM responses WHERE service = ?", (was,))
        _rename_drills(db, renames)
        _rename_notices(db, renames)
    return True


def _is_known(store: Store, renames: Renames) -> bool:
    asked = [(place, was) for place in SERVICES for was in renames.services]
    asked += [(place, was) for place in HOSTS for was in renames.hosts]
    return any(
        store.read(f'SELECT 1 FROM {table} WHERE "{column}" = ? LIMIT 1', (was,))
        for (table, column), was in asked
    )


def _rename_drills(db: sqlite3.Connection, renames: Renames) -> None:
    for row in db.execute("SELECT rowid, service, host, document FROM drills").fetchall():
        service, host = renames.service(row["service"]), renames.host(row["host"])
        document = {**json.loads(row["document"]), "service": service, "host": host}
        db.execute(
            "UPDATE drills SET service = ?, host = ?, document = ? WHERE rowid = ?",
            (service, host, json.dumps(document), row["rowid"]),
        )


def _rename_notices(db: sqlite3.Connection, renames: Renames) -> None:
    """Else a problem that lasts would be told as mended, and as new."""
    for row in db.execute("SELECT hop, document FROM notices").fetchall():
        document: dict[str, Any] = json.loads(row["document"])
        problem = document["problem"]
        of = next((name for name in problem["services"] if name in renames.services), None)
        document["problem"] = problem | {
            "hop": renames.hop(problem["hop"]),
            "hosts": [renames.host(name) for name in problem["hosts"]],
            "services": [renames.service(name) for name in problem["services"]],
            "parts": [
                [check, renames.subject(subject, of), renames.host(vantage)]
                for check, subject, vantage in problem["parts"]
            ],
        }
        db.execute(
            "UPDATE OR IGNORE notices SET hop = ?, document = ? WHERE hop = ?",
            (renames.hop(row["hop"]), json.dumps(document), row["hop"]),
        )
