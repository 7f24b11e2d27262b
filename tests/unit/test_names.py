"""Several names for one service: where each of them reaches, and what is refused."""

import pytest
import yaml

from inventory.load import load_catalogue
from runbooks.rollback import _as_known
from runbooks.verify import CHECKS, judge
from tasks.checks import names
from tasks.checks.diagnosis import diagnose, faults
from tasks.checks.finding import Finding, Status
from tasks.probe import Answer
from tests.site import Site
from tests.unit.surveys import DENIED, Edge
from tests.unit.test_configs import rendered
from tests.unit.test_inventory import refusal

PLEX = "services.plex"
SAMPLE = "twinedge-verify.apps.home.example"


@pytest.fixture
def named(site: Site) -> Site:
    """Plex at the apex, under five further names and one for plain HTTP; two lead to it."""
    site.change("defaults", "data.domains", ["home.net"])
    site.change("services", f"{PLEX}.hostname", "home.example")
    site.change("services", f"{PLEX}.aliases", ["tv", "films.home.net", "home.net", "*.apps"])
    site.change("services", f"{PLEX}.redirect_from", ["movies", "www.home.net"])
    site.change("services", f"{PLEX}.http_names", ["plex", "plex.lan"])
    site.change("services", "services.organizr.port", 8082)  # port 80 is Caddy's
    return site


def test_a_resolver_answers_each_name_with_the_edges(named: Site):
    text = rendered(named, "vps1")["resolver"].text
    for name in (
        "home.example",
        "tv.home.example",
        "films.home.net",
        "home.net",
        "plex",
        "movies.home.example",
        "www.home.net",
        "plex.lan",
        "apps.home.example",
    ):
        for edge in ("100.67.88.109", "100.102.55.88"):
            assert f'local-data: "{name}. 60 IN A {edge}"' in text
    assert 'local-zone: "home.net." transparent' in text
    assert 'local-zone: "apps.home.example." redirect' in text
    assert 'local-zone: "_acme-challenge.apps.home.example." transparent' in text
    assert "twinedge-verify" not in text


def test_a_name_below_a_wildcard_has_a_zone_of_its_own(named: Site):
    named.change("services", "services.radarr.hostname", "radarr.apps.home.example")
    text = rendered(named, "vps1")["resolver"].text
    assert 'local-zone: "radarr.apps.home.example." transparent' in text


def test_the_tunnel_knows_every_name_and_a_wildcard_comes_last(named: Site):
    named.change("services", "syncs.resolver", None)
    named.change("services", "services.radarr.aliases", ["*"])
    config = yaml.safe_load(rendered(named, "vps1")["cloudflared"].text)
    known = [rule.get("hostname") for rule in config["ingress"]]
    assert known[-3:] == ["*.apps.home.example", "*.home.example", None]
    assert {"home.example", "tv.home.example", "films.home.net", "movies.home.example"} < set(known)
    assert not {"plex", "plex.lan"} & set(known)


def test_a_protected_name_is_protected_under_each_of_its_names(named: Site):
    audience = "ab" * 32
    named.change("services", f"{PLEX}.audience", audience)
    config = yaml.safe_load(rendered(named, "vps1")["cloudflared"].text)
    tags = {
        rule.get("hostname"): rule.get("originRequest", {}).get("access", {}).get("audTag")
        for rule in config["ingress"]
    }
    for name in load_catalogue(named.config).services["plex"].https_names:
        assert tags[name] == [audience]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("aliases", ["radarr"], "radarr.hostname: 'radarr.home.example' is the name of plex too"),
        ("aliases", ["a.home.org"], "'a.home.org' is outside the domain 'home.example' (data.do"),
        ("aliases", ["a.*.home.example"], "is not a name such as photos, photos.example.org, *"),
        ("aliases", ["*"], "leaves no room for records of your own (sync resolver)"),
        ("aliases", ["*.vps1"], "vps1.home.example has an address of its own, beside the edges"),
        ("redirect_from", ["*.old"], "is not a host name"),
        ("redirect_from", ["plex"], "'plex.home.example' is the name of plex too"),
        ("http_names", ["plex"], "needs port 80 of every edge, which vps1, vps2 gives to somethi"),
        ("hostname", "example", None),
    ],
)
def test_a_name_that_cannot_be_served_is_refused(
    site: Site, key: str, value: object, words: str | None
):
    site.change("services", f"{PLEX}.{key}", value)
    if words is None:
        assert load_catalogue(site.config).services["plex"].hostname == "example.home.example"
    else:
        assert words in refusal(site)


def test_the_apex_is_a_name_like_any_other_and_another_domains_is_told_which_are_known(site: Site):
    site.change("services", f"{PLEX}.hostname", "home.example")
    assert load_catalogue(site.config).services["plex"].hostname == "home.example"
    site.change("services", f"{PLEX}.hostname", "home.net")
    assert "'home.net' is outside the domain 'home.example'" in refusal(site)
    site.change("defaults", "data.domains", ["home.org"])
    assert "is outside the domains home.example, home.org" in refusal(site)


@pytest.mark.parametrize(
    ("fallback", "placements"),
    [
        (None, ("vps2",)),
        ("vps1", ("vps2", "vps1")),
        (["vps1", "unraid"], ("vps2", "vps1", "unraid")),
    ],
)
def test_a_fallback_is_one_host_or_several_or_none(
    site: Site, fallback: object, placements: tuple[str, ...]
):
    content = site.read("services")
    content["services"]["organizr"]["fallback"] = fallback
    site.write("services", content)
    assert load_catalogue(site.config).services["organizr"].placements == placements


def test_dns_has_no_further_names(site: Site):
    site.change("services", "services.dns.aliases", ["ns"])
    assert "dns.aliases: has no meaning for dns" in refusal(site)


def healthy(site: Site) -> Edge:
    edge = Edge(load_catalogue(site.config))
    plex = edge.catalogue.services["plex"]
    good = edge.good("plex")
    for name in names.names_of(plex):
        leads = Answer(status=308, location="https://home.example/identity")
        for on in ("vps1", "vps2"):
            edge.names[name, on] = leads if name in plex.redirect_from else good
    edge.strangers_as = dict.fromkeys(("tv.home.example", SAMPLE), DENIED)
    return edge


def found(edge: Edge) -> list[Finding]:
    return list(diagnose(judge(edge.survey(), CHECKS)))


def test_verify_asks_each_name_through_each_caddy_and_each_resolver(named: Site):
    findings = found(healthy(named))
    bad = [f for f in findings if f.status is not Status.OK and "home.net" not in f.subject]
    assert not bad
    subjects = {f.subject for f in findings}
    assert f"plex as {SAMPLE} through vps1" in subjects
    assert f"{SAMPLE} at vps2 over TCP" in subjects
    assert "a stranger at tv.home.example" in subjects
    assert "split DNS of home.net on vps1" in subjects


def test_a_stranger_who_gets_in_by_a_further_name_is_an_alarm(named: Site):
    edge = healthy(named)
    edge.strangers_as["tv.home.example"] = edge.good("plex")
    told = [f for f in faults(found(edge)) if f.first.hop == "access"]
    assert "tv.home.example has no policy" in told[0].first.todo


def test_a_name_that_the_certificate_does_not_bear_is_told_so(named: Site):
    tls = {"mode": "files", "certificate": "/etc/caddy/home.pem", "key": "/etc/caddy/home.key"}
    named.change("defaults", "data.tls", tls)
    edge = healthy(named)
    error = "certificate refused: Hostname mismatch, certificate is not valid for 'home.net'"
    edge.names["home.net", "vps1"] = Answer(status=None, error=error)
    (told,) = (f for f in found(edge) if f.subject == "plex as home.net through vps1")
    assert told.todo == "/etc/caddy/home.pem on vps1 has to bear home.net, too (tls: files)"


def test_a_rollback_expects_no_name_that_the_earlier_release_does_not_know(named: Site):
    plex = load_catalogue(named.config).services["plex"]
    earlier = "https://tv.home.example, https://home.example {\n}\nhttp://plex {\n}\n"
    known = _as_known(plex, [earlier])
    assert (known.aliases, known.redirect_from, known.http_names) == (
        ("tv.home.example",), (), ("plex",),
    )  # fmt: skip
