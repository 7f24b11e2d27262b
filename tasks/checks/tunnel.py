"""tunnel: each replica connected, the same rules on all, and a Caddy to ask in place of its own."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import yaml

from inventory.catalogue import Catalogue, Host
from tasks.checks import parts
from tasks.checks.finding import Finding, Status
from tasks.checks.survey import Survey
from tasks.configs import replica
from tasks.configs.cloudflared import origin
from tasks.observe import Question

READY, LEFT = "cloudflared ready", "left the tunnel"
CONNECTIONS = 4  # what one replica keeps to Cloudflare

Rules = Sequence[tuple[str, str]]  # hostname (empty: any) and service


def questions(host: Host, catalogue: Catalogue) -> Iterator[Question]:
    if not host.is_edge or not catalogue.public_services:
        return
    url = f"http://127.0.0.1:{catalogue.site.tunnel.metrics_port}/ready"
    yield Question(name=READY, words=("get", url, "", ""))
    for other in catalogue.other_edges(host):
        url = f"http://{other.address}:{catalogue.site.tunnel.caddy_port}/"
        yield Question(name=_spare(other), words=("get", url, "", ""))
    if replica.applies(host, catalogue):
        yield Question(name=LEFT, words=("aged", replica.LEFT))


def _spare(other: Host) -> str:
    return f"the tunnel's listener of {other.name}"


def judge(survey: Survey) -> Iterator[Finding]:
    if not survey.catalogue.public_services:
        return
    for edge in survey.edges:
        yield _left(survey, edge.name) or _ready(survey, edge.name)
        for other in survey.catalogue.other_edges(edge):
            yield _reaches(survey, edge, other)
        if replica.applies(edge, survey.catalogue):
            yield _watched(survey, edge.name)
        if edge.name in survey.plans:
            yield from _ingress(survey, edge)


def _left(survey: Survey, edge: str) -> Finding | None:
    """A replica that is out of the tunnel on purpose is not what is broken."""
    reply = survey.reply(edge, LEFT)
    if not reply.ok:
        return None
    age, _, why = reply.text.partition("\n")
    silent = "Caddy" in why
    return Finding(
        check="tunnel",
        subject=f"replica on {edge}",
        vantage=edge,
        status=Status.WARN,
        seen=f"left on purpose {age.removeprefix('age ')} s ago: {why.strip()}",
        expected="in the tunnel",
        host=edge,
        hop=f"caddy {edge}" if silent else f"mesh {edge}",
        todo=f"it comes back by itself; on {edge}: journalctl -u {replica.UNIT} -u caddy -n 50",
        part=parts.tunnel(edge),
        needs=(parts.host(edge), *([parts.caddy(edge)] if silent else [])),
    )


def _reaches(survey: Survey, edge: Host, other: Host) -> Finding:
    """What the replica on `edge` asks while its own Caddy takes no connection."""
    reply = survey.reply(edge.name, _spare(other))
    port = survey.catalogue.site.tunnel.caddy_port
    broken = Status.SKIPPED if reply.is_missing else Status.WARN
    return Finding(
        check="tunnel",
        subject=f"{other.name}'s Caddy, for the replica on {edge.name}",
        vantage=edge.name,
        status=Status.OK if reply.ok else broken,
        seen="answers" if reply.ok else reply.text.strip() if reply.is_missing else "no answer",
        expected="answers",
        host=edge.name,
        hop=f"tunnel {edge.name}",
        todo=f"does a firewall on {other.name} take port {port} from {edge.address}?",
        needs=(
            *(parts.host(edge.name), parts.host(other.name)),
            *(parts.mesh(edge.name, other.name), parts.caddy(other.name)),
        ),
    )


def _watched(survey: Survey, edge: str) -> Finding:
    unit = survey.unit_state(edge, replica.UNIT)
    return Finding(
        check="tunnel",
        subject=f"watch beside the replica on {edge}",
        vantage=edge,
        status=Status.OK if unit in ("active", None) else Status.WARN,
        seen=f"unit {replica.UNIT} is {unit or 'not asked for'}",
        expected="active",
        host=edge,
        hop=f"tunnel {edge}",
        todo=f"on {edge}: systemctl start {replica.UNIT}",
        needs=(parts.host(edge),),
    )


def _ready(survey: Survey, edge: str) -> Finding:
    reply, unit = survey.reply(edge, READY), survey.unit_state(edge, "cloudflared")
    count = connections(reply.text)
    seen = f"{count} connections" if reply.ok else "no answer from its /ready"
    if unit not in ("active", None):
        seen = f"unit cloudflared is {unit}"
    if reply.is_missing:
        seen = reply.text
    return Finding(
        check="tunnel",
        subject=f"replica on {edge}",
        vantage=edge,
        status=_readiness(reply.is_missing, count if unit in ("active", None) else 0),
        seen=seen,
        expected=f"{CONNECTIONS} connections",
        host=edge,
        hop=f"tunnel {edge}",
        todo=f"on {edge}: systemctl status cloudflared; journalctl -u cloudflared -n 50",
        part=parts.tunnel(edge),
        needs=(parts.host(edge),),
    )


def _readiness(unknown: bool, count: int) -> Status:
    if unknown:
        return Status.SKIPPED
    if count == 0:
        return Status.FAILED
    return Status.OK if count >= CONNECTIONS else Status.WARN


def connections(text: str) -> int:
    """`readyConnections` of cloudflared's /ready, as `get` of observe.sh printed it."""
    count = _told(text).get("readyConnections")
    return count if isinstance(count, int) else 0


def connector(text: str) -> str | None:
    """`connectorId` of the same: the replica, as Cloudflare knows it."""
    found = _told(text).get("connectorId")
    return found if isinstance(found, str) and found else None


def _told(text: str) -> Mapping[str, Any]:
    try:
        told = json.loads(text.partition("\n")[2])
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _ingress(survey: Survey, edge: Host) -> Iterator[Finding]:
    """The rules on the host against the catalogue's: equal there, they are equal on all."""
    catalogue = survey.catalogue
    live = survey.seen[edge.name].state.files.get(edge.paths.cloudflared)
    config = _read(live.text if live else None)
    wrong = list(_contradictions(catalogue, config))
    yield Finding(
        check="tunnel",
        subject=f"ingress on {edge.name}",
        vantage=edge.name,
        status=Status.FAILED if wrong else Status.OK,
        seen="; ".join(wrong[:3]) or "every public name leads to the Caddys",
        expected=f"every public name leads to {origin(catalogue)}, on all replicas",
        host=edge.name,
        hop=f"tunnel {edge.name}",
        todo="python runbooks/deploy.py shows the difference, --apply mends it",
        part=parts.ingress(edge.name),
        needs=(parts.host(edge.name),),
    )


def _read(text: str | None) -> dict[str, Any]:
    try:
        told = yaml.load(text or "", Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return {}
    return told if isinstance(told, dict) else {}


def _contradictions(catalogue: Catalogue, config: dict[str, Any]) -> Iterator[str]:
    """What in one replica's config is not as the catalogue wants it."""
    if not config:
        yield "no readable config"
        return
    if str(config.get("tunnel")) != catalogue.site.tunnel.id:
        yield f"tunnel {config.get('tunnel')}"
    rules = rules_of(config)
    names = set(catalogue.public_names)
    leads = Ingress.of(rules)
    for name in sorted(names):
        target = leads.first_match(name)
        if target != origin(catalogue):
            yield f"{name} leads to {target or 'nothing'}"
    for name in sorted({name for name, _ in rules if name} - names):
        yield f"{name} has a rule, but is not public"
    if not rules or rules[-1][0]:
        yield "no rule for all other names"


def rules_of(config: dict[str, Any]) -> Rules:
    ingress = config.get("ingress")
    entries = [rule for rule in ingress if isinstance(rule, dict)] if ingress else []
    # A rule for one path only does not lead the whole name.
    return [
        (str(rule.get("hostname", "")), str(rule.get("service", "")))
        for rule in entries
        if "path" not in rule
    ]


@dataclass(frozen=True)
class Ingress:
    """Rules by the names that they are for: hostname, or pattern -> place among all, and target."""

    named: Mapping[str, tuple[int, str]]
    patterns: Sequence[tuple[str, tuple[int, str]]]

    @classmethod
    def of(cls, rules: Rules) -> "Ingress":
        named: dict[str, tuple[int, str]] = {}
        patterns = []
        for n, (pattern, target) in enumerate(rules):
            if not pattern or any(sign in pattern for sign in "*?["):
                patterns.append((pattern, (n, target)))
            else:
                named.setdefault(pattern, (n, target))
        return cls(named, patterns)

    def first_match(self, name: str) -> str | None:
        """Where the first rule for `name` leads, as cloudflared picks it."""
        fits = [rule for pattern, rule in self.patterns if fnmatchcase(name, pattern or "*")]
        if name in self.named:
            fits.append(self.named[name])
        return min(fits)[1] if fits else None
