"""A site and its account at the stand-in, brought together as an operator would."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from inventory import audiences
from inventory.catalogue import Catalogue
from inventory.load import load_catalogue
from operations.outside import (
    Carried,
    carry_out,
    keep_audiences,
    look_outside,
    refuse_plan,
)
from outside.plan import Outlook, Plan
from tests.clouds import TUNNEL, USER, Clouds
from tests.site import Site

CLIENT = "0123.access"
MARK = f"twinedge:{TUNNEL[:8]}"
TARGET = f"{TUNNEL}.cfargotunnel.com"
# Two protected services and an open one, so that a third is one.
KEPT = ("plex", "sonarr", "radarr", "dns")


class World:
    """`plan` looks, `apply` does what a look shows; the catalogue is read anew each time."""

    def __init__(self, site: Site, clouds: Clouds) -> None:
        self.site, self.clouds = site, clouds
        self.token = site.folder / "cloudflare-token"
        self.token.write_text(USER)
        secret = site.folder / "access-token.json"
        secret.write_text(json.dumps({"client_id": CLIENT, "client_secret": "s" * 64}))
        site.change("defaults", "data.cloudflare", {"token": f"file:{self.token}"})
        site.change("defaults", "data.access.service_token", f"file:{secret}")
        site.change("defaults", "data.access.allow", {"emails": ["Me@home.example"]})
        services = site.read("services")["services"]
        kept = {name: services[name] for name in KEPT}
        site.write("services", {"services": kept})
        site.change("services", "services.radarr.access", "open")
        self.clouds.account.add_service_token("verify", CLIENT)
        for n in (1, 2):  # a replica on each edge
            self.clouds.account.connect(
                TUNNEL, f"{n:08}-0000-4000-8000-000000000000", f"192.0.2.{n}"
            )

    @property
    def catalogue(self) -> Catalogue:
        return load_catalogue(self.site.config)

    @property
    def audiences(self) -> Path:
        return audiences.beside(self.site.folder / "services.yaml")

    def look(self, **asked: Collection[str]) -> Outlook:
        with self.clouds.here() as api:
            return look_outside(api, USER, self.catalogue, **asked)

    def plan(self, **asked: Collection[str]) -> Plan:
        return self.look(**asked).plan

    def carry(self, outlook: Outlook, *, many: bool = True) -> Carried:
        """All that is ready, and the AUD tags are kept."""
        refuse_plan(outlook.plan, many=many)
        with self.clouds.here() as api:
            carried = carry_out(api, outlook, outlook.plan.ready, lambda _: None)
        keep_audiences(self.catalogue, carried.audiences)
        return carried

    def apply(self, **asked: Collection[str]) -> Carried:
        carried = self.carry(self.look(**asked))
        if carried.error:
            raise carried.error
        return carried

    def settle(self) -> None:
        """The applications, then, as after a deploy, the records."""
        self.apply()
        self.apply()

    def words(self, **asked: Collection[str]) -> list[str]:
        return [step.words for step in self.plan(**asked).steps]

    # --- what is at Cloudflare ---------------------------------------------------------

    def record(self, host: str) -> dict[str, Any]:
        return next(r for r in self.clouds.account.records.values() if r["name"] == host)

    def app(self, host: str) -> dict[str, Any]:
        return next(a for a in self.clouds.account.apps.values() if a["domain"] == host)

    def policy(self, name: str) -> dict[str, Any]:
        return next(p for p in self.clouds.account.policies.values() if p["name"].startswith(name))

    @property
    def names(self) -> set[str]:
        return {record["name"] for record in self.clouds.account.records.values()}

    @property
    def guarded(self) -> set[str]:
        return {app["domain"] for app in self.clouds.account.apps.values()}
