"""The stand-in of Cloudflare's API answers as the real one is described and was recorded."""

import pytest

from tests import cloudflare
from tests.clouds import LOOKS, TUNNEL, USER, Clouds

CNAME = {
    "type": "CNAME",
    "name": "Plex.home.example",
    "content": f"{TUNNEL}.cfargotunnel.com.",
    "proxied": True,
    "ttl": 300,
    "comment": "",
}
APP = {"type": "self_hosted", "name": "Plex", "domain": "plex.home.example"}
ALLOW = {
    "name": "people",
    "decision": "allow",
    "include": [{"email": {"email": "a@home.example"}}, {"ip": {"ip": "192.0.2.1"}}],
}


@pytest.fixture
def clouds() -> Clouds:
    made = Clouds()
    made.holding = True
    return made


@pytest.mark.parametrize("path", cloudflare.RECORDED)
def test_the_recorded_answers_are_as_described(path: str):
    assert cloudflare.wrong(path, "GET", "200", cloudflare.recorded(path)) == []


def test_an_answer_that_is_otherwise_is_found():
    told = cloudflare.recorded("/accounts/{account_id}/access/policies")
    told["result"][0] |= {"decision": "service_auth", "of_nobody": 1}
    path = "/accounts/{account_id}/access/policies"
    assert any("service_auth" in one for one in cloudflare.wrong(path, "GET", "200", told))
    assert cloudflare.strange_keys(path, "GET", told) == {"of_nobody"}


def test_every_operation_answers_as_described_and_with_no_key_of_its_own(clouds: Clouds):
    here = f"/accounts/{clouds.account.id}"
    clouds.account.connect(TUNNEL, "0c0c0c0c-0000-4000-8000-000000000001", "192.0.2.7")
    record = clouds.ask("POST", clouds.records, CNAME)
    clouds.ask("PATCH", f"{clouds.records}/{record['id']}", {"comment": "mine"})
    clouds.ask("PUT", f"{clouds.records}/{record['id']}", CNAME)
    clouds.ask("GET", f"{clouds.records}/{record['id']}")
    address = {"type": "A", "name": "nas", "content": "192.0.2.1", "ttl": 300}
    batch = {"deletes": [{"id": record["id"]}], "posts": [address]}
    made = clouds.ask("POST", f"{clouds.records}/batch", batch)["posts"][0]
    policy = clouds.ask("POST", f"{clouds.access}/policies", ALLOW)["id"]
    links = [{"id": policy, "precedence": 1}]
    app = clouds.ask("POST", f"{clouds.access}/apps", {**APP, "policies": links})["id"]
    clouds.ask("PUT", f"{clouds.access}/policies/{policy}", ALLOW)
    clouds.ask("PUT", f"{clouds.access}/apps/{app}", APP)
    token = clouds.ask("POST", f"{clouds.access}/service_tokens", {"name": "verify"})["id"]
    for one in (f"apps/{app}", f"policies/{policy}", f"service_tokens/{token}"):
        clouds.ask("GET", f"{clouds.access}/{one}")
    for what in ("rotate", "refresh"):
        clouds.ask("POST", f"{clouds.access}/service_tokens/{token}/{what}")
    clouds.ask("POST", f"{here}/cfd_tunnel", {"name": "another", "config_src": "local"})
    for name in ("", "/connections", "/configurations"):
        clouds.ask("GET", f"{here}/cfd_tunnel/{TUNNEL}{name}")
    for path in ("/zones", clouds.records, "/user/tokens/verify", f"{here}/cfd_tunnel"):
        clouds.ask("GET", path)
    for name in ("apps", "policies", "service_tokens"):
        clouds.ask("GET", f"{clouds.access}/{name}")
    for one in (f"apps/{app}", f"policies/{policy}", f"service_tokens/{token}"):
        clouds.ask("DELETE", f"{clouds.access}/{one}")
    clouds.ask("DELETE", f"{clouds.records}/{made['id']}")
    with clouds.loopback() as api:
        times = {"since": "2026-11-01T00:00:00Z", "before": "2026-12-01T00:00:00Z"}
        assert len(api.get(f"{here}/logs/audit", **times)) == 16
    assert clouds.wrong == []


def test_a_proxied_record_comes_back_normalised(clouds: Clouds):
    record = clouds.ask("POST", clouds.records, CNAME)
    seen = (record["name"], record["content"], record["ttl"], record["comment"])
    assert seen == ("plex.home.example", f"{TUNNEL}.cfargotunnel.com", 1, None)


def test_a_put_of_an_app_without_policies_keeps_them_and_an_empty_list_clears_them(clouds: Clouds):
    policy = clouds.ask("POST", f"{clouds.access}/policies", ALLOW)["id"]
    app = clouds.ask("POST", f"{clouds.access}/apps", {**APP, "policies": [policy]})["id"]
    kept = clouds.ask("PUT", f"{clouds.access}/apps/{app}", APP)["policies"]
    assert [one["id"] for one in kept] == [policy]
    assert (
        clouds.ask("PUT", f"{clouds.access}/apps/{app}", {**APP, "policies": []})["policies"] == []
    )


def test_a_batch_that_fails_changes_nothing(clouds: Clouds):
    record = clouds.ask("POST", clouds.records, CNAME)
    with pytest.raises(AssertionError, match="81044"):
        clouds.ask(
            "POST", f"{clouds.records}/batch", {"deletes": [{"id": record["id"]}, {"id": "f" * 32}]}
        )
    assert list(clouds.account.records) == [record["id"]]


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", "records", CNAME, 81053),
        ("POST", "records", {**CNAME, "type": "A", "content": "192.0.2.1"}, 81054),
        ("POST", "access/apps", APP, 11010),
        ("DELETE", "records/" + "f" * 32, None, 81044),
    ],
)
def test_a_conflict_has_the_code_of_the_real_api(
    clouds: Clouds, method: str, path: str, body: object, code: int
):
    clouds.ask("POST", clouds.records, CNAME)
    clouds.ask("POST", f"{clouds.access}/apps", APP)
    path = path.replace("records", clouds.records).replace("access", clouds.access)
    with pytest.raises(AssertionError, match=str(code)):
        clouds.ask(method, path, body)


def test_a_token_that_may_look_changes_nothing(clouds: Clouds):
    with pytest.raises(AssertionError, match="Authentication error"):
        clouds.ask("POST", clouds.records, CNAME, token=LOOKS)
    assert clouds.ask("GET", clouds.records, token=LOOKS) == []
    clouds.ask("GET", clouds.records, token=USER)
