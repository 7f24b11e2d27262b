"""Plans for Cloudflare, and what they do: every kind of object, every way it can stand."""

import json
from typing import Any

import pytest

from inventory.errors import InventoryError, UsageError
from outside.apply import NotDone, Stale
from outside.client import Api, CloudError, NotAnswered, NotPermitted
from outside.look import NoZone
from tests.clouds import ACCOUNT, TUNNEL, USER, Clouds
from tests.outsides import MARK, TARGET, World
from tests.site import Site

PLEX, SONARR, RADARR = "plex.home.example", "sonarr.home.example", "radarr.home.example"
PEOPLE = f"{PLEX} people [{MARK}]"


@pytest.fixture
def world(site: Site) -> World:
    return World(site, Clouds())


@pytest.fixture
def settled(world: World) -> World:
    world.settle()
    world.clouds.asked.clear()
    return world


def test_first_come_policies_and_applications_and_records_wait_for_the_ingress(world: World):
    plan = world.plan()
    kinds = [(step.action, step.kind, step.host) for step in plan.steps]
    assert kinds == [
        *[("create", "policy", PLEX)] * 2,
        *[("create", "policy", SONARR)] * 2,
        *[("create", "application", host) for host in (PLEX, SONARR)],
        *[("create", "record", host) for host in (PLEX, RADARR, SONARR)],
    ]
    waiting = {step.host for step in plan.steps if step.waits}
    assert waiting == {PLEX, SONARR}, "an open service waits for nothing"


def test_what_is_made_is_as_the_catalogue_says_and_the_next_look_has_nothing_to_do(world: World):
    world.clouds.holding = True
    world.settle()
    assert world.names == {PLEX, SONARR, RADARR}
    assert world.guarded == {PLEX, SONARR}
    record, app = world.record(PLEX), world.app(PLEX)
    assert (record["type"], record["content"], record["proxied"]) == ("CNAME", TARGET, True)
    assert (record["comment"], app["name"]) == (MARK, f"Plex [{MARK}]")
    assert world.policy(PEOPLE)["include"] == [{"email": {"email": "me@home.example"}}]
    token = world.policy(f"{PLEX} service token")
    assert token["decision"] == "non_identity"
    assert [*token["include"][0]["service_token"].values()] == [
        *world.clouds.account.service_tokens
    ]
    assert world.plan().is_done and world.clouds.wrong == []


def test_the_application_comes_before_the_ingress_demands_it_and_the_record_after(world: World):
    world.apply()
    assert PLEX not in world.names and world.guarded == {PLEX, SONARR}
    assert world.catalogue.services["plex"].audience == world.app(PLEX)["aud"]
    assert world.catalogue.services["radarr"].audience is None
    world.apply()
    assert PLEX in world.names


def test_a_service_that_goes_loses_its_record_first_and_its_application_last(settled: World):
    settled.site.change("services", "services.sonarr.access", "tailnet")
    steps = settled.plan().steps
    assert [(s.action, s.kind) for s in steps][:2] == [
        ("delete", "record"),
        ("delete", "application"),
    ]
    assert [s.turn.is_before_hosts for s in steps] == [True, False, False, False]
    settled.apply()
    assert SONARR not in settled.names | settled.guarded
    assert settled.plan().is_done


def test_a_rename_brings_the_new_name_and_takes_the_old_one_away(settled: World):
    settled.site.change("services", "services.plex.hostname", "films")
    settled.settle()
    assert settled.names == {"films.home.example", SONARR, RADARR}
    assert settled.guarded == {"films.home.example", SONARR}
    assert settled.plan().is_done


def test_a_service_that_becomes_protected_gets_its_application_first(settled: World):
    settled.site.change("services", "services.radarr.access", "protected")
    assert [s.kind for s in settled.plan().steps] == ["policy", "policy", "application"]
    settled.settle()
    assert settled.plan().is_done and RADARR in settled.guarded


def test_a_service_that_becomes_open_keeps_its_record_and_loses_its_application(settled: World):
    settled.site.change("services", "services.plex.access", "open")
    settled.apply()
    assert PLEX in settled.names and PLEX not in settled.guarded
    assert settled.plan().is_done and settled.catalogue.services["plex"].audience is None


DRIFTS: list[tuple[str, dict[str, Any], str]] = [
    ("record", {"proxied": False}, "proxied: False → True"),
    ("app", {"session_duration": "720h"}, "session: 720h → 24h"),
    ("app", {"policies": []}, "policies: none → "),
    ("app", {"destinations": [{"type": "public", "uri": PLEX,
              "overrides": [{"path_pattern": "/api", "behavior": "public"}]}]}, "destinations: "),
    ("policy", {"decision": "bypass"}, "decision: bypass → allow"),
    ("policy", {"include": [{"everyone": {}}]}, "include: everyone → email me@home.example"),
    ("policy", {"require": [{"ip": {"ip": "192.0.2.0/24"}}]}, "require: ip 192.0.2.0/24 → none"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "edit", "shown"), DRIFTS)
def test_an_edit_of_ours_is_shown_key_by_key_and_taken_back(
    settled: World, kind: str, edit: dict[str, Any], shown: str
):
    found = {"record": settled.record, "app": settled.app, "policy": settled.policy}[kind]
    found(PLEX).update(edit)
    changes = [f"{c.key}: {c.old} → {c.new}" for step in settled.plan().steps for c in step.changes]
    assert any(shown in change for change in changes), changes
    settled.apply()
    assert settled.plan().is_done


SERVERS_OWN: list[tuple[str, dict[str, Any]]] = [
    ("record", {"comment": f"the films {MARK}", "tags": ["a:b"], "modified_on": "x"}),
    ("app", {"tags": ["home"], "app_launcher_visible": False, "allowed_idps": None}),
    ("policy", {"include": [{"email": {"email": "ME@home.example"}}], "session_duration": ""}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "edit"), SERVERS_OWN)
def test_what_is_the_servers_or_somebodys_own_is_no_drift(
    settled: World, kind: str, edit: dict[str, Any]
):
    found = {"record": settled.record, "app": settled.app, "policy": settled.policy}[kind]
    found(PLEX).update(edit)
    assert settled.plan().is_done


def test_a_change_keeps_what_somebody_set_beside_our_keys(settled: World):
    settled.app(PLEX).update(
        {
            "app_launcher_visible": False,
            "logo_url": "https://a.example/p.png",
            "session_duration": "1h",
        }
    )
    settled.record(PLEX).update({"comment": f"the films {MARK}", "proxied": False})
    settled.apply()
    app, record = settled.app(PLEX), settled.record(PLEX)
    assert (app["app_launcher_visible"], app["logo_url"]) == (False, "https://a.example/p.png")
    assert record["comment"] == f"the films {MARK}"


FOREIGN: list[dict[str, Any]] = [
    {"type": "CNAME", "name": PLEX, "content": TARGET, "proxied": True, "ttl": 1},
    {"type": "CNAME", "name": PLEX, "content": "elsewhere.example", "proxied": False, "ttl": 300},
    {"type": "A", "name": PLEX, "content": "192.0.2.1", "proxied": True, "ttl": 1},
]


@pytest.mark.parametrize("there", FOREIGN)
def test_a_foreign_record_in_the_way_is_shown_with_the_command_and_touched_only_by_it(
    world: World, there: dict[str, Any]
):
    world.clouds.ask("POST", world.clouds.records, there)
    before = json.dumps(world.record(PLEX))
    world.clouds.holding = there["type"] == "A"
    world.settle()
    (conflict,) = world.plan().conflicts
    assert "is not ours" in conflict.words and f"--adopt {PLEX}" in conflict.todo
    assert json.dumps(world.record(PLEX)) == before
    for _ in range(2):
        if not world.plan().is_done:
            world.apply(adopt=[PLEX])
    assert (world.record(PLEX)["content"], world.record(PLEX)["comment"]) == (TARGET, MARK)
    assert world.plan().is_done and world.clouds.wrong == []


def test_addresses_are_replaced_in_one_transaction(world: World):
    for last in (1, 2):
        body = {"type": "A", "name": RADARR, "content": f"192.0.2.{last}", "ttl": 300}
        world.clouds.ask("POST", world.clouds.records, body)
    world.clouds.asked.clear()
    world.settle()
    world.apply(adopt=[RADARR])
    assert f"POST {world.clouds.records}/batch" in world.clouds.changes
    assert not [change for change in world.clouds.changes if change.startswith("DELETE")]
    assert world.plan().is_done


def foreign_app(world: World, **more: Any) -> str:
    allow = {"name": "all", "decision": "bypass", "include": [{"everyone": {}}]}
    policy = world.clouds.ask("POST", f"{world.clouds.access}/policies", allow)["id"]
    body = {"type": "self_hosted", "name": "by hand", "domain": PLEX, "policies": [policy], **more}
    return str(world.clouds.ask("POST", f"{world.clouds.access}/apps", body)["id"])


def test_a_foreign_application_in_the_way_is_shown_loudly_and_adopted_on_request(world: World):
    app = foreign_app(world)
    (conflict,) = world.plan().conflicts
    assert "'by hand' is not ours (lets in: everyone, BYPASSES Access)" in conflict.words
    world.settle()
    assert world.app(PLEX)["name"] == "by hand" and PLEX not in world.names
    aud = world.app(PLEX)["aud"]
    world.apply(adopt=[PLEX])
    assert (world.app(PLEX)["id"], world.app(PLEX)["aud"]) == (app, aud)
    assert world.catalogue.services["plex"].audience == aud
    world.apply()
    assert world.plan().is_done and PLEX in world.names
    assert [p["name"] for p in world.clouds.account.policies.values()].count("all") == 1


def test_an_application_that_guards_another_name_too_is_not_adopted(world: World):
    places = [{"type": "public", "uri": uri} for uri in (PLEX, "bank.home.example")]
    foreign_app(world, destinations=places)
    with pytest.raises(UsageError, match="nothing to adopt"):
        world.plan(adopt=[PLEX])
    (conflict,) = world.plan().conflicts
    assert "guards bank.home.example, too" in conflict.words and not conflict.adoptable


def test_a_record_of_another_product_is_never_touched(world: World):
    world.clouds.ask("POST", world.clouds.records, FOREIGN[0])
    world.record(PLEX)["meta"]["managed_by_apps"] = True
    world.settle()
    (conflict,) = world.plan().conflicts
    assert not conflict.adoptable and world.record(PLEX)["comment"] is None


def test_release_takes_the_mark_off_and_nothing_else_and_what_is_released_stays(settled: World):
    before = settled.record(PLEX)["content"], [p["id"] for p in settled.clouds.ask(
        "GET", f"{settled.clouds.access}/apps/{settled.app(PLEX)['id']}")["policies"]]  # fmt: skip
    settled.apply(release=[PLEX])
    after = settled.record(PLEX)["content"], settled.app(PLEX)["policies"]
    assert after == before
    assert settled.record(PLEX)["comment"] is None and settled.app(PLEX)["name"] == "Plex"
    assert settled.policy(PLEX)["name"] == f"{PLEX} people"
    settled.site.change("services", "services.plex.access", "tailnet")
    assert settled.plan().steps == ()
    assert PLEX in settled.names and PLEX in settled.guarded


def test_a_record_with_our_mark_that_leads_elsewhere_is_left_alone(settled: World):
    settled.record(PLEX)["content"] = "elsewhere.example"
    plan = settled.plan()
    assert {conflict.kind for conflict in plan.conflicts} == {"record", "application"}
    assert plan.steps == ()
    settled.site.change("services", "services.plex.access", "tailnet")
    plan = settled.plan()
    assert not [step for step in plan.steps if step.kind != "policy"]
    assert any("does not lead to our tunnel: left alone" in note for note in plan.notes)


def test_an_application_stays_as_long_as_a_record_that_is_not_ours_leads_to_the_tunnel(
    settled: World,
):
    settled.record(PLEX)["comment"] = None
    settled.site.change("services", "services.plex.access", "tailnet")
    settled.apply()
    assert PLEX in settled.guarded and PLEX in settled.names
    (app,) = [step for step in settled.plan().steps if step.kind == "application"]
    assert "which is not ours, leads to the tunnel" in app.waits


def test_a_policy_that_a_foreign_application_uses_too_is_not_changed(settled: World):
    policy = settled.policy(PEOPLE)
    body = {"type": "self_hosted", "name": "theirs", "domain": "x.home.example",
            "policies": [policy["id"]]}  # fmt: skip
    settled.clouds.ask("POST", f"{settled.clouds.access}/apps", body)
    settled.site.change("defaults", "data.access.allow", {"emails": ["you@home.example"]})
    before = json.dumps(policy)
    settled.apply()
    assert json.dumps(settled.clouds.account.policies[policy["id"]]) == before
    assert settled.plan().is_done


def test_more_than_a_third_is_not_taken_away_without_saying_so(settled: World):
    for name in ("plex", "sonarr"):
        settled.site.change("services", f"services.{name}.access", "tailnet")
    with pytest.raises(UsageError, match=r"deletes 8 of the 9 objects of ours .*--many"):
        settled.carry(settled.look(), many=False)
    assert settled.clouds.changes == []
    settled.carry(settled.look(), many=True)
    assert settled.names == {RADARR}


@pytest.mark.parametrize("listed", ["dns_records", "access/apps", "access/policies", "/zones$"])
@pytest.mark.parametrize("kind", ["short", "no-json", "error", "denied", "revoked"])
def test_a_list_that_is_short_or_failed_makes_no_plan(settled: World, kind: Any, listed: str):
    settled.clouds.fault(kind, f"^GET .*{listed}", times=9)
    with pytest.raises(CloudError):
        settled.plan()
    assert settled.clouds.changes == []


def test_an_empty_list_deletes_nothing(settled: World):
    settled.clouds.account.records.clear()
    plan = settled.plan()
    assert plan.taken == () and {s.action for s in plan.steps} == {"create"}


@pytest.mark.parametrize("step", range(9))
@pytest.mark.parametrize("kind", ["cut", "lost"])
def test_where_an_answer_is_lost_it_is_read_what_came_of_it(world: World, kind: Any, step: int):
    world.apply() if step >= 7 else None
    world.clouds.fault(kind, "^(POST|PUT|PATCH|DELETE)", after=step % 7)
    if kind == "cut":
        world.apply()
    else:
        with pytest.raises(NotDone, match="nothing came of it"):
            world.apply()
    world.settle()
    assert world.plan().is_done
    assert len(world.clouds.account.records) == 3 and len(world.clouds.account.policies) == 4


@pytest.mark.parametrize("kind", ["cut", "lost"])
@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH"])
def test_the_same_of_a_change_and_a_deletion(settled: World, kind: Any, method: str):
    settled.site.change("services", "services.sonarr.access", "tailnet")
    settled.record(PLEX)["proxied"] = False
    settled.app(PLEX)["session_duration"] = "1h"
    settled.clouds.fault(kind, f"^{method}")
    if kind == "cut":
        settled.apply()
    else:
        with pytest.raises(NotDone):
            settled.apply()
        settled.apply()
    assert settled.plan().is_done


def test_who_edited_since_the_look_has_the_last_word(settled: World):
    settled.record(PLEX)["proxied"] = False
    outlook = settled.look()
    settled.record(PLEX)["content"] = "elsewhere.example"
    carried = settled.carry(outlook)
    assert isinstance(carried.error, Stale) and "look again" in str(carried.error)
    assert settled.record(PLEX)["content"] == "elsewhere.example"


def test_a_list_that_tells_less_than_the_object_is_no_edit(
    settled: World, monkeypatch: pytest.MonkeyPatch
):
    settled.app(PLEX)["session_duration"] = "1h"
    every = Api.every

    def less(api: Api, path: str, **query: Any) -> list[Any]:
        told = every(api, path, **query)
        return [{k: v for k, v in one.items() if k not in ("tags", "created_at")} for one in told]

    monkeypatch.setattr(Api, "every", less)
    settled.app(PLEX)["custom_deny_url"] = None
    settled.apply()
    assert settled.app(PLEX)["session_duration"] == "24h"


def test_a_token_that_is_revoked_half_way_is_told_with_what_was_done(world: World):
    world.clouds.fault("revoked", "^POST .*apps", times=9)
    carried = world.carry(world.look())
    assert [step.kind for step in carried.done] == ["policy"] * 4
    assert isinstance(carried.error, NotPermitted)
    assert f"create application Plex [{MARK}]" in str(carried.error)
    world.clouds.cloud.faults.clear()
    world.settle()
    assert world.plan().is_done


@pytest.mark.parametrize(
    ("bend", "words"),
    [
        (lambda a: setattr(a, "zone_status", "pending"), "is pending, not active"),
        (lambda a: setattr(a, "paused", True), "paused"),
        (lambda a: a.take_over(TUNNEL), "the dashboard owns the ingress"),
        (lambda a: a.tunnels.clear(), "has no tunnel"),
        (lambda a: a.tunnels[TUNNEL].update(deleted_at="2026-11-27T00:00:00Z"), "was deleted"),
        (lambda a: a.service_tokens.clear(), "no service token 0123.access"),
    ],
)
def test_a_bad_day_is_told_and_nothing_is_changed(world: World, bend: Any, words: str):
    bend(world.clouds.account)
    outlook = world.look()
    assert any(words in problem for problem in outlook.plan.problems)
    with pytest.raises(CloudError, match=words):
        world.carry(outlook)
    assert world.clouds.changes == []


def test_a_zone_of_another_account_is_told(world: World):
    world.clouds.account.zone = "other.example"
    with pytest.raises(NoZone, match=r"home\.example"):
        world.plan()


def test_what_will_end_soon_and_what_answers_in_our_place_is_noted(settled: World):
    account = settled.clouds.account
    for token in account.service_tokens.values():
        token |= {"expires_at": "2026-12-05T00:00:00Z", "enabled": False}
    foreign_app(settled, domain=f"{PLEX}/api")
    foreign_app(settled, domain="*.home.example", name="everything")
    settled.clouds.ask("POST", settled.clouds.records, {**FOREIGN[0], "name": "*.home.example"})
    notes = "\n".join(settled.plan().notes)
    assert "verify ends on 05 Dec 2026" in notes and "switched off" in notes
    assert f"BYPASSES Access at {PLEX}/api for everyone, whatever ours says" in notes
    assert f"{RADARR} is open, but application 'everything'" in notes
    assert "*.home.example leads to the tunnel" in notes


def test_a_service_says_itself_whom_it_lets_in(world: World):
    group = "0c0c0c0c-0000-4000-8000-000000000001"
    rules = {
        "allow": {"domains": ["home.example"], "groups": [group]},
        "service_token": False,
        "session": "30m",
    }
    world.site.change("services", "services.plex.access", rules)
    world.settle()
    assert world.policy(PLEX)["include"] == [
        {"email_domain": {"domain": "home.example"}},
        {"group": {"id": group}},
    ]
    assert world.app(PLEX)["session_duration"] == "30m"
    assert len(world.app(PLEX)["policies"]) == 1 and world.plan().is_done


@pytest.mark.parametrize(
    ("file", "key", "value", "words"),
    [
        ("defaults", "data.access.allow", None, "plex.access: lets nobody in"),
        ("defaults", "data.access.allow", {"emails": ["me"]}, "emails.0: 'me' is not an"),
        ("defaults", "data.cloudflare.api", "http://api.example", "would travel in the clear"),
        ("defaults", "data.cloudflare.token", "abc", "is not a secret reference"),
        ("services", "services.plex.access", {"alow": {}}, "access.alow: unknown key (known: a"),
        ("services", "services.plex.access", {"session": "1d"}, "access.session: '1d' is not a"),
        ("services", "services.plex.access", "public", "plex.access: "),
        ("services", "services.plex.access", [1], "plex.access: "),
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_its_key(
    world: World, file: str, key: str, value: object, words: str
):
    world.site.change(file, key, value)
    with pytest.raises(InventoryError) as error:
        _ = world.catalogue
    assert words in str(error.value)


def test_audiences_that_are_none_are_refused(settled: World):
    settled.audiences.write_text("plex.home.example: short\n")
    with pytest.raises(InventoryError, match=r"audiences.yaml: plex.home.example: 'short' is not"):
        _ = settled.catalogue


def test_the_api_down_is_told_in_words(world: World):
    world.clouds.fault("lost", times=9)
    with pytest.raises(NotAnswered, match=r"no answer from cloud\.test"):
        world.plan()


def test_no_plan_holds_the_token(settled: World):
    settled.app(PLEX)["session_duration"] = "1h"
    assert USER not in repr(settled.look())


def test_drift_names_who_and_when(settled: World):
    path = f"{settled.clouds.access}/policies/{settled.policy(PEOPLE)['id']}"
    settled.clouds.account.tokens[ACCOUNT].actor = "mallory@home.example"
    bypass = {"name": PEOPLE, "decision": "bypass", "include": [{"everyone": {}}]}
    settled.clouds.ask("PUT", path, bypass, token=ACCOUNT)
    (step,) = settled.plan().steps
    who = settled.look().who[step.id]
    assert who == "mallory@home.example by an API token at 2026-11-28 12:00:00 UTC"


def test_a_token_that_may_not_read_the_audit_log_makes_the_same_plan(settled: World):
    settled.record(PLEX)["proxied"] = False
    settled.clouds.fault("denied", "logs/audit")
    outlook = settled.look()
    assert [step.words for step in outlook.plan.steps] == [f"change record {PLEX}"]
    assert "Account Settings Read (Account)" in outlook.nobody


def test_a_replica_that_nobody_knows_is_told_loudly_and_one_that_is_missing_is_noted(
    settled: World,
):
    account = settled.clouds.account
    assert not any("replica" in note.lower() for note in settled.plan().notes)
    account.connect(TUNNEL, "0c0c0c0c-0000-4000-8000-000000000009", "203.0.113.9")
    assert any("3 REPLICAS RUN THE TUNNEL" in note and "203.0.113.9" in note
               for note in settled.plan().notes)  # fmt: skip
    for client in account.connections[TUNNEL][1:]:
        for conn in client["conns"]:
            conn["is_pending_reconnect"] = True
    assert "1 of 2 replicas of the tunnel are connected" in settled.plan().notes
