"""What a verify on the lab found."""

import json
from typing import Any

from lab.api import Lab
from tests.lab.conftest import runbook


def broken_findings(lab: Lab, *arguments: str, host: str = "vps2") -> tuple[int, list[Any]]:
    """The exit status, and what verify holds for broken and not for a consequence."""
    done = runbook(lab, "verify", "--json", *arguments, host=host)
    assert done.stdout, done.stderr
    findings = json.loads(done.stdout)["findings"]
    roots = [f for f in findings if f["status"] not in ("ok", "skipped") and not f["cause"]]
    return done.returncode, roots


def failed_hops(roots: list[Any]) -> set[str]:
    """Warnings aside: Caddy itself is late by up to 30 s, and verify says so."""
    return {finding["hop"] for finding in roots if finding["status"] != "warn"}


def is_late_caddy(finding: Any) -> bool:
    """True on a machine so busy that a Caddy had one slow health answer."""
    return finding["status"] == "warn" and "Caddy goes back after" in finding["todo"]
