"""Access: applications, reusable policies and service tokens."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from lab.standins.cloudflare.account import Account
from lab.standins.cloudflare.answer import Json, RefusedError

# What the server fills in where an application does not say.
APP_DEFAULTS: Json = {
    "allowed_idps": [],
    "app_launcher_visible": True,
    "auto_redirect_to_identity": False,
    "enable_binding_cookie": False,
    "http_only_cookie_attribute": True,
    "options_preflight_bypass": False,
    "session_duration": "24h",
    "tags": [],
}
APP_READ_ONLY = ("id", "uid", "aud", "created_at", "updated_at", "policies", "destinations")
POLICY_DEFAULTS: Json = {"exclude": [], "require": [], "session_duration": "24h"}
POLICY_READ_ONLY = ("id", "uid", "reusable", "app_count", "created_at", "updated_at")
NOT_FOUND = 12136  # the stand-in's own: the real code is not known


class Apps:
    """Self-hosted applications. They keep their policies' ids; an answer holds them whole."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def found(self, app: str) -> Json:
        if app not in self._account.apps:
            raise RefusedError(404, 11021, "access.api.error.application_not_found")
        return self._told(self._account.apps[app])

    def every(self) -> list[Json]:
        return [self._told(app) for app in self._account.apps.values()]

    def create(self, body: Json) -> Json:
        made = self._account.new_uuid()
        kept = {
            "id": made,
            "uid": made,
            "aud": hashlib.sha256(made.encode()).hexdigest(),
            **self._normalised(made, body),
            "policies": self._links(body.get("policies") or []),
            "created_at": self._account.at(),
            "updated_at": self._account.at(),
        }
        self._account.apps[made] = kept
        return self._told(kept)

    def put(self, app: str, body: Json) -> Json:
        """Replaces everything; policies that are absent or null stay."""
        self.found(app)
        old = self._account.apps[app]
        links = body.get("policies")
        kept = {
            **{key: old[key] for key in ("id", "uid", "aud", "created_at")},
            **self._normalised(app, body),
            "policies": old["policies"] if links is None else self._links(links),
            "updated_at": self._account.at(),
        }
        self._account.apps[app] = kept
        return self._told(kept)

    def delete(self, app: str) -> Json:
        self.found(app)
        del self._account.apps[app]
        return {"id": app}

    def _normalised(self, app: str, body: Json) -> Json:
        domain = str(body.get("domain", "")).lower()
        places = [
            {**one, "uri": str(one["uri"]).lower()} if "uri" in one else dict(one)
            for one in body.get("destinations") or [{"type": "public", "uri": domain}]
        ]
        if body.get("type") != "self_hosted" or not domain:
            raise RefusedError(400, 12130, "access.api.error.invalid_request: type, domain")
        uris = [place.get("uri") for place in places]
        if domain not in uris:
            raise RefusedError(400, 12130, "domain not included in self_hosted_domains")
        for other in self._account.apps.values():
            taken = {place.get("uri") for place in other["destinations"]} & set(uris)
            if other["id"] != app and taken:
                raise RefusedError(409, 11010, "access.api.error.application_already_exists")
        given = {k: v for k, v in body.items() if v is not None and k not in APP_READ_ONLY}
        return {**APP_DEFAULTS, "name": domain, **given, "domain": domain, "destinations": places}

    def _links(self, links: list[Any]) -> list[str]:
        pairs = [
            (link.get("precedence", n), link["id"]) if isinstance(link, dict) else (n, link)
            for n, link in enumerate(links, 1)
        ]
        if len({precedence for precedence, _ in pairs}) < len(pairs):
            raise RefusedError(400, 12130, "policy precedences must be unique")
        for _, policy in pairs:
            if policy not in self._account.policies:
                raise RefusedError(400, 12130, "access.api.error.invalid_request: policy not found")
        return [policy for _, policy in sorted(pairs)]

    def _told(self, kept: Json) -> Json:
        policies = Policies(self._account)
        whole = [
            {**policies.found(policy), "precedence": n}
            for n, policy in enumerate(kept["policies"], 1)
        ]
        return {**kept, "policies": whole}


class Policies:
    """Reusable policies."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def found(self, policy: str) -> Json:
        if policy not in self._account.policies:
            raise RefusedError(404, NOT_FOUND, "access.api.error.policy_not_found")
        kept = self._account.policies[policy]
        return {**kept, "app_count": len(self._apps_of(policy))}

    def every(self) -> list[Json]:
        return [self.found(policy) for policy in self._account.policies]

    def create(self, body: Json) -> Json:
        made = self._account.new_uuid()
        self._account.policies[made] = {
            **{"id": made, "uid": made, "reusable": True},
            **_policy(body),
            "created_at": self._account.at(),
            "updated_at": self._account.at(),
        }
        return self.found(made)

    def put(self, policy: str, body: Json) -> Json:
        self.found(policy)
        old = self._account.policies[policy]
        self._account.policies[policy] = {
            **{key: old[key] for key in ("id", "uid", "reusable", "created_at")},
            **_policy(body),
            "updated_at": self._account.at(),
        }
        return self.found(policy)

    def delete(self, policy: str) -> Json:
        self.found(policy)
        if self._apps_of(policy):
            raise RefusedError(409, 12132, "access.api.error.policy_in_use")  # code: its own
        del self._account.policies[policy]
        return {"id": policy}

    def _apps_of(self, policy: str) -> list[str]:
        return [app["id"] for app in self._account.apps.values() if policy in app["policies"]]


class ServiceTokens:
    """Service tokens. Their secret is told once, when it is made."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def found(self, token: str) -> Json:
        if token not in self._account.service_tokens:
            raise RefusedError(404, NOT_FOUND, "access.api.error.service_token_not_found")
        return self._account.service_tokens[token]

    def every(self) -> list[Json]:
        return list(self._account.service_tokens.values())

    def create(self, body: Json) -> Json:
        client = f"{self._account.new_hex()}.access"
        made = self._account.add_service_token(str(body["name"]), client)
        return self._with_secret(made)

    def rotate(self, token: str) -> Json:
        self.found(token)
        return self._with_secret(token)

    def refresh(self, token: str) -> Json:
        later = self._account.now() + timedelta(days=365)
        self.found(token)["expires_at"] = f"{later:%Y-%m-%dT%H:%M:%SZ}"
        return self.found(token)

    def delete(self, token: str) -> Json:
        self.found(token)
        return dict(self._account.service_tokens.pop(token))

    def _with_secret(self, token: str) -> Json:
        kept = {key: value for key, value in self.found(token).items() if key != "expires_at"}
        return {**kept, "client_secret": self._account.new_secret()}


def _policy(body: Json) -> Json:
    given = {k: v for k, v in body.items() if v is not None and k not in POLICY_READ_ONLY}
    if not given.get("name") or not given.get("include") or "decision" not in given:
        raise RefusedError(400, 12130, "access.api.error.invalid_request: name, decision, include")
    rules = {key: [_rule(one) for one in given.get(key) or []] for key in ("include", "exclude")}
    required = [_rule(one) for one in given.get("require") or []]
    return {**POLICY_DEFAULTS, **given, **rules, "require": required}


def _rule(rule: Json) -> Json:
    """A single address comes back as a network."""
    if "ip" in rule:
        return {"ip": {"ip": str(ip_network(rule["ip"]["ip"]))}}
    return rule
