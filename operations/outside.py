"""Cloudflare as the catalogue wants it: looked at, planned, carried out.

An operation is given what was looked at, so that what is done is what was shown.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from inventory import audiences
from inventory.catalogue import Catalogue
from inventory.errors import UsageError
from inventory.load import locate
from outside.apply import Carrier
from outside.audit import last_changes
from outside.client import PATIENT, Api, CloudError, Patience
from outside.look import client_id, look
from outside.plan import Outlook, Plan, Step
from outside.planning import make_plan
from outside.token import read_token
from outside.wanted import Mark

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What was done, in order, and the error that ended it. `audiences` are the AUD tags of all
    our applications now, by public name.
    """

    done: tuple[Step, ...]
    error: CloudError | None
    audiences: Mapping[str, str]


def open_api(
    catalogue: Catalogue,
    say: Say = lambda _: None,
    patience: Patience = PATIENT,
) -> tuple[Api, str]:
    """The API and its token's text. Raises UsageError where there is none, InventoryError."""
    if catalogue.site.cloudflare is None:
        raise UsageError("there is no API token: data.cloudflare.token in inventory/defaults.yaml")
    token = read_token(catalogue.site.cloudflare.token)
    return Api(catalogue.site.cloudflare.api, token, say=say, patience=patience), token


def look_outside(
    api: Api,
    token: str,
    catalogue: Catalogue,
    *,
    adopt: Collection[str] = (),
    release: Collection[str] = (),
) -> Outlook:
    """Read everything, and plan. Raises CloudError, UsageError or InventoryError."""
    reference = catalogue.site.access.service_token
    seen = look(api, token, catalogue)
    plan = make_plan(
        catalogue,
        seen,
        service_token=client_id(reference) if reference else None,
        adopt=adopt,
        release=release,
        now=datetime.now(UTC),
    )
    return _with_who(api, Outlook(seen=seen, plan=plan))


def _with_who(api: Api, outlook: Outlook) -> Outlook:
    """A plan needs no audit log, and a token need not be allowed to read it."""
    ids = {step.id for step in outlook.plan.steps if step.action in ("change", "adopt")}
    if not ids:
        return outlook
    try:
        account = outlook.seen.zone.account.id
        return replace(outlook, who=last_changes(api, account, ids, datetime.now(UTC)))
    except CloudError as error:
        return replace(outlook, nobody=f"who changed it last is not known: {error}")


def refuse_plan(plan: Plan, *, many: bool) -> None:
    """Raise CloudError where no step may be done, UsageError where somebody has to say so."""
    if plan.problems:
        raise CloudError("\n".join([*plan.problems, "nothing was changed at Cloudflare"]))
    if plan.takes_many and not many:
        names = ", ".join(f"{step.kind} {step.name}" for step in plan.taken)
        raise UsageError(
            f"that deletes {len(plan.taken)} of the {plan.ours} objects of ours ({names}): is the "
            "catalogue whole? If it is, say --many"
        )


def carry_out(api: Api, outlook: Outlook, steps: Collection[Step], say: Say) -> Carried:
    """Do `steps` of the plan, in order, until one fails."""
    carrier = Carrier(api, outlook.seen, outlook.plan)
    done: list[Step] = []
    error: CloudError | None = None
    for step in steps:
        say(step.words)
        try:
            carrier.carry(step)
        except CloudError as failure:
            error = failure
            break
        done.append(step)
    adopted = {
        step.host: str(step.told.get("aud", ""))
        for step in done
        if step.kind == "application" and step.action == "adopt"
    }
    tags = {**outlook.plan.audiences, **adopted, **carrier.audiences}
    return Carried(done=tuple(done), error=error, audiences=tags)


def keep_audiences(catalogue: Catalogue, tags: Mapping[str, str]) -> str | None:
    """Write the AUD tags that every ingress has to demand; gives the file where one is new.

    The tag of a name that is gone stays until then: nobody reads it.
    """
    path = audiences.beside(locate(catalogue.config).services)
    old = audiences.read(path)
    protected = [s.hostname for s in catalogue.public_services if s.is_protected]
    known = {name: tags.get(name) or old.get(name) for name in protected}
    wanted = {name: tag for name, tag in known.items() if tag}
    if wanted.items() <= old.items():
        return None
    audiences.write(path, wanted)
    return str(path)


def by_hand(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """(public name, what to set in the dashboard), for who gives us no token."""
    target = Mark(tunnel=catalogue.site.tunnel.id).target
    for service in catalogue.public_services:
        if service.is_protected:
            demanded = (
                "" if service.audience else ", and its AUD tag as `audience` in services.yaml"
            )
            yield (
                service.hostname,
                "Zero Trust > Access > Applications: a self-hosted application with a policy"
                f"{demanded}; before the record",
            )
        yield service.hostname, f"DNS > Records: CNAME to {target}, proxied"
    if catalogue.site.tailscale is None and catalogue.resolvers:
        there = ", ".join(sorted(str(host.address) for host in catalogue.resolvers))
        yield catalogue.site.domain, f"Tailscale > DNS: split DNS to {there}"
