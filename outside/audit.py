"""Who changed an object last, and when, as Cloudflare's audit log has it."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from outside.client import Api

BACK = timedelta(days=30)
LIMIT = 1000  # entries of a page


def last_changes(api: Api, account: str, ids: Collection[str], now: datetime) -> Mapping[str, str]:
    """Object id -> who and when, in words; without those that nobody changed for 30 days.

    Raises CloudError.
    """
    found: dict[str, tuple[str, str]] = {}
    times = {"since": _time(now - BACK), "before": _time(now + timedelta(minutes=5))}
    for entry in api.log(f"/accounts/{account}/logs/audit", limit=LIMIT, **times):
        resource = str(_part(entry, "resource").get("id"))
        at = str(_part(entry, "action").get("time", ""))
        if resource in ids and at > found.get(resource, ("", ""))[0]:
            found[resource] = at, _who(_part(entry, "actor"))
    return {
        key: f"{who} at {at.replace('T', ' ').rstrip('Z')} UTC" for key, (at, who) in found.items()
    }


def _who(actor: Mapping[str, Any]) -> str:
    named = actor.get("email") or actor.get("token_name") or actor.get("id") or "somebody"
    through = {"dash": "the dashboard", "api_token": "an API token"}.get(str(actor.get("context")))
    return f"{named} by {through}" if through else str(named)


def _part(entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = entry.get(key)
    return part if isinstance(part, dict) else {}


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
