"""What verify makes of what Cloudflare's API tells."""

import json
from dataclasses import replace

import pytest

from outside.client import CloudError, NotAnswered, NotPermitted
from runbooks.verify import CHECKS, judge
from tasks.checks import tunnel
from tasks.checks.diagnosis import diagnose
from tasks.checks.finding import Finding, Status
from tests.clouds import TUNNEL, Clouds
from tests.outsides import World
from tests.site import Site
from tests.unit.surveys import Edge, ok

PLEX = "plex.home.example"
REPLICAS = {f"vps{n}": f"{n:08}-0000-4000-8000-000000000000" for n in (1, 2)}  # as World connects
OTHER = "00000009-0000-4000-8000-000000000000"


@pytest.fixture
def world(site: Site) -> World:
    made = World(site, Clouds())
    made.settle()
    return made


def seen(world: World, own: dict[str, str] = REPLICAS) -> list[Finding]:
    """What is found at Cloudflare of an edge that is well; `own` are the replicas as they say."""
    edge = Edge(world.catalogue)
    for name, connector in own.items():
        told = {"status": 200, "readyConnections": 4, "connectorId": connector}
        edge.replies[name, tunnel.READY] = ok(f"200 0.01 no\n{json.dumps(told)}")
    survey = replace(edge.survey(), outside=world.look())
    found = [f for f in diagnose(judge(survey, CHECKS)) if f.check == "cloudflare"]
    assert all(finding.cause is None for finding in found)
    return [finding for finding in found if finding.status is not Status.OK]


def the_fault(world: World, own: dict[str, str] = REPLICAS) -> tuple[Status, str, str]:
    (fault,) = seen(world, own)
    assert fault.todo
    return fault.status, fault.subject, fault.seen


def test_of_an_account_as_the_catalogue_wants_it_nothing_is_found(world: World):
    assert seen(world) == []


def test_a_dashboard_that_owns_the_ingress_is_a_failure_of_the_first_rank(world: World):
    world.clouds.account.take_over(TUNNEL)
    status, subject, words = the_fault(world)
    assert (status, subject) == (Status.FAILED, "tunnel and zone")
    assert "the dashboard owns the ingress" in words


def test_what_somebody_changed_there_is_told_by_its_name_with_who_and_when(world: World):
    record = world.record(PLEX)
    record["proxied"] = False
    status, subject, words = the_fault(world)
    assert (status, subject) == (Status.WARN, f"{PLEX} at Cloudflare")
    assert (
        f"change record {PLEX} (proxied: False, not True)" in words and "last changed by" in words
    )


def test_a_replica_that_no_edge_runs_is_an_alarm_and_each_edge_knows_its_own(world: World):
    world.clouds.account.connect(TUNNEL, OTHER, "203.0.113.77")
    status, subject, words = the_fault(world)
    assert (status, subject) == (Status.FAILED, "replicas of no edge")
    assert words.startswith(f"SOMEBODY ELSE RUNS THE TUNNEL: {OTHER}") and "203.0.113.77" in words


def test_a_replica_in_the_place_of_an_edges_own_is_seen_though_their_number_is_right(world: World):
    found = seen(world, REPLICAS | {"vps1": OTHER})
    assert {(f.subject, f.status) for f in found} == {
        ("replica of vps1", Status.WARN),
        ("replicas of no edge", Status.WARN),
    }


def test_of_an_edge_that_does_not_tell_its_replica_nothing_is_concluded(world: World):
    assert seen(world, {"vps1": REPLICAS["vps1"]}) == []


@pytest.mark.parametrize(
    ("decision", "include", "why"),
    [
        ("bypass", {"everyone": {}}, "bypasses Access"),
        ("allow", {"everyone": {}}, "lets in everyone"),
        ("non_identity", {"any_valid_service_token": {}}, "lets in any valid service token"),
    ],
)
def test_an_application_that_lets_everybody_in_is_loud(
    world: World, decision: str, include: dict[str, object], why: str
):
    policy = world.policy(f"{PLEX} people")
    policy |= {"decision": decision, "include": [include]}
    loud = [f for f in seen(world) if f.subject == f"Access in front of {PLEX}"]
    assert [(f.status, f.hop) for f in loud] == [(Status.FAILED, "access")]
    assert loud[0].seen.startswith("ANYBODY MAY ENTER") and why in loud[0].seen


def test_an_open_service_may_let_everybody_in(world: World):
    assert "radarr" in world.catalogue.services
    assert all("radarr" not in fault.subject for fault in seen(world))


def test_a_token_that_ends_soon_is_told_beforehand(world: World):
    (token,) = world.clouds.account.service_tokens.values()
    token["expires_at"] = "2026-12-05T00:00:00Z"
    status, subject, words = the_fault(world)
    assert (status, subject) == (Status.WARN, "tokens") and "ends on 05 Dec 2026" in words


@pytest.mark.parametrize(
    ("error", "status"),
    [(NotPermitted("it was revoked"), Status.WARN), (NotAnswered("no answer"), Status.SKIPPED)],
)
def test_an_api_that_tells_nothing_proves_nothing(world: World, error: CloudError, status: Status):
    survey = replace(Edge(world.catalogue).survey(), outside=error)
    (told,) = [f for f in judge(survey, ["cloudflare"]) if f.check == "cloudflare"]
    assert (told.status, told.seen) == (status, str(error))
