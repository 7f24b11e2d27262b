"""outside.py as an operator runs it, against the stand-in of Cloudflare's API over loopback."""

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from lab.standins.cloudflare.server import serving
from runbooks import outside
from runbooks.transaction.rollout import RolloutFailed
from tasks.shell import Unreachable
from tests.clouds import LOOKS, USER, Clouds
from tests.outsides import MARK, World
from tests.runbook import Runbook
from tests.site import Site
from tests.width import too_wide

PLEX, RADARR = "plex.home.example", "radarr.home.example"


@pytest.fixture
def world(site: Site) -> Iterator[World]:
    made = World(site, Clouds())
    with serving(made.clouds.cloud) as base:
        site.change("defaults", "data.cloudflare.api", base)
        yield made


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """In place of the edges: `behind` are those whose ingress is not as wanted."""
    told: dict[str, Any] = {"behind": []}

    def look(*_: object) -> dict[str, Any]:
        if told["behind"] is None:
            raise RolloutFailed("vps1: does not answer")
        return {
            name: SimpleNamespace(touches=lambda _, name=name: name in told["behind"])
            for name in ("vps1", "vps2")
        }

    monkeypatch.setattr(outside.deploy, "render", lambda session: {})
    monkeypatch.setattr(outside.deploy, "look", look)
    return told


@pytest.fixture
def run(in_process: Callable[[str], Runbook]) -> Runbook:
    return in_process("outside")


def test_a_look_shows_every_step_and_changes_nothing(world: World, run: Runbook):
    done = run()
    assert done.status == 0
    assert f"{PLEX} create application 'Plex [{MARK}]'" in done.out
    assert f"{RADARR} create record CNAME {RADARR} → 0000" in done.out
    assert "waits until its application is there" in done.out
    assert world.clouds.changes == []
    assert USER not in done.out + done.err


def test_in_a_pipe_no_line_is_over_80_columns(
    world: World, run: Runbook, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("COLUMNS")
    assert too_wide(run()) == []


def test_a_token_that_may_only_read_suffices_to_look(world: World, run: Runbook):
    world.token.write_text(LOOKS)
    assert run().status == 0
    done = run("--apply")
    assert done.status == 1
    assert "lacks the permission Access: Apps and Policies Write (Account)" in done.err


def test_apply_writes_what_the_ingress_has_to_demand_and_goes_on_behind_it(
    world: World, run: Runbook, hosts: dict[str, Any]
):
    done = run("--apply")
    assert done.status == 0 and "audiences.yaml: what every ingress has to demand" in done.out
    assert world.names == {RADARR}, "the open one"
    hosts["behind"] = ["vps2"]
    done = run("--apply")
    assert done.status == 1 and "the ingress of vps2 is not as the catalogue says" in done.out
    assert world.names == {RADARR}
    hosts["behind"] = []
    assert run("--apply").status == 0
    assert PLEX in world.names
    assert "as wanted: 9 objects of ours" in run("--apply").out


def test_no_record_comes_where_no_edge_can_be_asked(
    world: World, run: Runbook, hosts: dict[str, Any]
):
    hosts["behind"] = None
    done = run("--apply")
    assert done.status == 1 and "vps1: does not answer" in done.out
    assert world.names == set() and world.guarded


def test_what_stands_in_the_way_ends_an_apply_with_1(
    world: World, run: Runbook, hosts: dict[str, Any]
):
    body = {"type": "A", "name": RADARR, "content": "192.0.2.1", "ttl": 300}
    world.clouds.ask("POST", world.clouds.records, body)
    done = run("--apply")
    assert done.status == 1 and f"--adopt {RADARR} shows what would become of it" in done.out
    done = run("--adopt", RADARR)
    assert f"record: A {RADARR} → 192.0.2.1 → CNAME" in done.out
    assert run("--adopt", RADARR, "--apply").status == 0
    assert world.record(RADARR)["type"] == "CNAME"


def test_the_plan_as_json_is_read_by_other_programs(world: World, run: Runbook):
    told = json.loads(run("--json").out)
    assert told["schema"] == 1
    assert {step["action"] for step in told["steps"]} == {"create"}
    assert (told["conflicts"], told["problems"], told["ours"]) == ([], [], 0)


def test_without_a_token_it_lists_what_to_set_by_hand(world: World, run: Runbook):
    world.site.change("defaults", "data.cloudflare", None)
    done = run()
    assert done.status == 0 and "to be set by hand" in done.out
    assert f"{PLEX} Zero Trust > Access > Applications: a self-hosted application" in done.out
    assert f"{RADARR} DNS > Records: CNAME to 00000000-" in done.out
    assert f"{RADARR} Zero Trust" not in done.out
    done = run("--apply")
    assert done.status == 2 and "data.cloudflare.token" in done.err


def test_an_ingress_that_the_dashboard_owns_is_an_error_of_the_look(world: World, run: Runbook):
    world.clouds.account.take_over(next(iter(world.clouds.account.tunnels)))
    done = run()
    assert done.status == 1 and "the dashboard owns the ingress" in done.out


def test_it_knows_no_hosts(world: World, run: Runbook):
    assert run("--host", "vps1").status == 2
    done = run("--release", PLEX)
    assert done.status == 2 and "there is nothing to release at that name" in done.err


@pytest.fixture
def verify(monkeypatch: pytest.MonkeyPatch, in_process: Callable[[str], Runbook]) -> Runbook:
    """With no host that answers: what is at Cloudflare is asked all the same."""
    off = {name: Unreachable("off") for name in ("vps1", "vps2", "unraid")}
    monkeypatch.setattr("runbooks.survey.inquiry.Inquiry._look", lambda _: ({}, off))
    return in_process("verify")


def test_verify_asks_the_api_and_names_what_is_not_as_the_catalogue_says(
    world: World, verify: Runbook
):
    world.settle()
    world.clouds.account.records.clear()
    done = verify("--only", "cloudflare", "--quiet")
    (line,) = (line for line in done.out.splitlines() if RADARR in line)
    assert line.startswith(f"WARN {RADARR} at Cloudflare – from Cloudflare's API – to do: create")
    assert USER not in done.out + done.err


def test_a_stand_in_that_may_only_look_asks_no_api(world: World, verify: Runbook):
    world.token.unlink()  # it lies on the control node alone
    done = verify("--only", "cloudflare", "--look")
    assert done.status == 2 and "leave nothing to check" in done.err


@pytest.mark.parametrize(
    ("revoked", "status", "said"),
    [(True, "warn", "does not know the token"), (False, "skipped", "no answer from 127.0.0.1")],
)
def test_verify_says_why_the_api_told_nothing(
    world: World, verify: Runbook, revoked: bool, status: str, said: str
):
    if revoked:
        world.token.write_text("cfut_" + "x" * 40)
    else:
        world.site.change("defaults", "data.cloudflare.api", "http://127.0.0.1:9")
    done = verify("--only", "cloudflare", "--json")
    (told,) = (f for f in json.loads(done.out)["findings"] if f["check"] == "cloudflare")
    assert told["status"] == status and said in told["seen"]
