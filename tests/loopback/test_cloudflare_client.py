"""The client of Cloudflare's API, against the stand-in: whole reads, changes sent once."""

import pytest

from inventory.errors import InventoryError
from lab.standins.cloudflare.account import EVERYTHING, Token
from outside.client import (
    Api,
    CloudError,
    LimitReached,
    NotAnswered,
    NotPermitted,
    OutcomeUnknown,
    Rejected,
)
from outside.token import read_token, standing
from tests.clouds import ACCOUNT, LOOKS, USER, Clouds

TXT = {"type": "TXT", "name": "a", "content": "b", "ttl": 300}


@pytest.fixture
def clouds() -> Clouds:
    return Clouds()


def add_records(clouds: Clouds, count: int) -> None:
    for n in range(count):
        clouds.ask("POST", clouds.records, {**TXT, "content": str(n)})
    clouds.asked.clear()


def test_a_list_is_read_from_all_its_pages(clouds: Clouds):
    add_records(clouds, 7)
    with clouds.loopback() as api:
        assert len(api.every(clouds.records, per_page=3)) == 7
    assert [ask.query["page"] for ask in clouds.asked] == ["1", "2", "3"]


@pytest.mark.parametrize("kind", ["error", "no-json", "lost", "short"])
def test_a_page_that_fails_or_is_short_fails_the_list(clouds: Clouds, kind):
    add_records(clouds, 6)
    clouds.fault(kind, after=1, times=9)
    with clouds.loopback() as api, pytest.raises(NotAnswered):
        api.every(clouds.records, per_page=3)


def test_a_read_that_failed_once_is_tried_again(clouds: Clouds):
    clouds.fault("no-json", times=2)
    with clouds.loopback() as api:
        assert api.every(clouds.records, per_page=5) == []
    assert clouds.slept == [1, 1]


@pytest.mark.parametrize("kind", ["cut", "lost", "error", "no-json"])
def test_a_change_is_sent_once_and_what_became_of_it_is_told_as_unknown(clouds: Clouds, kind):
    clouds.fault(kind, "^POST")
    with clouds.loopback() as api, pytest.raises(OutcomeUnknown, match="not known"):
        api.change("POST", clouds.records, TXT)
    assert len(clouds.account.records) == (1 if kind == "cut" else 0)


def test_a_change_that_never_left_is_told_as_not_done(clouds: Clouds):
    with clouds.loopback() as api:
        base = str(api._http.base_url)
    with Api(base, USER) as api, pytest.raises(NotAnswered, match="ConnectError"):
        api.change("POST", clouds.records, TXT)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_limit_is_waited_for_as_long_as_it_says_and_told(clouds: Clouds, method: str):
    clouds.fault("limit", seconds=300)
    with clouds.loopback() as api:
        if method == "GET":
            api.get(clouds.records)
        else:
            api.change("POST", clouds.records, TXT)
    assert clouds.slept == [300]
    assert "429" in clouds.said[0] and "300 s" in clouds.said[0]


@pytest.mark.parametrize(("seconds", "times"), [(None, 1), (3600, 1), (1, 2)])
def test_a_limit_that_does_not_end_is_told(clouds: Clouds, seconds: int | None, times: int):
    clouds.fault("limit", seconds=seconds, times=times)
    with clouds.loopback() as api, pytest.raises(LimitReached, match="no more requests"):
        api.get(clouds.records)


def test_a_refusal_gives_its_codes_and_is_no_unknown_outcome(clouds: Clouds):
    with clouds.loopback() as api, pytest.raises(Rejected, match="81044") as refusal:
        api.change("DELETE", f"{clouds.records}/{'f' * 32}")
    assert (refusal.value.http_status, refusal.value.codes) == (404, (81044,))


@pytest.mark.parametrize(
    ("permission", "path"),
    [
        ("DNS Read (Zone)", "records"),
        ("Access: Apps and Policies Read (Account)", "access/apps"),
        ("Access: Service Tokens Read (Account)", "access/service_tokens"),
        ("Cloudflare Tunnel Read (Account)", "/accounts/{account}/cfd_tunnel"),
        ("Zone Read (Zone)", "/zones"),
    ],
)
def test_a_missing_permission_is_named(clouds: Clouds, permission: str, path: str):
    name = permission.partition(" (")[0].removesuffix(" Read")
    clouds.account.tokens[USER] = Token(may=EVERYTHING - {f"{name} Read", f"{name} Write"})
    path = path.replace("records", clouds.records) if path == "records" else path
    path = path.replace("access/", f"{clouds.access}/").format(account=clouds.account.id)
    with clouds.loopback() as api, pytest.raises(NotPermitted) as error:
        api.every(path, per_page=50)
    assert permission in str(error.value)


def test_a_token_that_may_only_look_is_told_what_it_lacks_to_change(clouds: Clouds):
    with clouds.loopback(LOOKS) as api, pytest.raises(NotPermitted, match=r"DNS Write \(Zone\)"):
        api.change("POST", clouds.records, TXT)


@pytest.mark.parametrize("token", [USER, ACCOUNT, "w" * 40])
def test_a_token_of_each_kind_is_asked_for_where_it_is_known(clouds: Clouds, token: str):
    clouds.account.tokens.setdefault(token, Token(kind="account"))
    with clouds.loopback(token) as api:
        assert standing(api, token, clouds.account.id).status == "active"


@pytest.mark.parametrize("status", ["disabled", "expired"])
def test_a_token_that_is_not_active_is_told(clouds: Clouds, status: str):
    clouds.account.tokens[USER] = Token(status=status)
    with clouds.loopback() as api, pytest.raises(NotPermitted, match=status):
        standing(api, USER, clouds.account.id)


def test_a_token_that_was_revoked_is_told(clouds: Clouds):
    with clouds.loopback("cfut_" + "x" * 40) as api, pytest.raises(NotPermitted, match="revoked"):
        api.get(clouds.records)


@pytest.mark.parametrize("kind", ["no-json", "denied", "cut", "limit"])
def test_no_error_holds_the_token(clouds: Clouds, kind):
    clouds.fault(kind, times=9, seconds=None)
    with clouds.loopback() as api, pytest.raises(CloudError) as error:
        api.change("POST", clouds.records, TXT)
    assert USER not in f"{error.value!r}{error.value.__cause__!r}"


@pytest.mark.parametrize("text", ["cfk_" + "k" * 40, "short", "two words that are long enough"])
def test_what_is_no_token_is_refused_and_not_repeated(tmp_path, text: str):
    (tmp_path / "token").write_text(text)
    with pytest.raises(InventoryError) as error:
        read_token(f"file:{tmp_path / 'token'}")
    assert text not in str(error.value)
