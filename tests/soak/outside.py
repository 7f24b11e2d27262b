"""Random histories of Cloudflare: edits of the catalogue and at the dashboard, failures, applies.

`script/soak outside` plays 200 of them, each by its seed; `--shrink SEED` prints the fewest
operations of one that still goes wrong. However it went, applies and adoptions in the end bring
the account to what the catalogue says, with no object of a bystander's touched; and at no time
does a change of ours lead to a protected name that its application does not guard.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inventory.errors import TwinedgeError
from lab.standins.cloudflare.answer import Ask
from tests import operators
from tests.clouds import ACCOUNT, USER, Clouds
from tests.outsides import MARK, TARGET, World
from tests.site import Site
from tests.soak.sync.history import shrink

HISTORIES, LONGEST, ROUNDS = 200, 12, 12
SERVICES = ("plex", "sonarr", "radarr")
FAULTS = ("cut", "lost", "error", "no-json", "short", "denied", "revoked", "limit")
EDITS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "records": {
        "unproxied": {"proxied": False, "ttl": 300},
        "led elsewhere": {"content": "elsewhere.example"},
        "mark gone": {"comment": None},
        "remark": {"comment": f"films {MARK}"},
    },
    "apps": {
        "renamed": {"name": "by hand"},
        "long session": {"session_duration": "720h"},
        "no policies": {"policies": []},
        "icon": {"logo_url": "https://a.example/i.png"},
    },
    "policies": {
        "everyone": {"include": [{"everyone": {}}]},
        "bypass": {"decision": "bypass"},
        "renamed": {"name": "by hand"},
        "requires": {"require": [{"ip": {"ip": "192.0.2.0/24"}}]},
    },
}
BYSTANDERS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("records", {"type": "A", "name": "nas", "content": "192.0.2.1", "ttl": 300}),
    ("records", {"type": "TXT", "name": "plex", "content": "v=1", "ttl": 300}),
    ("records", {"type": "CNAME", "name": "old", "content": TARGET, "proxied": True, "ttl": 1}),
    ("policies", {"name": "family", "decision": "allow", "include": [{"everyone": {}}]}),
    ("apps", {"type": "self_hosted", "name": "nas", "domain": "nas.home.example"}),
    ("apps", {"type": "self_hosted", "name": f"wiki [{MARK}0]", "domain": "wiki.home.example"}),
)


@dataclass(frozen=True, kw_only=True)
class Op:
    """One thing that happens; `pick` chooses among what is there then."""

    number: int
    kind: str
    what: str = ""
    value: Any = None
    pick: int = 0


def history(seed: int) -> tuple[Op, ...]:
    chance = random.Random(seed)
    return tuple(_op(chance, n) for n in range(chance.randint(3, LONGEST)))


def _op(chance: random.Random, number: int) -> Op:
    pick, service = chance.randrange(1000), chance.choice(SERVICES)
    kind = chance.choice(
        ("access", "name", "allow", "edit", "edit", "delete", "foreign", "apply", "apply")
    )
    if kind == "access":
        return Op(
            number=number,
            kind=kind,
            what=service,
            value=chance.choice(("protected", "open", "tailnet")),
        )
    if kind == "name":
        return Op(number=number, kind=kind, what=service, value=f"{service}{chance.randrange(3)}")
    if kind == "allow":
        return Op(number=number, kind=kind, value=f"user{chance.randrange(3)}@home.example")
    if kind == "edit":
        where = chance.choice(list(EDITS))
        return Op(
            number=number, kind=kind, what=where, value=chance.choice(list(EDITS[where])), pick=pick
        )
    if kind == "apply":
        fault = chance.choice((None, *FAULTS)) and (chance.choice(FAULTS), chance.randrange(14))
        return Op(number=number, kind=kind, value=fault)
    return Op(
        number=number, kind=kind, what=chance.choice(("records", "apps")), value=service, pick=pick
    )


class Play:
    """One history, played on an account of its own."""

    def __init__(self, folder: Path) -> None:
        self.clouds = Clouds()
        self.world = World(Site(folder), self.clouds)
        self._tables: dict[str, dict[str, Any]] = {
            "records": self.clouds.account.records,
            "apps": self.clouds.account.apps,
            "policies": self.clouds.account.policies,
        }
        self.wrong: list[str] = []
        made = [(where, self._made(where, body)["id"]) for where, body in BYSTANDERS]
        self._bystanders = {(where, key): self._text(where, key) for where, key in made}
        self.clouds.on_change = self._changed

    def run(self, ops: Sequence[Op]) -> list[str]:
        """What went wrong, in words."""
        self.world.settle()
        for op in ops:
            getattr(self, f"_{op.kind}")(op)
        self.clouds.cloud.faults.clear()
        self._end()
        return self.wrong

    # --- what happens ------------------------------------------------------------------

    def _access(self, op: Op) -> None:
        self.world.site.change("services", f"services.{op.what}.access", op.value)

    def _name(self, op: Op) -> None:
        self.world.site.change("services", f"services.{op.what}.hostname", op.value)

    def _allow(self, op: Op) -> None:
        self.world.site.change("defaults", "data.access.allow", {"emails": [op.value]})

    def _edit(self, op: Op) -> None:
        there = self._ours(op.what)
        if there:
            there[op.pick % len(there)].update(EDITS[op.what][op.value])

    def _delete(self, op: Op) -> None:
        there = self._ours(op.what)
        if there:
            del self._tables[op.what][there[op.pick % len(there)]["id"]]

    def _foreign(self, op: Op) -> None:
        """Somebody sets one up by hand at a name that may be ours."""
        name = self.world.catalogue.services[op.value].hostname
        bodies: Mapping[str, Mapping[str, Any]] = {
            "records": {"type": "A", "name": name, "content": "192.0.2.9", "ttl": 300},
            "apps": {"type": "self_hosted", "name": "by hand", "domain": name},
        }
        path = {"records": self.clouds.records, "apps": f"{self.clouds.access}/apps"}[op.what]
        ask = Ask(method="POST", path=path, body=dict(bodies[op.what]), token=ACCOUNT)
        self.clouds.cloud.answer(ask)

    def _apply(self, op: Op) -> None:
        if op.value:
            kind, after = op.value
            self.clouds.fault(kind, after=after)
        try:
            self.world.apply()
        except TwinedgeError:
            pass
        finally:
            self.clouds.cloud.faults.clear()

    # --- what has to be true -----------------------------------------------------------

    def _end(self) -> None:
        """Applies until nothing is to be done; what stands in the way is adopted, and what has to
        stay, since somebody else's record still leads there, is released.
        """
        for _ in range(ROUNDS):
            plan = self.world.plan()
            if plan.is_done:
                break
            hosts = sorted({c.host for c in plan.conflicts if c.adoptable})
            stay = sorted({s.host for s in plan.steps if s.waits and s.action == "delete"})
            self.world.apply(adopt=hosts, release=stay)
        else:
            left = [step.words for step in plan.steps] + [c.words for c in plan.conflicts]
            self.wrong.append(f"after {ROUNDS} rounds there is still to do: {left}")
        self._as_the_catalogue_says()
        for (where, key), text in self._bystanders.items():
            if key not in self._tables[where] or self._text(where, key) != text:
                self.wrong.append(f"a bystander of {where} was touched: {text}")

    def _as_the_catalogue_says(self) -> None:
        for service in self.world.catalogue.public_services:
            leads = [
                r for r in self._at(service.hostname) if r["content"] == TARGET and r["proxied"]
            ]
            if len(leads) != 1:
                self.wrong.append(f"{service.hostname} has no record of ours")
            if service.is_protected and not self._guards(service.hostname):
                self.wrong.append(f"{service.hostname} is not guarded by the app it demands")
        public = {service.hostname for service in self.world.catalogue.public_services}
        stray = [r["name"] for r in self._ours("records") if r["name"] not in public]
        self.wrong += [f"{name} is still led to the tunnel" for name in stray if self._is_led(name)]

    def _changed(self, ask: Ask) -> None:
        """After a change of ours: nobody is led to a name that is not guarded as it should be."""
        if ask.token != USER or "dns_records" not in ask.path:
            return
        body = (ask.body or {}).get("posts", [ask.body])[0] or {}
        if ask.method == "POST" or "content" in body:
            for service in self.world.catalogue.public_services:
                led = body.get("name") == service.hostname
                if led and service.is_protected and not self._guards(service.hostname):
                    self.wrong.append(f"{service.hostname} was led to without its application")

    def _guards(self, host: str) -> bool:
        """Is there the application that the ingress demands?"""
        tags = {a["aud"] for a in self._tables["apps"].values() if a["domain"] == host}
        service = next(s for s in self.world.catalogue.services.values() if s.hostname == host)
        return service.audience in tags

    def _is_led(self, host: str) -> bool:
        return any(
            MARK in str(r["comment"]).split() and r["content"] == TARGET for r in self._at(host)
        )

    def _at(self, host: str) -> list[dict[str, Any]]:
        return [r for r in self._tables["records"].values() if r["name"] == host]

    def _ours(self, where: str) -> list[dict[str, Any]]:
        """Objects that are no bystander's."""
        known = {key for _, key in self._bystanders}
        return [one for key, one in self._tables[where].items() if key not in known]

    def _made(self, where: str, body: Mapping[str, Any]) -> dict[str, Any]:
        path = self.clouds.records if where == "records" else f"{self.clouds.access}/{where}"
        made: dict[str, Any] = self.clouds.ask("POST", path, dict(body), token=ACCOUNT)
        return made

    def _text(self, where: str, key: str) -> str:
        return json.dumps(self._tables[where][key], sort_keys=True)


def played(ops: Sequence[Op]) -> list[str]:
    """What goes wrong in a history."""
    with tempfile.TemporaryDirectory() as folder:
        return Play(Path(folder)).run(ops)


def _goes_wrong(tries: Sequence[Sequence[Op]]) -> list[bool]:
    return [bool(played(ops)) for ops in tries]


def main(arguments: Sequence[str], say: Callable[[str], None] = print) -> int:
    flags = argparse.ArgumentParser(prog="script/soak outside", description=__doc__)
    flags.add_argument("--first", type=int, default=1, help="the first seed")
    flags.add_argument("--most", type=int, default=HISTORIES, help="how many histories")
    flags.add_argument("--shrink", type=int, metavar="SEED", help="the fewest operations")
    asked = flags.parse_args(arguments)
    operators.close(True)
    if asked.shrink is not None:
        for op in shrink(history(asked.shrink), _goes_wrong):
            say(str(op))
        return 1
    wrong = 0
    for seed in range(asked.first, asked.first + asked.most):
        found = played(history(seed))
        wrong += bool(found)
        if found:
            say(f"{seed}: {'; '.join(found)}")
    say(f"{asked.most} histories, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
