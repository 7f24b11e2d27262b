"""Does a firewall close a door? Only where it certainly does."""

from pathlib import Path

import pytest

from tasks.doctor.firewall import Packet, closed_by
from tasks.doctor.ground import Ground

# What nft 1.0.6 prints of: policy drop; ct state vmap {established, related : accept, invalid :
# drop}; iif lo; icmp; tcp dport {22, 80-81}; udp dport 41641; ip saddr 100.100.0.0/16 tcp dport
# 443; ip saddr @mine udp dport 53; jump to `iifname "tail*" tcp dport 8443 accept, tcp flags syn
# tcp dport 9000 accept`; log limit; reject.
NFT = (Path(__file__).parent / "nft_ruleset.json").read_text(encoding="utf-8")
UFW = """\
-P INPUT DROP
-N ufw-before-input
-N ufw-user-input
-N ts-input
-A INPUT -j ufw-before-input
-A INPUT -j ufw-reject-input
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT
-A ufw-before-input -j ufw-user-input
-A ufw-user-input -p tcp -m tcp --dport 22 -m comment --comment "dapp_OpenSSH -j DROP" -j ACCEPT
-A ufw-user-input ! -i eth0 -p tcp -m multiport --dports 8000:8100,9000 -j ACCEPT
-A ufw-user-input -p tcp -m tcp --dport 7000 -m limit --limit 3/min -j ACCEPT
"""


def closed(ground: Ground, how: str, port: int, source: str = "100.64.0.7") -> str:
    return closed_by(ground, Packet(how=how, port=port, source=source, target="100.64.0.1"))


@pytest.mark.parametrize(
    ("how", "port", "is_closed"),
    [
        ("tcp", 443, True),
        ("tcp", 22, False),
        ("tcp", 81, False),
        ("udp", 22, True),
        ("udp", 41641, False),
        ("udp", 53, False),  # nobody here knows whom the set holds
        ("tcp", 53, True),
        ("tcp", 8443, False),
        ("tcp", 9000, False),  # flags are not read here
    ],
)
def test_nft_closes_what_no_rule_of_it_takes(how: str, port: int, is_closed: bool):
    found = closed(Ground(nft=NFT), how, port)
    assert found == ("nft's table inet filter, chain input" if is_closed else "")


def test_a_rule_that_takes_some_addresses_is_for_those():
    assert closed(Ground(nft=NFT), "tcp", 443, source="100.100.3.4") == ""


@pytest.mark.parametrize(
    ("port", "is_closed"),
    [(443, True), (22, False), (8080, False), (9000, False), (7999, True), (7000, False)],
)
def test_ufw_closes_what_no_rule_of_it_takes(port: int, is_closed: bool):
    found = closed(Ground(iptables=tuple(UFW.splitlines())), "tcp", port)
    assert found == ("ufw" if is_closed else "")


def test_tailscales_own_rule_opens_all_of_the_tailnet():
    lines = [*UFW.splitlines(), "-A ts-input -i tailscale0 -j ACCEPT"]
    lines.insert(4, "-A INPUT -j ts-input")
    assert closed(Ground(iptables=tuple(lines)), "tcp", 443) == ""


@pytest.mark.parametrize(
    "rules",
    [
        "-P INPUT ACCEPT\n-A INPUT -p tcp -m tcp --dport 443 -j DROP",
        "-P INPUT ACCEPT\n-A INPUT -s 100.64.0.0/10 -j closed\n-N closed\n-A closed -j REJECT",
        "-P INPUT ACCEPT\n-A INPUT -i tail+ -g closed\n-A closed -j DROP",
    ],
)
def test_a_rule_that_drops_closes_too(rules: str):
    assert closed(Ground(iptables=tuple(rules.splitlines())), "tcp", 443) == "iptables' INPUT"


@pytest.mark.parametrize("ground", [Ground(), Ground(nft="{"), Ground(iptables=('-A INPUT "',))])
def test_what_cannot_be_read_closes_nothing(ground: Ground):
    assert closed(ground, "tcp", 443) == ""
