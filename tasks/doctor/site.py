"""What is in a deploy's way in the site: secrets, credentials, keys, the example's values."""

import json
from collections.abc import Iterator
from json import JSONDecodeError

from inventory.catalogue import Catalogue
from inventory.errors import InventoryError
from inventory.load import locate
from inventory.secret import Secret
from inventory.secrets import named
from inventory.yaml_file import short
from tasks.checks.finding import Finding, Status
from tasks.ssh.keys import Keys

NO_TUNNEL = "00000000-0000-4000-8000-000000000000"
NO_DOMAIN = "home.example"
NO_TEAM = "example"
IN_DEFAULTS = "connection_options.netmiko.extras in inventory/defaults.yaml"


def judge(catalogue: Catalogue, here: str) -> Iterator[Finding]:
    """All of it, as seen from `here`; of what is well, a line each."""
    for check, judges in (
        ("secrets", _secrets), ("tunnel", _tunnel), ("example", _example), ("keys", _keys),
    ):  # fmt: skip
        found = list(judges(catalogue, here))
        yield from found or [_finding(check, check, here, Status.OK, "nothing is in the way")]


def refuse_another_tunnel(catalogue: Catalogue) -> None:
    """Raise InventoryError where a deploy would certainly fail at what the site says."""
    for finding in _tunnel(catalogue, ""):
        if finding.status is Status.FAILED:
            raise InventoryError(f"{finding.seen}: {finding.todo}")


def _finding(
    check: str, subject: str, here: str, status: Status, seen: str, todo: str = ""
) -> Finding:
    return Finding(
        check=check,
        subject=subject,
        vantage=here,
        status=status,
        seen=seen,
        expected="nothing in the way of a deploy",
        hop="site",
        todo=todo,
    )


def _secrets(catalogue: Catalogue, here: str) -> Iterator[Finding]:
    for one in named(catalogue):
        if trouble := one.trouble:
            status = Status.FAILED if one.renders else Status.WARN
            way = f"put it there on {here} (mode 0600), or name another place at that key"
            yield _finding("secrets", one.place, here, status, f"{one.place}: {trouble}", way)


def _tunnel(catalogue: Catalogue, here: str) -> Iterator[Finding]:
    """Is the credentials file that of the tunnel?"""
    tunnel, place = catalogue.site.tunnel, _defaults(catalogue, "tunnel")
    try:
        told = json.loads(Secret(tunnel.credentials).reveal())
    except InventoryError:
        told = {}  # told with the secrets
    except JSONDecodeError:
        told = None
    if not isinstance(told, dict):
        yield _finding(
            "tunnel", f"{place}.credentials", here, Status.WARN,
            f"{tunnel.credentials} is not the JSON that `cloudflared tunnel create` writes",
            "copy that file there, not the token",
        )  # fmt: skip
        return
    own = told.get("TunnelID")
    if own is None and tunnel.id == NO_TUNNEL:
        yield _finding(
            "tunnel", f"{place}.id", here, Status.WARN,
            f"{place}.id is still the example's {NO_TUNNEL}",
            "write the id there that `cloudflared tunnel create NAME` prints",
        )  # fmt: skip
    elif own not in (None, tunnel.id):
        still = " is still the example's and" if tunnel.id == NO_TUNNEL else ""
        yield _finding(
            "tunnel", f"{place}.id", here, Status.FAILED,
            f"{place}.id{still} is {tunnel.id}, and {tunnel.credentials} holds the credentials of "
            f"another tunnel, {own}",
            f"write {own} there, or put that tunnel's own file in place",
        )  # fmt: skip


def _example(catalogue: Catalogue, here: str) -> Iterator[Finding]:
    """Values that nobody has replaced yet."""
    for key, value, never, way in (
        ("domain", catalogue.site.domain, NO_DOMAIN, "your own domain, which Cloudflare serves"),
        ("access.team", catalogue.site.access.team, NO_TEAM, "TEAM of TEAM.cloudflareaccess.com"),
    ):
        if value == never:
            place = _defaults(catalogue, key)
            seen = f"{place} is still the example's {never}"
            yield _finding("example", place, here, Status.WARN, seen, f"write {way}")


def _keys(catalogue: Catalogue, here: str) -> Iterator[Finding]:
    """Is there a key to log in with? Hosts with the same login are told of once."""
    logins: dict[object, list[str]] = {}
    for host in catalogue.hosts.values():
        logins.setdefault((host.user, host.login), []).append(host.name)
    for names in logins.values():
        host = catalogue.hosts[names[0]]
        keys = Keys(host.stop)
        has_one = keys.has_any()
        if keys.notes or not has_one:
            notes = "; ".join(keys.notes) or "no key_file, none in ~/.ssh, and no agent holds one"
            yield _finding(
                "keys", f"the key for {', '.join(names)}", here,
                Status.WARN if has_one else Status.FAILED,
                f"{'not every' if has_one else 'no'} key to log in with to {', '.join(names)} as "
                f"{host.user}: {notes}",
                f"ssh-keygen -t ed25519 and ssh-copy-id, or name another in {IN_DEFAULTS}",
            )  # fmt: skip


def _defaults(catalogue: Catalogue, key: str) -> str:
    return f"{short(locate(catalogue.config).defaults)}: data.{key}"
