"""Firewall: does a host's packet filter take a new connection from the tailnet?

Read from nft's ruleset and from `iptables -S` (ufw's rules are such). What is not understood
here counts for whoever lets in, so that a door is called closed only where it certainly is.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Literal

from tasks.doctor.ground import Ground

Verdict = Literal["accept", "drop", "perhaps", "return"]

# What a rule may say besides, which is no condition.
QUIET = ("counter", "log", "comment", "mangle", "notrack")


@dataclass(frozen=True, kw_only=True)
class Packet:
    """The first packet of a connection, as it comes in."""

    how: str
    port: int
    source: str
    target: str
    device: str = "tailscale0"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`meets` is None where nobody can tell here whether the packet does. What it does then is a
    verdict, or `jump` to a chain (`goto`: and not back)."""

    meets: bool | None
    verdict: Verdict | None = None
    jump: str = ""
    goto: bool = False


Chains = Mapping[str, Sequence[Rule]]


def closed_by(ground: Ground, packet: Packet) -> str:
    """Who certainly does not take `packet`, in words; "" where nobody is known to."""
    return _nft(ground.nft, packet) or _iptables(ground.iptables, packet)


def _walk(chains: Chains, name: str, depth: int = 0) -> Verdict:
    """What becomes of the packet in a chain; `return` where its end is reached."""
    for rule in chains.get(name, ()) if depth < 16 else ():
        verdict = rule.verdict
        if rule.meets is False:
            continue
        if rule.jump:
            verdict = _walk(chains, rule.jump, depth + 1)
            if verdict == "return" and not rule.goto:
                continue
        if rule.meets is None and verdict:
            verdict = None if verdict == "drop" else "perhaps"
        if verdict:
            return verdict
    return "return"


# --- nft --------------------------------------------------------------------------------------


def _nft(text: str, packet: Packet) -> str:
    try:
        entries = json.loads(text)["nftables"] if text else []
    except (ValueError, KeyError):
        return ""
    tables: dict[str, dict[str, list[Rule]]] = {}
    for rule in (entry["rule"] for entry in entries if "rule" in entry):
        chains = tables.setdefault(f"{rule['family']} {rule['table']}", {})
        chains.setdefault(rule["chain"], []).append(_nft_rule(rule["expr"], packet))
    for chain in (entry["chain"] for entry in entries if "chain" in entry):
        if chain.get("hook") != "input" or chain["family"] not in ("ip", "inet"):
            continue
        table = f"{chain['family']} {chain['table']}"
        verdict = _walk(tables.get(table, {}), chain["name"])
        if verdict == "return":
            verdict = "drop" if chain.get("policy") == "drop" else "accept"
        if verdict == "drop":
            return f"nft's table {table}, chain {chain['name']}"
    return ""


def _nft_rule(expressions: Sequence[Mapping[str, Any]], packet: Packet) -> Rule:
    meets: list[bool | None] = []
    for expression in expressions:
        kind, value = next(iter(expression.items()))
        if kind == "match":
            meets.append(_nft_match(value, packet))
        elif kind == "accept":
            return Rule(meets=_all(meets), verdict="accept")
        elif kind == "return":
            return Rule(meets=_all(meets), verdict="return")
        elif kind in ("drop", "reject"):
            return Rule(meets=_all(meets), verdict="drop")
        elif kind in ("jump", "goto"):
            return Rule(meets=_all(meets), jump=value["target"], goto=kind == "goto")
        elif kind == "vmap":
            verdict, jump = _nft_mapped(value, packet)
            if verdict or jump:
                return Rule(meets=_all(meets), verdict=verdict, jump=jump)
            meets.append(False)
        elif kind == "xt" and isinstance(value, dict) and value.get("type") == "target":
            return Rule(meets=None, verdict="perhaps")
        elif kind not in QUIET:
            meets.append(None)
    return Rule(meets=_all(meets))


def _nft_mapped(vmap: Mapping[str, Any], packet: Packet) -> tuple[Verdict | None, str]:
    """(verdict, jump) of the first key that the packet meets; neither where it meets none."""
    pairs = vmap["data"].get("set") if isinstance(vmap["data"], dict) else None
    if not isinstance(pairs, list):
        return "perhaps", ""
    for key, told in pairs:
        met = _nft_holds(vmap["key"], key, packet)
        kind, value = next(iter(told.items()))
        if met is None:
            return "perhaps", ""
        if met and kind in ("jump", "goto"):
            return None, value["target"]
        if met:
            return "drop" if kind == "drop" else "accept" if kind == "accept" else None, ""
    return None, ""


def _nft_match(match: Mapping[str, Any], packet: Packet) -> bool | None:
    met = _nft_holds(match["left"], match["right"], packet)
    return met if met is None or match["op"] in ("==", "in") else not met


def _nft_holds(left: Any, right: Any, packet: Packet) -> bool | None:
    what = next(iter(left.items())) if isinstance(left, dict) else ("", "")
    match what:
        case ("meta", {"key": "iifname" | "iif"}):
            return _one_of(right, lambda wanted: _is_device(wanted, "*", packet))
        case ("meta", {"key": "l4proto"}) | ("payload", {"protocol": "ip", "field": "protocol"}):
            return _one_of(right, lambda wanted: bool(wanted == packet.how))
        case ("meta", {"key": "nfproto"}):
            return _one_of(right, lambda wanted: bool(wanted == "ipv4"))
        case ("payload", {"protocol": "ip", "field": "saddr"}):
            return _one_of(right, lambda wanted: _is_within(wanted, packet.source))
        case ("payload", {"protocol": "ip", "field": "daddr"}):
            return _one_of(right, lambda wanted: _is_within(wanted, packet.target))
        case ("payload", {"protocol": protocol, "field": "dport"}):
            if protocol not in (packet.how, "th"):
                return False
            return _one_of(right, lambda wanted: _is_port(wanted, packet))
        case ("payload", {"protocol": "tcp" | "udp" | "icmp" | "icmpv6" | "ip6" as protocol}):
            return None if protocol == packet.how else False
        case ("ct", {"key": "state"}):
            return _one_of(right, lambda wanted: bool(wanted == "new"))
    return None


def _one_of(right: Any, meets: Any) -> bool | None:
    """Does one of the values that `right` stands for meet? The elements of a named set are not
    known."""
    if isinstance(right, str) and right.startswith("@"):
        return None
    many = right.get("set") if isinstance(right, dict) else right
    values = many if isinstance(many, list) else [right]
    found = [meets(value) for value in values]
    return True if True in found else None if None in found else False


def _is_device(wanted: Any, wildcard: str, packet: Packet) -> bool | None:
    if not isinstance(wanted, str):
        return None
    if wanted.endswith(wildcard):
        return packet.device.startswith(wanted[:-1])
    return wanted == packet.device


def _is_within(wanted: Any, address: str) -> bool | None:
    if isinstance(wanted, dict) and "prefix" in wanted:
        wanted = f"{wanted['prefix']['addr']}/{wanted['prefix']['len']}"
    try:
        if isinstance(wanted, dict) and "range" in wanted:
            first, last = (int(ip_address(end)) for end in wanted["range"])
            return first <= int(ip_address(address)) <= last
        return ip_address(address) in ip_network(wanted, strict=False)
    except (ValueError, TypeError):
        return None


def _is_port(wanted: Any, packet: Packet) -> bool | None:
    ends = wanted.get("range") if isinstance(wanted, dict) else [wanted, wanted]
    if not ends or not all(isinstance(end, int) for end in ends):
        return None
    return bool(ends[0] <= packet.port <= ends[1])


# --- iptables ---------------------------------------------------------------------------------


def _iptables(lines: Sequence[str], packet: Packet) -> str:
    chains: dict[str, list[Rule]] = {}
    policy = "ACCEPT"
    for line in lines:
        try:
            words = shlex.split(line)
        except ValueError:
            continue
        match words:
            case ["-P", "INPUT", told]:
                policy = told
            case ["-A", chain, *rest]:
                chains.setdefault(chain, []).append(_iptables_rule(rest, packet))
    verdict = _walk(chains, "INPUT")
    if verdict == "drop" or (verdict == "return" and policy == "DROP"):
        return "ufw" if any(name.startswith("ufw-") for name in chains) else "iptables' INPUT"
    return ""


def _iptables_rule(words: Sequence[str], packet: Packet) -> Rule:
    meets: list[bool | None] = []
    verdict: Verdict | None = None
    jump, goto = "", False
    for not_, option, value in _options(words):
        if option in ("-j", "-g"):
            goto = option == "-g"
            match value:
                case "ACCEPT":
                    verdict = "accept"
                case "DROP" | "REJECT":
                    verdict = "drop"
                case "RETURN":
                    verdict = "return"
                case "LOG" | "NFLOG":
                    pass
                case _:
                    jump = value
        elif option not in ("-m", "--comment") and not option.startswith(("--log", "--reject")):
            met = _iptables_match(option, value, packet)
            meets.append(met if met is None or not not_ else not met)
    return Rule(meets=_all(meets), verdict=verdict, jump=jump, goto=goto)


def _options(words: Sequence[str]) -> Iterator[tuple[bool, str, str]]:
    """(is it denied, option, value) of each that a rule has."""
    not_, option, value = False, "", ""
    for word in words:
        if word == "!" or word.startswith("-"):
            if option:
                yield not_, option, value
                not_, option, value = False, "", ""
            not_, option = (True, option) if word == "!" else (not_, word)
        else:
            value = word
    if option:
        yield not_, option, value


def _iptables_match(option: str, value: str, packet: Packet) -> bool | None:
    match option:
        case "-i":
            return _is_device(value, "+", packet)
        case "-p":
            return value in (packet.how, "all")
        case "-s":
            return _is_within(value, packet.source)
        case "-d":
            return _is_within(value, packet.target)
        case "--dport" | "--dports":
            ends = [part.partition(":") for part in value.split(",")]
            if not all(first.isdigit() for first, _, _ in ends):
                return None
            return any(int(a) <= packet.port <= int(b or a) for a, _, b in ends)
        case "--ctstate" | "--state":
            return "NEW" in value.split(",")
        case "--dst-type":
            return value == "LOCAL"
    return None


def _all(meets: Sequence[bool | None]) -> bool | None:
    return False if False in meets else None if None in meets else True
