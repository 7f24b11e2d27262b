"""Seven public files of people's edges, neutralised: 64 sites with what each needs (`sites.json`).

`public-N.yaml` is the Nth in our catalogue, above the test's site, and `public-N.Caddyfile` what
the people wrote, as far as `sites.json` tells of it, with addresses for the names of containers.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from tests.site import Site

FOLDER = Path(__file__).parent
LAN = "192.168.1.0/24"  # from where their people come
NUMBERS = tuple(range(1, 8))


@dataclass(frozen=True)
class Field:
    """One public file."""

    number: int

    @cached_property
    def sites(self) -> list[dict[str, Any]]:
        return json.loads((FOLDER / "sites.json").read_text())[self.number - 1]["sites"]

    @property
    def yaml(self) -> str:
        return (FOLDER / f"public-{self.number}.yaml").read_text()

    @property
    def caddyfile(self) -> str:
        return (FOLDER / f"public-{self.number}.Caddyfile").read_text()

    @cached_property
    def ours(self) -> Mapping[str, Any]:
        return yaml.safe_load(self.yaml)

    def put_into(self, site: Site) -> Site:
        site.write("services", {"services": self.ours["services"]})
        site.change("defaults", "data.domains", self.ours.get("domains", []))
        site.change("defaults", "data.access_from", [LAN])
        for name, host in self.ours.get("hosts", {}).items():
            site.change("hosts", name, host)
        return site

    def lines_of(self, site: Mapping[str, Any]) -> int:
        """How many lines of YAML a site takes, its name's among them; one where it is no more
        than a `key` of other sites' services, to which that line does not count.
        """
        named = self.ours.get("sites", {})
        said = named.get(site["name"], {})
        if "key" in said:
            return len(said.get("http_names", [""]))
        service = said.get("service", site["name"])
        found = re.search(rf"(?m)^  {service}:\n((    .*\n)+)", self.yaml)
        assert found, service
        others = tuple(f"    {other['key']}:" for other in named.values() if "key" in other)
        return 1 + sum(not line.startswith(others) for line in found[1].splitlines())
