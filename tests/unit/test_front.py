"""What may stand in front of a service, and which of it is refused with a reason."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.errors import InventoryError
from inventory.load import load_catalogue
from inventory.rules.front import unshowable
from tasks.quote import UnsafeValue, caddy_text
from tests.site import Site
from tests.unit.test_quote import HOSTILE

AUTH = {"service": "auth", "provider": "authelia"}


@pytest.fixture
def home(site: Site) -> Site:
    """The lab's site, with somebody in it who signs people in."""
    entry = {"hostname": "auth", "port": 9091, "health": {"path": "/api/health"}}
    site.change("services", "services.auth", {**entry, "hosts": ["unraid"], "access": "open"})
    return site


def refusal(site: Site) -> str:
    with pytest.raises(InventoryError) as refused:
        load_catalogue(site.config)
    return str(refused.value)


@pytest.mark.parametrize(
    ("front", "words"),
    [
        ({"routes": {"/a": {"service": "nobody"}}}, "routes./a: no service 'nobody'"),
        ({"routes": {"/a": {"service": "dns"}}}, "dns is no web service"),
        ({"routes": {"/a": {"service": "plex"}}}, "plex is the service itself"),
        ({"routes": {"/a": {}}}, "leads nowhere: one of service, port, root, redirect, respond"),
        ({"routes": {"/a": {"port": 1, "root": "/srv/a"}}}, "says port and root: one of"),
        ({"routes": {"/a": {"port": 8181}}}, "8181 on unraid is tautulli's: say service"),
        ({"routes": {"/a": {"respond": 200, "strip": True}}}, "strip: has no meaning"),
        ({"routes": {"/a": {"redirect": "/a/b"}}}, "led in circles"),
        ({"routes": {"/identity": {"port": 1}}}, "where the service itself is checked"),
        ({"routes": {"a": {"port": 1}}}, "is not a path such as /api"),
        ({"routes": {"/a": {"redirect": "//evil.example"}}}, "is not an address such as"),
        ({"routes": {"/a": {"root": "/etc/caddy"}}}, "no folder below /srv or /var/www"),
        ({"routes": {"/a": {"root": "/srv"}}}, "no folder below /srv or /var/www"),
        ({"routes": {"/a": {"respond": {"body": "{host}"}}}}, "means something to Caddy"),
        ({"routes": {"/a": {"respond": {"body": "{$HOME}"}}}}, "means something to Caddy"),
        ({"forward_auth": "auth"}, "provider: is missing: authelia, authentik"),
        ({"forward_auth": {**AUTH, "service": "plex"}}, "plex is the service itself"),
        ({"forward_auth": {**AUTH, "service": "radarr"}}, "radarr asks auth before it lets"),
        ({"forward_auth": AUTH, "request_headers": {"remote-user": "x"}}, "names the visitor"),
        ({"request_headers": {"X-Forwarded-For": "x"}}, "says who asks and from where"),
        ({"request_headers": {"Host": "x"}}, "is upstream.host"),
        ({"response_headers": {"Content-Length": "1"}}, "belongs to the connection"),
        ({"response_headers": {"X": "a\nb"}}, "is not one line of text"),
        ({"refuse": {"User-Agent": ["bot", "Edge"]}}, "'Edge' is in 'twinedge-drill', as which"),
        ({"refuse": {"Accept": "*/*"}}, "is sent by every client, twinedge's own checks among"),
        ({"refuse": {"X-A": []}}, "refuse.X-A"),
        ({"routes": {"/": {"port": 1, "strip": True}}}, "/ is the front page, and nothing below"),
        ({"routes": {"/": {"redirect": "/"}}}, "led in circles"),
        ({"caddy": "respond {$HOME}"}, "write the value itself"),
        ({"caddy": "import tunnel"}, "brings in what no plan shows"),
        ({"caddy": 'route {\n  "import" /etc/x\n}'}, "brings in what no plan shows"),
        ({"caddy": "respond {file./etc/passwd}"}, "tell what is on the edge"),
        ({"caddy": "}\nhttps://x.example {"}, "closes a block that it has not opened"),
        ({"caddy": "route {"}, "leaves a block open"),
        ({"caddy": "a\x00b"}, "is not one line of text"),
        ({"basic_auth": {"users": {}}}, "basic_auth.users"),
        ({"basic_auth": {"users": {"a": "$2a$14$x"}}}, "is not a secret reference"),
        ({"body_limit": "1000"}, "is not a size such as"),
        ({"allow": ["0.0.0.0/0"]}, "half the internet"),
        ({"routes": {"/a": {"service": "radarr"}}}, "radarr has a forward_auth in front"),
        ({"root": "/srv/a"}, "front.root: the edges themselves answer, and unraid would never"),
        ({"respond": 200, "redirect": "https://a.example"}, "says redirect and respond: one of"),
        ({"redirect": "/a"}, "leads in circles"),
        ({"redirect": "https://plex.home.example/a"}, "leads in circles"),
        ({"routes": {"/a": {"service": "www"}}}, "www is answered by the edges themselves"),
        ({"routes": {"/a": {"service": "sonarr"}}}, "sonarr is tailnet, and plex is open"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_or_leads_past_something_is_refused(
    home: Site, front: dict[str, object], words: str
):
    home.change("services", "services.radarr.front", {"forward_auth": AUTH})
    home.change("services", "services.radarr.access", "open")
    home.change("services", "services.sonarr.access", None)
    home.change("services", "services.plex.access", "open")
    home.change("services", "services.www", {"hostname": "www", "front": {"root": "/srv/www"}})
    load_catalogue(home.config)
    home.change("services", "services.plex.front", front)
    told = refusal(home)
    assert words in told and "services.yaml: plex.front" in told


def test_who_comes_through_cloudflare_has_to_reach_whoever_signs_him_in(home: Site):
    home.change("services", "services.auth.access", None)
    home.change("services", "services.plex.front", {"forward_auth": AUTH})
    assert "who comes through Cloudflare could not sign in there" in refusal(home)


def test_no_dns_service_has_anything_in_front(home: Site):
    home.change("services", "services.dns.front", {"encode": True})
    assert "dns.front: has no meaning for dns" in refusal(home)


def test_files_of_a_sync_are_shown_by_the_service_that_they_belong_to_alone(home: Site):
    home.change("services", "services.antigravity-manager.front", {"encode": True})
    home.change("services", "syncs.antigravity.directory", "/srv/antigravity")
    catalogue = load_catalogue(home.config)
    own, other = catalogue.services["antigravity-manager"], catalogue.services["plex"]
    assert not unshowable(catalogue, own, "/srv/antigravity/public")
    assert "overlaps with sync antigravity" in unshowable(catalogue, other, "/srv/antigravity/x")


def test_a_service_that_turns_a_drill_away_is_not_drilled_unless_its_paths_are_open(home: Site):
    some, all_of_them = ["/api/v2/ping"], ["/api", "/socket.io"]
    for paths, drillable in (([], False), (some, False), (all_of_them, True)):
        front = {"forward_auth": {**AUTH, "open_paths": paths}}
        home.change("services", "services.organizr.front", front)
        assert load_catalogue(home.config).services["organizr"].drillable is drillable


@given(HOSTILE | st.text("{}$\\`ab/@\"' \n"))
@settings(deadline=None)
def test_text_is_told_as_it_is_or_refused(text: str):
    try:
        quoted = caddy_text(text)
    except UnsafeValue:
        return
    assert quoted[0] == quoted[-1] == "`" and "`" not in quoted[1:-1]
    assert quoted[1:-1].replace("\\{", "{") == text
