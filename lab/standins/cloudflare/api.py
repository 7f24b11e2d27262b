"""Who may ask for what, and which part of the account answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.standins.cloudflare.access import Apps, Policies, ServiceTokens
from lab.standins.cloudflare.account import Account, Token
from lab.standins.cloudflare.answer import Answer, Ask, Json, RefusedError, granted, refused
from lab.standins.cloudflare.faults import Fault, suffered
from lab.standins.cloudflare.records import Records

NAME = "twinedge's lab stand-in for Cloudflare's API"
Work = Callable[[Ask, Mapping[str, str]], Answer]
ZONE, ACCOUNT = "/zones/{zone_id}", "/accounts/{account_id}"
DNS, APPS, TUNNEL = "DNS", "Access: Apps and Policies", "Cloudflare Tunnel"
TOKENS = "Access: Service Tokens"
UNAUTHORISED = (10000, "Authentication error")


@dataclass(frozen=True, kw_only=True)
class Route:
    """One operation of the API, by the path that its description has."""

    method: str
    path: str
    permission: str
    work: Work

    def of(self, ask: Ask) -> Mapping[str, str] | None:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)
        found = re.fullmatch(pattern, ask.path)
        return found.groupdict() if found and ask.method == self.method else None


@dataclass
class Cloud:
    """The API of one account. `seen` is told every request, its route, and the answer."""

    account: Account
    faults: list[Fault] = field(default_factory=list)
    seen: Callable[[Ask, Route | None, Answer], None] = lambda *_: None

    def __post_init__(self) -> None:
        self._routes = _routes(self.account)

    def answer(self, ask: Ask) -> Answer:
        for fault in self.faults:
            if fault.meets(ask):
                return suffered(fault, ask, self._answer)
        return self._answer(ask)

    def _answer(self, ask: Ask) -> Answer:
        route, answer = None, refused(404, 7003, "Could not route to that path")
        for one in self._routes:
            named = one.of(ask)
            if named is not None:
                route, answer = one, self._allowed(one, ask, named)
                break
        self.seen(ask, route, answer)
        return answer

    def _allowed(self, route: Route, ask: Ask, named: Mapping[str, str]) -> Answer:
        token = self.account.tokens.get(ask.token)
        if token is None or (token.status != "active" and route.permission):
            return refused(401, 1000, "Invalid API Token")
        verb = "Read" if ask.method == "GET" else "Write"
        enough = {f"{route.permission} {verb}", f"{route.permission} Write"} & token.may
        here = {"zone_id": self.account.zone_id, "account_id": self.account.id}
        if route.permission and not enough:
            return refused(403, *UNAUTHORISED)
        if any(named.get(key, wanted) != wanted for key, wanted in here.items()):
            return refused(403, *UNAUTHORISED)
        try:
            answer = route.work(ask, named)
        except RefusedError as error:
            return refused(error.status, error.code, error.message)
        if ask.method == "GET":
            return answer
        return self._logged(token, ask, answer)

    def _logged(self, token: Token, ask: Ask, answer: Answer) -> Answer:
        result = answer.body["result"]
        resource = str(result.get("id", "")) if isinstance(result, dict) else ""
        line = self.account.remember(token.actor, ask.method, ask.path, resource)
        return Answer(status=answer.status, body=answer.body, headers={"Cf-Auditlog-Id": line})


def paged(ask: Ask, every: list[Json], size: int, *, pages: bool = True) -> Answer:
    """One page of a list; tunnel lists do not say how many there are."""
    page = int(ask.query.get("page", "1"))
    size = min(size, int(ask.query.get("per_page", str(size))))
    part = every[(page - 1) * size : page * size]
    info: Json = {
        "page": page,
        "per_page": size,
        "count": len(part),
        "total_count": len(every),
    }
    if pages:
        info["total_pages"] = -(-len(every) // size)
    return granted(part, info=info)


def _routes(account: Account) -> tuple[Route, ...]:
    return (
        *_tokens(account),
        *_zone(account),
        *_tunnels(account),
        *_access(account),
        *_service_tokens(account),
        _route("GET", f"{ACCOUNT}/logs/audit", "Account Settings", _audit(account)),
    )


def _route(method: str, path: str, permission: str, work: Work) -> Route:
    return Route(method=method, path=path, permission=permission, work=work)


def _tokens(account: Account) -> tuple[Route, ...]:
    def verify(kind: str) -> Work:
        def work(ask: Ask, _: Mapping[str, str]) -> Answer:
            token = account.tokens[ask.token]
            if token.kind != kind:  # a good token of the other kind, too
                return refused(401, 1000, "Invalid API Token")
            told: Json = {"id": "0c" * 16, "status": token.status}
            if token.expires_on:
                told["expires_on"] = f"{token.expires_on:%Y-%m-%dT%H:%M:%SZ}"
            return granted(told)

        return work

    return (
        _route("GET", "/user/tokens/verify", "", verify("user")),
        _route("GET", f"{ACCOUNT}/tokens/verify", "", verify("account")),
    )


def _zone(account: Account) -> tuple[Route, ...]:
    records = Records(account)
    one = f"{ZONE}/dns_records/{{dns_record_id}}"

    def zones(ask: Ask, _: Mapping[str, str]) -> Answer:
        named = ask.query.get("name") in (None, account.zone)
        return paged(ask, [account.zone_object()] if named else [], 50)

    def listed(ask: Ask, _: Mapping[str, str]) -> Answer:
        kinds = {"type": "type", "name.exact": "name", "name": "name", "content": "content"}
        wanted = {kinds[key]: value for key, value in ask.query.items() if key in kinds}
        every = [
            record
            for record in account.records.values()
            if all(record[key] == value for key, value in wanted.items())
        ]
        return paged(ask, every, 5000)

    return (
        _route("GET", "/zones", "Zone", zones),
        _route("GET", f"{ZONE}/dns_records", DNS, listed),
        _route("POST", f"{ZONE}/dns_records", DNS, lambda a, _: granted(records.create(a.body))),
        _route(
            "POST", f"{ZONE}/dns_records/batch", DNS, lambda a, _: granted(records.batch(a.body))
        ),
        _route("GET", one, DNS, lambda _, n: granted(records.found(n["dns_record_id"]))),
        _route("PATCH", one, DNS, lambda a, n: granted(records.patch(n["dns_record_id"], a.body))),
        _route("PUT", one, DNS, lambda a, n: granted(records.put(n["dns_record_id"], a.body))),
        _route("DELETE", one, DNS, lambda _, n: granted(records.delete(n["dns_record_id"]))),
    )


def _tunnels(account: Account) -> tuple[Route, ...]:
    every, one = f"{ACCOUNT}/cfd_tunnel", f"{ACCOUNT}/cfd_tunnel/{{tunnel_id}}"

    def found(named: Mapping[str, str]) -> Json:
        if named["tunnel_id"] not in account.tunnels:
            raise RefusedError(404, 1003, "Tunnel not found")
        return account.tunnels[named["tunnel_id"]]

    def listed(ask: Ask, _: Mapping[str, str]) -> Answer:
        alive = ask.query.get("is_deleted") == "false"
        name = ask.query.get("name")
        tunnels = [
            tunnel
            for tunnel in account.tunnels.values()
            if not (alive and tunnel["deleted_at"]) and name in (None, tunnel["name"])
        ]
        return paged(ask, tunnels, 1000, pages=False)

    def create(ask: Ask, _: Mapping[str, str]) -> Answer:
        name = ask.body["name"]
        if any(t["name"] == name and not t["deleted_at"] for t in account.tunnels.values()):
            raise RefusedError(409, 1013, "You already have a tunnel with this name")
        made = account.new_uuid()
        account.add_tunnel(made, name, ask.body.get("config_src", "local"))
        return granted(account.tunnels[made])

    def configuration(_: Ask, named: Mapping[str, str]) -> Answer:
        found(named)
        empty = {
            "account_id": account.id,
            "tunnel_id": named["tunnel_id"],
            "version": -1,
            "source": "local",
            "config": None,
            "created_at": account.at(),
        }
        return granted(account.configurations.get(named["tunnel_id"], empty))

    def connections(_: Ask, named: Mapping[str, str]) -> Answer:
        found(named)
        return granted(account.connections[named["tunnel_id"]])

    return (
        _route("GET", every, TUNNEL, listed),
        _route("POST", every, TUNNEL, create),
        _route("GET", one, TUNNEL, lambda _, n: granted(found(n))),
        _route("GET", f"{one}/connections", TUNNEL, connections),
        _route("GET", f"{one}/configurations", TUNNEL, configuration),
    )


def _access(account: Account) -> tuple[Route, ...]:
    apps, policies = Apps(account), Policies(account)
    app, policy = f"{ACCOUNT}/access/apps", f"{ACCOUNT}/access/policies"
    one_app, one_policy = f"{app}/{{app_id}}", f"{policy}/{{policy_id}}"
    return (
        _route("GET", app, APPS, lambda a, _: paged(a, apps.every(), 1000)),
        _route("POST", app, APPS, lambda a, _: granted(apps.create(a.body), 201)),
        _route("GET", one_app, APPS, lambda _, n: granted(apps.found(n["app_id"]))),
        _route("PUT", one_app, APPS, lambda a, n: granted(apps.put(n["app_id"], a.body))),
        _route("DELETE", one_app, APPS, lambda _, n: granted(apps.delete(n["app_id"]), 202)),
        _route("GET", policy, APPS, lambda a, _: paged(a, policies.every(), 100)),
        _route("POST", policy, APPS, lambda a, _: granted(policies.create(a.body), 201)),
        _route("GET", one_policy, APPS, lambda _, n: granted(policies.found(n["policy_id"]))),
        _route("PUT", one_policy, APPS, lambda a, n: granted(policies.put(n["policy_id"], a.body))),
        _route(
            "DELETE", one_policy, APPS, lambda _, n: granted(policies.delete(n["policy_id"]), 202)
        ),
    )


def _service_tokens(account: Account) -> tuple[Route, ...]:
    tokens = ServiceTokens(account)
    every = f"{ACCOUNT}/access/service_tokens"
    one = f"{every}/{{service_token_id}}"

    def by_id(work: Callable[[str], Any]) -> Work:
        return lambda _, named: granted(work(named["service_token_id"]))

    return (
        _route("GET", every, TOKENS, lambda a, _: paged(a, tokens.every(), 1000)),
        _route("POST", every, TOKENS, lambda a, _: granted(tokens.create(a.body), 201)),
        _route("GET", one, TOKENS, by_id(tokens.found)),
        _route("DELETE", one, TOKENS, by_id(tokens.delete)),
        _route("POST", f"{one}/rotate", TOKENS, by_id(tokens.rotate)),
        _route("POST", f"{one}/refresh", TOKENS, by_id(tokens.refresh)),
    )


def _audit(account: Account) -> Work:
    def work(ask: Ask, _: Mapping[str, str]) -> Answer:
        if not ask.query.get("since") or not ask.query.get("before"):
            raise RefusedError(400, 11002, "since and before are required")
        first, size = int(ask.query.get("cursor") or 0), int(ask.query.get("limit", "100"))
        newest = account.audit[::-1]
        part = newest[first : first + size]
        more = first + size < len(newest)
        info = {"count": len(part), "cursor": str(first + size) if more else ""}
        return granted(part, info=info)

    return work
