"""What each check makes of one thing that is wrong, on an edge that is otherwise healthy."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import yaml

from inventory.load import load_catalogue
from runbooks.verify import CHECKS, judge
from tasks.checks import caddy, caddy_config, dns, host, mesh, sync, tunnel
from tasks.checks.diagnosis import diagnose, faults
from tasks.checks.finding import Finding, Status
from tasks.configs.cloudflared import CADDY
from tasks.live import Lock
from tasks.lookup import DnsAnswer
from tasks.observe import Reply
from tasks.probe import Answer, Certificate
from tests.site import Site
from tests.unit.surveys import DENIED, NOW, REFUSED, Edge, ok

MISSING = Reply(status=127, text="tailscale is not installed")


@pytest.fixture
def edge(site: Site) -> Edge:
    return Edge(load_catalogue(site.config))


def the_fault(edge: Edge) -> Finding:
    """The only thing that is not ok."""
    found = faults(diagnose(judge(edge.survey(), CHECKS)))
    assert [fault.first for fault in found][1:] == []
    return found[0].first


def edit(edge: Edge, host: str, path: str, text: str) -> None:
    state = edge.states[host]
    file = replace(state.files[path], text=text, digest="0" * 64, modified=NOW)
    edge.states[host] = replace(state, files={**state.files, path: file})


# --- caddy


def test_a_swapped_order_of_upstreams_is_seen_before_it_hurts(edge: Edge):
    running = json.dumps(edge.caddy_config("vps1"))
    right = '{"dial": "100.102.55.88:80"}, {"dial": "100.67.88.109:80"}'
    wrong = '{"dial": "100.67.88.109:80"}, {"dial": "100.102.55.88:80"}'
    edge.replies["vps1", caddy_config.CONFIG] = ok(running.replace(right, wrong))
    fault = the_fault(edge)
    assert fault.subject == "order of organizr on vps1"
    assert fault.seen == "100.67.88.109:80 then 100.102.55.88:80"
    assert fault.expected == "100.102.55.88:80 then 100.67.88.109:80"


def test_a_caddy_that_falls_back_on_the_other_caddy_is_a_wrong_order(edge: Edge):
    running = json.dumps(edge.caddy_config("vps1"))
    looped = running.replace("100.102.55.88:80", "100.102.55.88:443", 1)
    edge.replies["vps1", caddy_config.CONFIG] = ok(looped)
    assert the_fault(edge).status is Status.FAILED


def test_every_handler_of_a_site_counts_for_its_order():
    def proxy(*dials: str) -> dict[str, object]:
        return {"handler": "reverse_proxy", "upstreams": [{"dial": d} for d in dials]}

    inner = [{"handle": [proxy("a", "b")]}, {"handle": [proxy("b", "a")]}]
    route = {
        "match": [{"host": ["x.test"]}],
        "handle": [{"handler": "subroute", "routes": inner}],
    }
    config = {"apps": {"http": {"servers": {"srv0": {"routes": [route]}}}}}
    assert caddy_config.orders_of(config) == {"x.test": {("a", "b"), ("b", "a")}}


@pytest.mark.parametrize(
    ("life", "left", "late"),
    [
        (timedelta(hours=12), timedelta(hours=4), False),  # Caddy's own, when it is due
        (timedelta(hours=12), timedelta(hours=2), True),
        (timedelta(days=90), timedelta(days=29), False),  # Let's Encrypt, when it is due
        (timedelta(days=90), timedelta(days=13), True),
        (timedelta(days=3650), timedelta(days=300), False),  # 14 days are enough to act
    ],
)
def test_a_certificate_is_late_once_it_should_have_been_renewed(
    life: timedelta, left: timedelta, late: bool
):
    ends = NOW + left
    assert caddy.is_late(Certificate(starts=ends - life, ends=ends), NOW) is late


@pytest.mark.parametrize(
    ("line", "door"),
    [
        ("LISTEN 0 4096 0.0.0.0:443 0.0.0.0:*", "0.0.0.0:443"),
        ("LISTEN 0 4096 *:2019 *:*", "*:2019"),
        ("tcp 0 0 198.51.100.7:443 0.0.0.0:* LISTEN", "198.51.100.7:443"),
        ("LISTEN 0 4096 [::]:8081 [::]:*", "[::]:8081"),
        ("LISTEN 0 4096 203.0.113.11:8081 0.0.0.0:*", "203.0.113.11:8081"),
        ("LISTEN 0 4096 100.67.88.109:20241 0.0.0.0:*", "100.67.88.109:20241"),
    ],
)
def test_a_door_that_is_open_beyond_the_tailnet_is_found(edge: Edge, line: str, door: str):
    edge.replies["vps1", caddy_config.LISTENERS] = ok(line)
    fault = the_fault(edge)
    assert (fault.status, fault.seen) == (Status.FAILED, door)


def test_loopback_and_other_programs_doors_are_none_of_ours(edge: Edge):
    edge.replies["vps1", caddy_config.LISTENERS] = ok(
        "LISTEN 0 9 127.0.0.1:2019 0.0.0.0:*\n"
        "LISTEN 0 9 [::1]:2019 [::]:*\n"
        "LISTEN 0 9 100.67.88.109:8081 0.0.0.0:*\n"
        "LISTEN 0 9 0.0.0.0:22 0.0.0.0:*"
    )
    assert faults(diagnose(judge(edge.survey(), CHECKS))) == ()


def test_an_admin_api_that_answers_from_the_tailnet_is_found(edge: Edge):
    edge.admin["vps1"] = Answer(status=200, body="{}")
    assert the_fault(edge).seen == "100.67.88.109:2019"


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("admin-api open to every local user", "open to every local user"),
        ("admin-api socket 755 666", "socket 755 666"),
        ("tunnel-listener open to every local user", "open to every local user"),
    ],
)
def test_what_every_local_user_may_reach_is_told(edge: Edge, line: str, seen: str):
    closed = edge.replies["vps1", caddy_config.TRUSTED].text
    name = line.partition(" ")[0]
    others = [told for told in closed.splitlines() if not told.startswith(name)]
    edge.replies["vps1", caddy_config.TRUSTED] = ok("\n".join([*others, line]))
    fault = the_fault(edge)
    assert (fault.status, fault.subject, fault.seen) == (Status.WARN, f"{name} on vps1", seen)


def test_a_host_without_nft_says_so_and_is_not_held_for_guarded(edge: Edge):
    text = "admin-api socket 700 600\nnft is not installed"
    edge.replies["vps1", caddy_config.TRUSTED] = Reply(status=127, text=text)
    found = {f.subject: f for f in judge(edge.survey(), ["caddy"])}
    assert found["tunnel-listener on vps1"].status is Status.SKIPPED
    assert found["admin-api on vps1"].status is Status.OK


# --- tunnel


def test_a_replica_without_connections_is_named(edge: Edge):
    text = '503 0.01 no\n{"status":503,"readyConnections":0}'
    edge.replies["vps2", tunnel.READY] = ok(text)
    assert (the_fault(edge).hop, the_fault(edge).seen) == ("tunnel vps2", "0 connections")


def test_a_replica_with_few_connections_is_a_warning(edge: Edge):
    edge.replies["vps2", tunnel.READY] = ok('200 0.01 no\n{"readyConnections":1}')
    assert the_fault(edge).status is Status.WARN


@pytest.mark.parametrize(
    ("why", "hop"),
    [
        ("its Caddy did not answer", "caddy vps2"),
        ("its tailnet address 100.102.55.88 is gone", "mesh vps2"),
    ],
)
def test_a_replica_that_has_left_on_purpose_is_not_what_is_broken(edge: Edge, why: str, hop: str):
    edge.replies["vps2", tunnel.READY] = REFUSED
    edge.replies["vps2", tunnel.LEFT] = ok(f"age 7\n{why}\n")
    fault = the_fault(edge)
    assert (fault.status, fault.hop) == (Status.WARN, hop)
    assert fault.seen == f"left on purpose 7 s ago: {why}"


def test_a_caddy_that_hangs_explains_why_its_replica_has_left(edge: Edge):
    edge.replies["vps2", tunnel.READY] = REFUSED
    edge.replies["vps2", tunnel.LEFT] = ok("age 7\nits Caddy did not answer\n")
    edge.replies["vps2", caddy_config.CONFIG] = Reply(status=28, text="")
    found = diagnose(judge(edge.survey(), CHECKS))
    assert {fault.first.hop for fault in faults(found)} == {"caddy vps2"}
    (left,) = [f for f in found if f.subject == "replica on vps2"]
    assert left.cause == "caddy vps2"


def test_another_edges_caddy_that_a_replica_could_not_ask_is_told(edge: Edge):
    edge.replies["vps1", "the tunnel's listener of vps2"] = Reply(status=28, text="000 5.0 no")
    fault = the_fault(edge)
    assert (fault.status, fault.seen) == (Status.WARN, "no answer")
    assert fault.todo == "does a firewall on vps2 take port 8081 from 100.67.88.109?"


def test_a_watch_that_does_not_run_is_told(edge: Edge):
    units = edge.replies["vps1", host.UNITS].text
    stopped = units.replace("twinedge-replica.service\nActiveState=active",
                            "twinedge-replica.service\nActiveState=inactive")  # fmt: skip
    edge.replies["vps1", host.UNITS] = ok(stopped)
    assert the_fault(edge).subject == "watch beside the replica on vps1"


def ingress(edge: Edge, change: str, to: str) -> list[Finding]:
    path = edge.catalogue.hosts["vps1"].paths.cloudflared
    text = edge.states["vps1"].files[path].text or ""
    assert change in text
    edit(edge, "vps1", path, text.replace(change, to, 1))
    found = diagnose(judge(edge.survey(), ["tunnel"]))
    return [f for f in found if f.status is Status.FAILED]


@pytest.mark.parametrize(
    ("change", "to", "seen"),
    [
        (f"{CADDY}:8081", "127.0.0.1:8081", "organizr.home.example leads to"),
        ('hostname: "plex', 'hostname: "flex', "plex.home.example leads to http_status:404"),
        ("00000000-0000", "11111111-0000", "tunnel 11111111-0000"),
        ('service: "http_status:404"', 'hostname: "x.home.example"', "no rule for all other"),
        ("ingress:", "ingress: [", "no readable config"),
    ],
)
def test_a_replica_that_routes_otherwise_is_told_with_what(
    edge: Edge, change: str, to: str, seen: str
):
    (fault,) = ingress(edge, change, to)
    assert seen in fault.seen
    assert fault.hop == "tunnel vps1"


def test_the_first_rule_that_matches_counts_and_a_wildcard_is_no_apex():
    rules = tunnel.rules_of(
        yaml.safe_load(
            "ingress: [{hostname: a.x, path: /p, service: one}, {hostname: '*.x', service: two},"
            " {service: three}]"
        )
    )
    assert tunnel.Ingress.of(rules).first_match("a.x") == "two"
    assert tunnel.Ingress.of(rules).first_match("x") == "three"


# --- access


def test_a_stranger_who_gets_in_is_loud(edge: Edge):
    edge.strangers["plex"] = Answer(status=200, body="MediaContainer")
    fault = the_fault(edge)
    assert fault.hop == "access"
    assert fault.seen.startswith("A STRANGER GETS IN: 200")
    assert fault.todo.startswith("NOW: ")


@pytest.mark.parametrize(
    "answer", [Answer(status=302, location="https://elsewhere.example/"), Answer(status=502)]
)
def test_only_accesss_own_no_is_a_no(edge: Edge, answer: Answer):
    edge.strangers["plex"] = answer
    assert the_fault(edge).hop == "access"


def test_a_refused_service_token_is_access_not_the_tunnel(edge: Edge):
    edge.guests["plex"] = DENIED
    assert (the_fault(edge).hop, the_fault(edge).subject) == (
        "access",
        "the service token at plex.home.example",
    )


def test_an_open_service_lets_strangers_in(edge: Edge, site: Site):
    site.change("services", "services.plex.access", "open")
    opened = Edge(load_catalogue(site.config))
    opened.strangers["plex"] = opened.good("plex")
    assert faults(diagnose(judge(opened.survey(), CHECKS))) == ()


# --- dns


def test_a_stale_record_is_named_with_resolver_and_both_answers(edge: Edge):
    for how in dns.TRANSPORTS:
        edge.records["vps1", "plex.home.example", how] = DnsAnswer(
            addresses=frozenset({"100.67.88.109"}), code="NOERROR"
        )
    fault = the_fault(edge)
    assert (fault.hop, fault.seen) == ("dns vps1", "100.67.88.109")
    assert fault.expected == "100.102.55.88, 100.67.88.109"


def test_a_silent_resolver_is_one_fault_for_each_transport_not_one_for_each_name(edge: Edge):
    for key in edge.records:
        if key[0] == "vps2":
            edge.records[key] = DnsAnswer(error="no connection")
    fault = the_fault(edge)
    assert (fault.hop, fault.seen) == ("dns vps2", "no connection")


def test_a_name_that_does_not_fall_through_is_found(edge: Edge):
    edge.records[dns.FORWARDER, edge.unknown, "UDP"] = DnsAnswer(
        addresses=frozenset({"203.0.113.1"}), code="NOERROR"
    )
    found = faults(diagnose(judge(edge.survey(), CHECKS)))
    assert {finding.subject for fault in found for finding in fault.findings} == {
        "unknown names at vps1",
        "unknown names at vps2",
    }


def test_split_dns_that_lists_one_resolver_is_found_and_without_tailscale_skipped(edge: Edge):
    one = {"SplitDNSRoutes": {"home.example.": [{"Addr": "100.67.88.109"}]}}
    edge.replies["unraid", dns.SPLIT] = ok(json.dumps(one))
    edge.replies["vps1", dns.SPLIT] = MISSING
    fault = the_fault(edge)
    assert (fault.subject, fault.seen) == ("split DNS on unraid", "100.67.88.109")


def test_a_host_that_heeds_no_dns_of_the_tailnet_is_told_unless_it_is_a_resolver(edge: Edge):
    both = [{"Addr": str(each.address)} for each in edge.catalogue.resolvers]
    routes = {"TailscaleDNS": False, "SplitDNSRoutes": {"home.example.": both}}
    for name in ("unraid", "vps1"):
        edge.replies[name, dns.SPLIT] = ok(json.dumps(routes))
    fault = the_fault(edge)
    assert (fault.subject, fault.status) == ("split DNS on unraid", Status.WARN)
    assert fault.seen.endswith("but the host takes no DNS from the tailnet")


# --- mesh

OF_LOW_SEVERITY = [
    "An update from version 1.100.0 to 1.103.1 is available. Run `tailscale update` to update now.",
    "Some peers are advertising routes but --accept-routes is false",
]


@pytest.mark.parametrize(("mode", "word"), [(0, "off"), (1, "nodivert")])
def test_a_tailscale_without_its_filter_is_told_by_name(edge: Edge, mode: int, word: str):
    edge.replies["vps1", mesh.PREFS] = ok(f'{{"NetfilterMode": {mode}}}')
    fault = the_fault(edge)
    assert (fault.status, fault.seen) == (Status.WARN, word)


@pytest.mark.parametrize("reply", [MISSING, ok(""), ok("{}"), ok('{"NetfilterMode": 9}')])
def test_a_filter_that_nobody_tells_of_is_skipped_and_not_held_for_on(edge: Edge, reply: Reply):
    edge.replies["vps1", mesh.PREFS] = reply
    found = {f.subject: f.status for f in judge(edge.survey(), ["mesh"])}
    assert found["tailscale's filter on vps1"] is Status.SKIPPED


@pytest.mark.parametrize(
    ("told", "status", "seen"),
    [
        ({"BackendState": "Running", "Self": {}}, Status.OK, "running"),
        ({"BackendState": "NeedsLogin", "Self": {}}, Status.FAILED, "tailscale is NeedsLogin"),
        ({"BackendState": "Running", "Self": {"Expired": True}}, Status.FAILED, "has expired"),
        (
            {
                "BackendState": "Running",
                "Self": {"KeyExpiry": (NOW + timedelta(days=3, hours=1)).isoformat()},
            },
            Status.WARN,
            "its key ends in 3 days",
        ),
        (
            {"BackendState": "Running", "Self": {"KeyExpiry": "0001-01-01T00:00:00Z"}},
            Status.OK,
            "running",
        ),
        ({"BackendState": "Running", "Self": {}, "Health": ["no DNS"]}, Status.WARN, "no DNS"),
        (
            {"BackendState": "Running", "Self": {}, "Health": [*OF_LOW_SEVERITY, "no DNS"]},
            Status.WARN,
            "no DNS",
        ),
        (
            {"BackendState": "Running", "Self": {}, "Health": OF_LOW_SEVERITY},
            Status.OK,
            "running; An update from version 1.100.0 to 1.103.1 is available",
        ),
    ],
)
def test_a_hosts_own_word_on_its_tailnet(told: object, status: Status, seen: str):
    judged = mesh.membership(ok(json.dumps(told)), NOW)
    assert judged[0] is status
    assert seen in judged[1]


@pytest.mark.parametrize(
    ("reply", "status", "seen"),
    [
        (ok("pong from b (100.1.1.1) via 5.6.7.8:41641 in 12ms"), Status.OK, "direct in 12ms"),
        (
            ok("pong from b (100.1.1.1) via DERP(fra) in 30ms"),
            Status.WARN,
            "relayed by DERP(fra) in 30ms",
        ),
        (
            ok("pong from b (100.1.1.1, 41000) via peer-relay(203.0.113.5:7777:vni:3) in 20ms"),
            Status.WARN,
            "relayed by peer-relay(203.0.113.5:7777:vni:3) in 20ms",
        ),
        (
            ok(
                "pong from b (1.1.1.1) via DERP(fra) in 30ms\n"
                "pong from b (1.1.1.1) via 5.6.7.8:9 in 1ms"
            ),
            Status.OK,
            "direct in 1ms",
        ),
        (Reply(status=1, text="ping timed out\nno reply"), Status.FAILED, "no answer"),
        (
            ok("64 bytes from 100.1.1.1: icmp_seq=1 ttl=64 time=0.5 ms"),
            Status.OK,
            "reached in 0.5 ms (plain ping)",
        ),
        (Reply(status=127, text="ping is not installed"), Status.SKIPPED, "ping is not installed"),
    ],
)
def test_the_way_to_a_peer(reply: Reply, status: Status, seen: str):
    assert mesh.route(reply) == (status, seen)


# --- config


def test_a_file_edited_by_hand_is_drift_of_its_hop(edge: Edge):
    path = edge.catalogue.hosts["unraid"].paths.mcp
    edit(edge, "unraid", path, "{}")
    fault = the_fault(edge)
    assert (fault.hop, fault.subject) == ("config unraid", f"{path} on unraid")
    assert "was edited by hand" in fault.seen


def test_a_host_on_another_commit_is_a_warning(edge: Edge):
    state = edge.states["vps1"]
    assert state.current is not None
    edge.states["vps1"] = replace(state, current=replace(state.current, commit="0ld"))
    fault = the_fault(edge)
    assert (fault.status, fault.seen) == (Status.WARN, "commit 0ld")
    assert fault.expected == "commit 1234abcd, as the other hosts"


def test_a_deploy_at_work_is_told_with_its_holder(edge: Edge):
    lock = Lock(token="t", holder="ann@vps2", since=NOW, until=NOW + timedelta(minutes=2))
    edge.states["vps1"] = replace(edge.states["vps1"], lock=lock)
    assert "ann@vps2 is at work on this host" in the_fault(edge).seen


def test_a_host_without_a_release_fails(edge: Edge):
    edge.states["unraid"] = replace(edge.states["unraid"], current=None)
    assert (the_fault(edge).status, the_fault(edge).seen) == (Status.FAILED, "no release")


# --- host


def test_a_host_that_answers_and_refuses_has_failed_and_is_not_unreachable(edge: Edge):
    edge.lost["unraid"] = "ops may not use sudo without a password there"
    edge.refused = frozenset({"unraid"})
    assert (the_fault(edge).hop, the_fault(edge).status) == ("ssh unraid", Status.FAILED)


@pytest.mark.parametrize(("percent", "status"), [(86, Status.WARN), (97, Status.FAILED)])
def test_a_disk_that_fills_warns_before_it_fails(edge: Edge, percent: int, status: Status):
    text = f"Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a 9 9 0 {percent}% /"
    edge.replies["vps1", "disks"] = ok(text)
    assert (the_fault(edge).hop, the_fault(edge).status) == ("disk vps1", status)


@pytest.mark.parametrize(
    ("ahead", "seen"),
    [((1.0, 1.2), "1.1 s ahead of vps2"), ((-30.1, -30.0), "30.1 s behind vps2")],
)
def test_a_clock_that_is_off_beyond_doubt_is_named(
    edge: Edge, ahead: tuple[float, float], seen: str
):
    edge.clocks["vps1"] = ahead
    assert (the_fault(edge).hop, the_fault(edge).seen) == ("clock vps1", seen)


def test_a_slow_look_leaves_doubt_and_accuses_no_clock(edge: Edge):
    edge.clocks["vps1"] = (-0.2, 4.0)
    assert faults(diagnose(judge(edge.survey(), CHECKS))) == ()


# --- sync


def test_trees_that_differ_fail_when_quiet_and_wait_when_busy(edge: Edge):
    edge.replies["vps1", "tree antigravity"] = ok("quiet 3 ffff")
    assert the_fault(edge).seen == "vps1 has 3 files, vps2 2, and they differ"
    edge.replies["vps2", "tree antigravity"] = ok("busy 2 abcd")
    assert faults(diagnose(judge(edge.survey(), CHECKS))) == ()


def test_changes_that_wait_too_long_are_found(edge: Edge):
    edge.replies["vps1", sync.STATUS] = ok("age 600\nThere are 7 delays")
    assert the_fault(edge).seen == "7 changes wait for 600 s"


def test_inotify_watches_that_run_out_are_a_warning(edge: Edge):
    edge.replies["vps1", "inotify watches"] = ok("8000 8192")
    assert the_fault(edge).seen == "97 % of 8192 used"


def test_a_sync_that_fails_again_and_again_says_why(edge: Edge):
    edge.replies["vps1", "records of antigravity"] = ok("daemon 1790000100 failed 2 1790000000 x")
    assert faults(diagnose(judge(edge.survey(), CHECKS))) == ()
    edge.replies["vps1", "records of antigravity"] = ok(
        "daemon 1790000100 failed 3 1790000000 no y"
    )
    assert the_fault(edge).seen == "antigravity failed 3 times: no y"


def test_a_service_that_cannot_take_in_changes_is_found(edge: Edge):
    edge.replies["vps2", "records of resolver"] = ok("after 1790000100 failed no such unit")
    assert the_fault(edge).seen == "resolver: reload after changes: no such unit"


def test_kept_conflicts_are_a_warning(edge: Edge):
    edge.replies["vps1", "records of antigravity"] = ok("conflicts 2")
    assert the_fault(edge).seen == "alike, and 2 conflicts to look at"


def test_exclude_patterns_become_words_of_find():
    assert sync.left_out(("*.db", "logs/", "/top/one")) == (
        *("-name", "*.db", "-prune", "-o"),
        *("-name", "logs", "-prune", "-o"),
        *("-path", "./top/one", "-prune", "-o"),
    )


def test_no_two_findings_are_of_the_same_part(edge: Edge):
    """The history and alerts know a part by its check, its subject and its vantage."""
    found = [(f.check, f.subject, f.vantage) for f in judge(edge.survey(), CHECKS)]
    assert len(found) == len(set(found)) > 200
