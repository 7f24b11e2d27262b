"""A plan in a file: exactly what was shown, and whether the world is still so."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from inventory.errors import UsageError
from runbooks.transaction.rollout import RolloutFailed
from tasks.plan import HostPlan

VERSION = 1

Data = dict[str, Any]


def save(plans: Mapping[str, HostPlan], path: Path) -> None:
    """Write `plans` to `path`: digests only, no content and so no secret."""
    try:
        path.write_text(json.dumps(_as_data(plans), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--plan-out {path}: {error.strerror}") from error


def read(path: Path) -> Data:
    """The plan in `path`. Raises UsageError when it is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--plan {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"--plan {path}: is no plan that --plan-out wrote") from error
    if not isinstance(data, dict) or data.get("version") != VERSION or not data.get("hosts"):
        raise UsageError(f"--plan {path}: is no plan of version {VERSION}")
    return data


def refuse_moved(plan: Data, plans: Mapping[str, HostPlan]) -> None:
    """Raise RolloutFailed with every difference between what was shown and what is now."""
    moved = list(_differences(plan, _as_data(plans)))
    if moved:
        raise RolloutFailed(
            "the world has moved since the plan was made, and nothing was changed:\n"
            + "\n".join(moved)
            + "\nlook again, and make a new plan"
        )


def _as_data(plans: Mapping[str, HostPlan]) -> Data:
    return {
        "version": VERSION,
        "commit": next(iter(plans.values())).source.label,
        "hosts": {name: _host_data(plan) for name, plan in plans.items()},
    }


def _host_data(plan: HostPlan) -> Data:
    current = plan.state.current
    return {
        "release": current.id if current else None,
        "tools": dict(plan.state.tools),
        "files": {
            change.config.path: {
                "kind": change.kind,
                "found": change.live.digest,
                "wanted": change.config.digest,
                "mode": f"{change.config.mode:04o}",
                "owner": change.config.owner,
            }
            for change in plan.files
        },
    }


def _differences(then: Data, now: Data) -> Iterator[str]:
    if then.get("commit") != now["commit"]:
        yield f"the checkout: commit {then.get('commit')} then, {now['commit']} now"
    for host, is_now in now["hosts"].items():
        was = then["hosts"].get(host, {})
        for key in ("release", "tools"):
            if was.get(key) != is_now[key]:
                yield f"{host}: {key} {was.get(key)} then, {is_now[key]} now"
        for path in sorted({*was.get("files", {}), *is_now["files"]}):
            if was.get("files", {}).get(path) != is_now["files"].get(path):
                yield f"{host}:{path} is not what was shown"
