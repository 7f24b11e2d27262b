"""What a deploy saw and did, for machines: the JSON of `deploy.py --json` (docs/deploy.md)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from inventory.secret import redact
from runbooks.transaction.gate import Gate
from runbooks.transaction.rollout import Rollout
from tasks.checks.finding import Status
from tasks.doctor.host import in_words
from tasks.plan import HostPlan

VERSION = 1


@dataclass(kw_only=True)
class Report:
    """What is known of a deploy by now. `gate` has looked when something is to be changed,
    `rollout` has begun when it is applied."""

    plans: Mapping[str, HostPlan] = field(default_factory=dict)
    gate: Gate | None = None
    rollout: Rollout | None = None

    def as_json(self, exit_status: int, error: str) -> str:
        """The document; `error` says in words why the deploy ended, empty when it went well."""
        document = {
            "version": VERSION,
            "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "exit": int(exit_status),
            "error": error or None,
            "release": self.rollout.run.id if self.rollout else None,
            "confirmed": self.rollout is not None and exit_status == 0,
            "hosts": [self._host(plan) for plan in self.plans.values()],
            "services": list(self._services()),
        }
        return redact(json.dumps(document, indent=2, ensure_ascii=False))

    def _host(self, plan: HostPlan) -> dict[str, object]:
        current = plan.state.current
        activated = self.rollout.activated.get(plan.host, ()) if self.rollout else ()
        return {
            "host": plan.host,
            "release": current.id if current else None,
            "commit": current.commit if current else None,
            "changes": [
                {
                    "path": change.config.path,
                    "kind": change.kind,
                    "drift": change.drift if change.drifted else None,
                }
                for change in plan.changes
            ],
            "warnings": [in_words(f) for f in plan.findings if f.status is Status.WARN],
            "activated": list(activated),
        }

    def _services(self) -> Iterator[dict[str, object]]:
        for told in self.gate.told() if self.gate else ():
            yield {
                "service": told.service,
                "outcome": told.outcome.word,
                "well": told.well,
                "before": told.before or None,
                "after": told.after,
                "why": told.why or None,
            }
