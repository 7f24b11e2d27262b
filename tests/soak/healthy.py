"""A healthy lab of each kind, verified again and again: nothing may be found."""

from collections.abc import Sequence
from typing import Any

from inventory.source import read_source
from lab.errors import LabError
from tests.lab.conftest import DEPLOY
from tests.lab.verified import broken_findings, is_late_caddy
from tests.patience import until
from tests.soak.suites import Kinds

RUNS = 20


class Healthy(Kinds):
    """The checkout's lab, made anew for each kind and deployed."""

    def verify(self, kind: str) -> dict[str, Any]:
        """Strict runs, counted from the first that finds nothing; `wrong` is what one found."""
        line = {"kind": kind, "commit": read_source().label, "runs": 0}
        try:
            self.become(kind)
        except LabError as error:
            return {**line, "wrong": [f"the lab does not come up: {error}"]}
        deploy = self.lab.run(self.lab.topology.control, DEPLOY)
        if deploy.returncode:
            return {**line, "wrong": [f"the deploy ends with {deploy.returncode}"]}
        host = self.lab.topology.control
        until(lambda: broken_findings(self.lab, "--strict", host=host)[0] == 0, every=1)
        wrong = [each for _ in range(RUNS) for each in self._found(host)]
        return {**line, "runs": RUNS, "wrong": wrong}

    def _found(self, host: str) -> list[str]:
        _, roots = broken_findings(self.lab, "--strict", host=host)
        return [f"{f['hop']}: {f['seen']}" for f in roots if not is_late_caddy(f)]


def healthy_table(lines: Sequence[dict[str, Any]]) -> str:
    """A row a kind of lab."""
    rows = ["| kind of lab | strict runs | with a finding | commit |", "|---|---|---|---|"]
    rows += [
        f"| {line['kind']} | {line['runs']} | {len(line['wrong'])} | {line['commit']} |"
        for line in lines
    ]
    return "\n".join(rows) + "\n"
