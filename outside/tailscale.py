"""Tailscale's split DNS of our domain: read, compared as a set, written by PATCH alone.

The calls that replace a whole tailnet's DNS (PUT of split-dns, POST of the others) are not here.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from inventory.catalogue import Catalogue
from inventory.errors import InventoryError
from inventory.secret import Secret, conceal
from outside.apply import NotDone, Stale
from outside.client import (
    ANSWER,
    CONNECT,
    NOT_SENT,
    CloudError,
    LimitReached,
    NotAnswered,
    NotPermitted,
    OutcomeUnknown,
)

SPLIT_DNS = "/tailnet/-/dns/split-dns"  # `-` is the tailnet of the credential


class Tailnet:
    """The API of one tailnet. Raises CloudError, never with the credential in it."""

    def __init__(
        self,
        base: str,
        credential: str,
        client: str | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        timeout = httpx.Timeout(ANSWER, connect=CONNECT)
        self._http = httpx.Client(
            base_url=base, timeout=timeout, trust_env=False, transport=transport
        )
        self._credential, self._client = credential, client
        self._token = ""

    def close(self) -> None:
        self._http.close()

    def split_dns(self) -> Mapping[str, frozenset[str]]:
        """Domain -> resolvers. A domain without any is the same as one that is not there."""
        told = self._ask("GET", SPLIT_DNS) or {}
        if not isinstance(told, dict):
            raise NotAnswered("Tailscale gave no map of split DNS")
        return {
            domain.lower(): frozenset(map(str, there)) for domain, there in told.items() if there
        }

    def point(self, domain: str, resolvers: Collection[str]) -> None:
        """Let `domain`, and no other, be asked of `resolvers`. It is sent once."""
        try:
            self._ask("PATCH", SPLIT_DNS, {domain: sorted(resolvers)})
        except OutcomeUnknown as error:
            if self.split_dns().get(domain) != frozenset(resolvers):
                raise NotDone(f"split DNS of {domain}: nothing came of it; look again") from error

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        if not self._token:
            self._token = self._log_in()
        headers = {"Authorization": f"Bearer {self._token}"}
        return self._sent(method, path, json=body, headers=headers)

    def _log_in(self) -> str:
        """An OAuth client's secret is good for tokens of an hour; an access token is one."""
        if self._client is None:
            return self._credential
        form = {"client_id": self._client, "client_secret": self._credential}
        told = self._sent("POST", "/oauth/token", data=form)
        token = str(told.get("access_token", "")) if isinstance(told, dict) else ""
        if not token:
            raise NotAnswered("Tailscale gave no access token")
        conceal(token)
        return token

    def _sent(self, method: str, path: str, **more: Any) -> Any:
        try:
            return _judged(method, path, self._http.request(method, path, **more))
        except NOT_SENT as error:
            raise NotAnswered(f"{method} {path}: no answer ({type(error).__name__})") from error
        except (httpx.TransportError, NotAnswered) as error:
            if method == "PATCH":
                raise OutcomeUnknown(f"{method} {path}: what became of it is not known") from error
            why = str(error) if isinstance(error, NotAnswered) else type(error).__name__
            raise NotAnswered(f"{method} {path}: no answer ({why})") from error


def _judged(method: str, path: str, answer: httpx.Response) -> Any:
    status = answer.status_code
    if status == 429:
        raise LimitReached("Tailscale takes no more requests for now (429): come again later")
    if status == 401:
        raise NotPermitted("Tailscale does not know the credential: expired, or revoked")
    if status in (403, 404):
        scope = "dns:read" if method == "GET" else "dns"
        raise NotPermitted(
            f"Tailscale's credential may not {method} {path}: it lacks scope {scope}"
        )
    if not answer.is_success and status < 500:
        raise CloudError(f"{method} {path}: Tailscale refused it with status {status}")
    try:
        if answer.is_success:
            return answer.json() if answer.content else None
    except json.JSONDecodeError:
        pass
    raise NotAnswered(f"{method} {path}: status {status}, and no JSON")


@dataclass(frozen=True, kw_only=True)
class SplitDns:
    """Whom the tailnet asks for our domain, and whom it should; `strangers` are not our hosts."""

    domain: str
    there: frozenset[str]
    wanted: frozenset[str]
    strangers: frozenset[str]

    @property
    def is_done(self) -> bool:
        return self.there == self.wanted

    @property
    def words(self) -> str:
        there = ", ".join(sorted(self.there)) or "nobody"
        return f"split DNS of {self.domain}: {there} → {', '.join(sorted(self.wanted))}"


def split_plan(catalogue: Catalogue, seen: Mapping[str, frozenset[str]]) -> SplitDns:
    """Both resolvers: with one alone, names end with it."""
    domain = catalogue.site.domain
    there = seen.get(domain, frozenset())
    return SplitDns(
        domain=domain,
        there=there,
        wanted=frozenset(str(host.address) for host in catalogue.resolvers),
        strangers=there - {str(host.address) for host in catalogue.hosts.values()},
    )


def point(tailnet: Tailnet, plan: SplitDns) -> None:
    """Do what was shown, and look again. Raises Stale where somebody was faster."""
    if tailnet.split_dns().get(plan.domain, frozenset()) != plan.there:
        raise Stale(f"split DNS of {plan.domain} was changed since it was looked at: look again")
    tailnet.point(plan.domain, plan.wanted)
    if tailnet.split_dns().get(plan.domain) != plan.wanted:
        raise CloudError(f"split DNS of {plan.domain} was taken back: does another tool own it?")


def read_credential(reference: str, client: str | None) -> str:
    """The text of the credential. Raises InventoryError, which never holds it."""
    text = Secret(reference).reveal()
    kind = "client" if client else "api"
    if not re.fullmatch(rf"tskey-{kind}-[A-Za-z0-9-]{{10,200}}", text):
        raise InventoryError(
            f"{reference}: is no tskey-{kind}-…: an API access token (tskey-api-…), or with "
            "data.tailscale.client beside it the secret of an OAuth client (tskey-client-…)"
        )
    return text
