"""What the catalogue wants at Cloudflare, and the mark that ours carry there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inventory.catalogue import Catalogue, Service

PEOPLE, TOKEN = "people", "service token"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """How ours are known: a comment of a record, the end of an application's or policy's name.

    The free plan has comments of 100 characters and no tags, so the tunnel's id is cut.
    """

    tunnel: str

    @property
    def text(self) -> str:
        return f"twinedge:{self.tunnel[:8]}"

    @property
    def target(self) -> str:
        """Where every record of ours leads: to this tunnel and nowhere else."""
        return f"{self.tunnel}.cfargotunnel.com"

    def named(self, name: str) -> str:
        return f"{name} [{self.text}]"

    def on_name(self, name: str) -> bool:
        return name.endswith(f" [{self.text}]")

    def off_name(self, name: str) -> str:
        return name.removesuffix(f" [{self.text}]")

    def on_comment(self, comment: str) -> bool:
        return self.text in comment.split()

    def with_comment(self, comment: str) -> str:
        """`comment` with the mark; what somebody wrote there stays, where there is room."""
        if self.on_comment(comment):
            return comment
        both = f"{comment} {self.text}".strip()
        return both if len(both) <= 100 else self.text

    def off_comment(self, comment: str) -> str:
        return " ".join(word for word in comment.split() if word != self.text)


@dataclass(frozen=True, kw_only=True)
class WantedPolicy:
    """A reusable policy, known by its name."""

    name: str
    decision: str
    include: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class WantedApp:
    """The application of one protected name; `audience` is what the ingress demands."""

    host: str
    name: str
    session: str
    policies: tuple[WantedPolicy, ...]
    audience: str | None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """By public name: which have a record, and which an application."""

    mark: Mark
    hosts: tuple[str, ...]
    apps: Mapping[str, WantedApp]


def wanted(catalogue: Catalogue, service_token: str | None) -> Wanted:
    """`service_token` is the id of the one that verify enters with."""
    mark = Mark(tunnel=catalogue.site.tunnel.id)
    return Wanted(
        mark=mark,
        hosts=tuple(service.hostname for service in catalogue.public_services),
        apps={
            service.hostname: WantedApp(
                host=service.hostname,
                name=mark.named(service.title),
                session=service.rules.session or catalogue.site.access.session,
                policies=tuple(_policies(catalogue, service, mark, service_token)),
                audience=service.audience,
            )
            for service in catalogue.public_services
            if service.is_protected
        },
    )


def token_enters(catalogue: Catalogue, service: Service) -> bool:
    """May verify's service token enter?"""
    if service.rules.service_token is None:
        return catalogue.site.access.service_token is not None
    return service.rules.service_token


def _policies(
    catalogue: Catalogue, service: Service, mark: Mark, service_token: str | None
) -> Iterator[WantedPolicy]:
    allow = catalogue.let_in(service)
    rules = (
        *({"email": {"email": email.lower()}} for email in allow.emails),
        *({"email_domain": {"domain": domain}} for domain in allow.domains),
        *({"group": {"id": group}} for group in allow.groups),
    )
    if rules:
        yield WantedPolicy(
            name=mark.named(f"{service.hostname} {PEOPLE}"), decision="allow", include=rules
        )
    if service_token and token_enters(catalogue, service):
        yield WantedPolicy(
            name=mark.named(f"{service.hostname} {TOKEN}"),
            decision="non_identity",
            include=({"service_token": {"token_id": service_token}},),
        )
