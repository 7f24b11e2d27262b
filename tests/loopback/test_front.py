"""What stands in front of services, asked of the real Caddy."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.loopback.edge import Asked, Edge, StandIn, edge
from tests.site import Site


@dataclass
class Home:
    """An edge, and the services behind it: `app` in two places, `api` too, `shop` in one. `auth`
    is a minimal stand-in for those who sign people in, which knows alice by a cookie; it is asked
    about `vault`, which is in two places.
    """

    edge: Edge
    app: StandIn
    api: StandIn
    extra: StandIn
    shop: StandIn
    auth: StandIn
    vault: StandIn
    folder: Path


HASH = "$2a$04$GXS.NQXb6sbNRFWxVs6Sx.ouSw8GFTVwlp7ec2vofsLzm8dMOFIp2"  # of: open sesame
WEB = {"health": {"path": "/ping", "interval": 3600}, "access": "open"}
BOTH = {"primary": "vps2", "fallback": "vps1"}
FRONT = {
    "routes": {
        "/api": {"service": "api", "strip": True},
        "/extra": {"port": 1},
        "/api/old": {"redirect": {"to": "https://new.example", "status": 308, "keep_path": True}},
        "/gone": {"respond": 410},
        "/matrix": {"respond": {"body": '{"m.server": "x:443"}', "type": "application/json"}},
        "/files": {"root": "/srv/files", "strip": True},
        "/door": {"redirect": "/web/"},
    },
    "request_headers": {"X-Asked-By": 'the "edge" {"a": 1} $HOME', "X-Secret": None},
    "response_headers": {"X-Robots-Tag": "noindex", "Server": "none", "X-Inner": None},
    "security_headers": True,
    "encode": True,
    "body_limit": "1KB",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("edge")
    (folder / "site").mkdir()
    site = Site(folder / "site")
    app, api = StandIn("app").start("vps1", "vps2"), StandIn("api").start("vps1", "vps2")
    extra, shop = StandIn("extra").start("vps1", "vps2"), StandIn("shop").start("unraid", "vps1")
    routes = {**FRONT["routes"], "/extra": {"port": extra.port}}
    auth, vault = StandIn("auth").start("vps1", "vps2"), StandIn("vault").start("vps1", "vps2")
    (folder / "hash").write_text(HASH)
    services = {
        "www": {"access": "open", "front": {"root": "/srv/files"}},
        "moved": {"access": "open", "front": {
            "redirect": {"to": "https://new.example", "keep_path": True}}},
        "hello": {"front": {"forward_auth": {"service": "auth", "provider": "authelia"},
            "routes": {"/api": {"service": "api"}}, "respond": {"body": "hello"}}},
        "auth": {"port": auth.port, **WEB, **BOTH},
        "vault": {"port": vault.port, **WEB, **BOTH, "front": {
            "forward_auth": {
                "service": "auth", "provider": "authelia", "open_paths": ["/free"]},
            "routes": {"/api": {"service": "api", "strip": True}}}},
        "locked": {"port": shop.port, **WEB, "hosts": ["vps1"], "front": {
            "basic_auth": {"users": {"alice": f"file:{folder / 'hash'}"}}}},
        "app": {"port": app.port, **WEB, **BOTH, "front": {**FRONT, "routes": routes}},
        "api": {"port": api.port, **WEB, **BOTH},
        "shop": {"port": shop.port, **WEB, "hosts": ["unraid"], "front": {
            "allow": ["203.0.113.0/24", "2001:db8::/32"]}},
    }  # fmt: skip
    site.write("services", {"services": {n: {"hostname": n, **s} for n, s in services.items()}})
    files = folder / "files"
    (files / ".git").mkdir(parents=True)
    (files / "index.html").write_text("the front page")
    (files / "hello.txt").write_text("hello")
    (files / ".git" / "config").write_text("not for you")
    with edge(site, folder, {"/srv/files": str(files)}) as running:
        yield Home(
            edge=running,
            app=app,
            api=api,
            extra=extra,
            shop=shop,
            auth=auth,
            vault=vault,
            folder=folder,
        )


@pytest.fixture(autouse=True)
def all_is_well(home: Home) -> Iterator[None]:
    services = (home.app, home.api, home.extra, home.shop, home.auth, home.vault)
    for service in services:
        service.asked.clear()
    home.auth.answer = knows_alice
    yield
    for service in services:
        service.answer = lambda asked: None


ALICE = {"Cookie": "session=alice"}


def knows_alice(asked: Asked) -> tuple[int, dict[str, str], bytes] | None:
    if asked.path == "/ping":
        return None
    if asked.headers.get("cookie") == "session=alice":
        return 200, {"Remote-User": "alice"}, b""
    return 302, {"Location": "https://auth.home.example/"}, b"sign in, says a stand-in"


def last(service: StandIn) -> Asked:
    return [one for one in service.asked if one.path != "/ping"][-1]


def test_a_path_leads_to_another_service_with_and_without_itself(home: Home):
    assert home.edge.visitor("app", "/api/v1?q=1").text == "api, a stand-in on vps2"
    assert last(home.api).path == "/v1?q=1"
    assert home.edge.guest("app", "/api").text == "api, a stand-in on vps2"
    assert home.edge.visitor("app", "/extra/x").text == "extra, a stand-in on vps2"
    assert last(home.extra).path == "/extra/x"
    for path in ("/", "/apix", "/other"):
        assert home.edge.visitor("app", path).text == "app, a stand-in on vps2"


def test_answers_of_the_edge_itself(home: Home):
    there = home.edge.visitor("app", "/api/old/x?y=1")
    assert (there.status_code, there.headers["location"]) == (
        308,
        "https://new.example/api/old/x?y=1",
    )
    there = home.edge.visitor("app", "/door")
    assert (there.status_code, there.headers["location"]) == (302, "/web/")
    assert home.edge.visitor("app", "/gone").status_code == 410
    matrix = home.edge.visitor("app", "/matrix")
    assert matrix.json() == {"m.server": "x:443"}
    assert matrix.headers["content-type"] == "application/json"
    assert not [one for one in home.app.asked if one.path != "/ping"]


def test_files_are_shown_and_what_is_hidden_is_not(home: Home):
    assert home.edge.visitor("app", "/files/").text == "the front page"
    assert home.edge.visitor("app", "/files/hello.txt").text == "hello"
    for path in ("/files/.git/config", "/files/../Caddyfile", "/files/%2e%2e/Caddyfile"):
        assert home.edge.visitor("app", path).text != "not for you"
        assert "reverse_proxy" not in home.edge.visitor("app", path).text


def test_a_service_may_be_nothing_but_files_a_redirect_or_an_answer(home: Home):
    assert home.edge.visitor("www", "/").text == "the front page"
    assert home.edge.guest("www", "/hello.txt").text == "hello"
    assert home.edge.visitor("www", "/.git/config").status_code == 404
    moved = home.edge.visitor("moved", "/x?y=1")
    assert (moved.status_code, moved.headers["location"]) == (302, "https://new.example/x?y=1")
    assert home.edge.guest("hello", "/").status_code == 302, "it is not signed in"
    assert home.edge.guest("hello", "/", headers=ALICE).text == "hello"
    assert home.edge.guest("hello", "/api", headers=ALICE).text == "api, a stand-in on vps2"


def test_headers_are_set_and_taken_away_in_both_directions(home: Home):
    home.app.answer = lambda asked: (
        200, {"X-Inner": "1", "Server": "old", "X-Frame-Options": "DENY", "X-Powered-By": "x"}, b""
    )  # fmt: skip
    answer = home.edge.visitor("app", "/", headers={"X-Secret": "1", "X-Asked-By": "me"})
    headers = last(home.app).headers
    assert headers["x-asked-by"] == 'the "edge" {"a": 1} $HOME' and "x-secret" not in headers
    assert answer.headers["x-robots-tag"] == "noindex" and answer.headers["server"] == "none"
    assert "x-inner" not in answer.headers and "x-powered-by" not in answer.headers
    assert answer.headers["x-frame-options"] == "DENY", "what the service says stays"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_answers_are_compressed_and_large_bodies_are_refused(home: Home):
    home.app.answer = lambda asked: (200, {"Content-Type": "text/plain"}, b"long " * 2000)
    assert home.edge.visitor("app", "/").headers["content-encoding"] in ("gzip", "zstd")
    home.app.answer = lambda asked: None
    assert home.edge.visitor("app", "/", "POST", content=b"x" * 900).status_code == 200
    assert home.edge.visitor("app", "/", "POST", content=b"x" * 1100).status_code == 413


def test_addresses_that_are_not_allowed_are_refused(home: Home):
    for address, status in (("203.0.113.7", 200), ("2001:db8::1", 200), ("198.51.100.1", 403)):
        answer = home.edge.visitor("shop", "/", headers={"Cf-Connecting-Ip": address})
        assert answer.status_code == status
    assert (
        home.edge.guest("shop", "/", headers={"Cf-Connecting-Ip": "203.0.113.7"}).status_code == 403
    )


def test_no_get_is_lost_below_a_path_and_no_post_is_asked_twice(home: Home):
    home.api.answer = lambda asked: (503, {}, b"") if asked.host == "vps2" else None
    answer = home.edge.visitor("app", "/api/x")
    assert (answer.status_code, answer.text) == (200, "api, a stand-in on vps1")
    assert last(home.api).path == "/x", "the path is taken away when it is asked again, too"
    assert answer.headers["x-robots-tag"] == "noindex"
    home.api.asked.clear()
    assert home.edge.visitor("app", "/api/x", "POST", content=b"once").status_code == 503
    assert len([one for one in home.api.asked if one.method == "POST"]) == 1
    home.extra.answer = lambda asked: (503, {}, b"") if asked.host == "vps2" else None
    assert home.edge.visitor("app", "/extra/x").text == "extra, a stand-in on vps1"


def test_a_placement_that_refuses_connections_loses_no_request_below_a_path(home: Home):
    home.api.stop("vps2")
    try:
        assert home.edge.visitor("app", "/api/x").text == "api, a stand-in on vps1"
        answer = home.edge.visitor("app", "/api/x", "POST", content=b"whole")
        assert answer.text == "api, a stand-in on vps1" and last(home.api).body == b"whole"
    finally:
        home.api.start("vps2")


def test_nobody_says_who_he_is_below_a_path(home: Home):
    said = {"X-Forwarded-For": "1.2.3.4", "X-Real-Ip": "1.2.3.4", "Remote_User": "root"}
    home.edge.visitor("app", "/api/x", headers={**said, "Cf-Connecting-Ip": "203.0.113.7"})
    headers = last(home.api).headers
    assert headers["x-forwarded-for"] == "203.0.113.7"
    assert "x-real-ip" not in headers and "remote_user" not in headers


def test_only_who_is_signed_in_reaches_the_service_and_as_himself(home: Home):
    away = home.edge.visitor("vault", "/", headers={"Remote-User": "root"})
    assert (away.status_code, away.headers["location"]) == (302, "https://auth.home.example/")
    assert not [one for one in home.vault.asked if one.path != "/ping"]
    question = last(home.auth)
    assert question.path == "/api/authz/forward-auth" and question.method == "GET"
    assert question.headers["x-forwarded-host"] == "vault.home.example"
    assert question.headers["x-forwarded-proto"] == "https"
    assert "remote-user" not in question.headers
    for ask in (home.edge.visitor, home.edge.guest):
        headers = {**ALICE, "Remote-User": "root", "Remote-Groups": "admins"}
        answer = ask("vault", "/x", "POST", content=b"whole", headers=headers)
        assert answer.text == "vault, a stand-in on vps2"
        seen = last(home.vault)
        assert seen.headers["remote-user"] == "alice" and "remote-groups" not in seen.headers
        assert seen.body == b"whole" and last(home.auth).body == b""


def test_an_open_path_asks_nobody_and_lets_nobody_out_of_it_or_name_himself(home: Home):
    answer = home.edge.visitor("vault", "/free/x", headers={"Remote-User": "root"})
    assert answer.text == "vault, a stand-in on vps2"
    assert "remote-user" not in last(home.vault).headers
    for path in ("/free/../x", "/free/%2e%2e/x", "/free/..;/x", "/freedom", "/FREE/..%2fx"):
        assert home.edge.visitor("vault", path).status_code == 302


@pytest.mark.parametrize("path", ["/", "/api/x"])
def test_whoever_signs_people_in_has_a_failover_and_when_he_is_down_nobody_comes_in(
    home: Home, path: str
):
    home.auth.answer = lambda asked: (503, {}, b"") if asked.host == "vps2" else knows_alice(asked)
    for method in ("GET", "POST"):
        assert home.edge.visitor("vault", path, method, headers=ALICE).status_code == 200
    assert home.edge.visitor("vault", path).status_code == 302
    home.vault.asked.clear()
    home.api.asked.clear()
    for down in (502, 503, 504, 500):
        home.auth.answer = lambda asked, down=down: (down, {}, b"")
        answer = home.edge.visitor("vault", path, headers=ALICE)
        assert answer.status_code >= 500 and "a stand-in on" not in answer.text
    home.auth.stop("vps1", "vps2")
    try:
        answer = home.edge.visitor("vault", path, headers=ALICE)
        assert answer.status_code in (502, 503) and answer.text == ""
    finally:
        home.auth.start("vps1", "vps2")
    asked = [*home.vault.asked, *home.api.asked]
    assert not [one for one in asked if one.path != "/ping"]


def test_behind_a_guard_no_get_is_lost_and_no_post_is_asked_twice(home: Home):
    home.vault.answer = lambda asked: (503, {}, b"") if asked.host == "vps2" else None
    answer = home.edge.visitor("vault", "/", headers=ALICE)
    assert answer.text == "vault, a stand-in on vps1"
    assert last(home.vault).headers["remote-user"] == "alice"
    home.vault.asked.clear()
    assert home.edge.visitor("vault", "/", "POST", headers=ALICE).status_code == 503
    assert len([one for one in home.vault.asked if one.method == "POST"]) == 1


def test_a_password_lets_in_and_reaches_neither_the_service_nor_any_config(home: Home):
    assert home.edge.visitor("locked", "/").status_code == 401
    assert home.edge.visitor("locked", "/", auth=("alice", "wrong")).status_code == 401
    assert home.edge.visitor("locked", "/", auth=("bob", "open sesame")).status_code == 401
    answer = home.edge.visitor("locked", "/", auth=("alice", "open sesame"))
    assert answer.text == "shop, a stand-in on vps1"
    assert "authorization" not in last(home.shop).headers
    assert HASH not in (home.folder / "Caddyfile").read_text()
    admin = httpx.HTTPTransport(uds=str(home.folder / "admin.sock"))
    with httpx.Client(transport=admin, trust_env=False) as http:
        running = http.get("http://127.0.0.1/config/", headers={"Host": ""}).text
    assert "reverse_proxy" in running and HASH not in running
