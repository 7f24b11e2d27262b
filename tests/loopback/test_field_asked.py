"""Seven public files: what people wrote, and what our catalogue makes of it, asked alike."""

import re
from pathlib import Path

import pytest

from inventory.catalogue import Catalogue, Service
from inventory.load import load_catalogue
from inventory.names import sample_of
from tasks.configs.caddy import ADMIN_SOCKET
from tests.field import NUMBERS, Field
from tests.loopback.edges import Net, needs_root, network
from tests.site import Site
from tests.unit.test_configs import rendered

pytestmark = needs_root
THEIRS = "100.99.0.9"  # where what people wrote is served
NEIGHBOUR, STRANGER = "192.168.1.77", "100.64.0.77"
OPTIONS = f"""\
{{
	admin unix/{ADMIN_SOCKET}
	default_bind {THEIRS}
	skip_install_trust
	local_certs
}}
"""
PEOPLE = f"{{\n\tadmin unix/{ADMIN_SOCKET}\n\tauto_https disable_redirects\n}}\n"
# A minimal stand-in for those who sign people in: it knows alice by a cookie.
SIGNS_IN = """\
	@asked path /api/authz/forward-auth /api/auth/caddy
	@known {
		path /api/authz/forward-auth /api/auth/caddy
		header Cookie session=alice
	}
	handle @known {
		header Remote-User alice
		respond 200
	}
	handle @asked {
		redir https://auth.home.example/?rd={http.request.header.X-Forwarded-Uri}
	}
"""
SEEN = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Remote-User", "X-Scheme")
TOLD = ("location", "content-type", "x-robots-tag", "server")
# Who asks, and what he says; with the word of a file in which that makes a difference.
VISITORS = (
    ("", NEIGHBOUR, ()),
    ("remote_ip", STRANGER, ()),
    ("forward_auth", NEIGHBOUR, ("-HCookie: session=alice", "-HRemote-User: root")),
    ("User-Agent", NEIGHBOUR, ("-HUser-Agent: Mozilla/5.0 (compatible; GPTBot/1.2)",)),
    ("X-Emby-Token", NEIGHBOUR, ("-HX-Emby-Token: x",)),
)
END = "\n--- end of an answer\n"


def origin(catalogue: Catalogue, service: Service) -> str:
    """The service's stand-in: it says its name, and what it was asked."""
    (place,) = catalogue.upstreams_from("vps1", service)
    address, _, port = place.rpartition(":")
    names, tls = f"http://:{port}", ""
    if service.upstream.is_https:
        names, tls = f"https://{place}, https://{service.hostname}:{port}", "\ttls internal\n"
    seen = " ".join(f"{{http.request.header.{name}}}" for name in SEEN)
    return (
        f"{names} {{\n\tbind {address}\n{tls}"
        f"{SIGNS_IN if service.name == 'auth' else ''}"
        f'\trespond "{service.name} {{http.request.hostport}} {{uri}} {seen}"\n}}\n'
    )


def asked(net: Net, address: str, urls: list[str], source: str, headers: tuple[str, ...]):
    """(status, what the headers of TOLD say, body) of each answer."""
    there = ("--connect-to", f"::{address}:", "--interface", source)
    done = net.run("curl", "-ski", "--path-as-is", *there, *headers, f"-w{END}", *urls)
    answers = done.stdout.replace("\r\n", "\n").split(END)[:-1]
    assert len(answers) == len(urls), done.stderr
    for answer in answers:
        head, _, body = answer.partition("\n\n")
        status, *lines = head.splitlines()
        said = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
        yield int(status.split()[1]), {key: said.get(key) for key in TOLD}, body


def urls_of(service: Service) -> list[str]:
    """Every name of it, at its front page, below, and on each path that leads elsewhere."""
    paths = ["/", "/index.html", "/x/y?z=1"]
    paths += [
        path if route.respond else f"{path}/x" for path, route in service.front.routes.items()
    ]
    names = [sample_of(name) for name in service.https_names]
    urls = [f"https://{name}{path}" for name in names for path in paths]
    urls += [f"http://{name}/x?z=1" for name in names]
    return urls + [f"http://{name}{path}" for name in service.http_names for path in paths]


@pytest.mark.parametrize("number", NUMBERS)
def test_every_site_answers_as_it_did_in_the_words_of_the_people(
    site: Site, tmp_path: Path, number: int
):
    field = Field(number)
    catalogue = load_catalogue(field.put_into(site).config)
    files = tmp_path / "files"
    files.mkdir()
    (files / "index.html").write_text("the front page")
    theirs, ours = OPTIONS + field.caddyfile, rendered(site, "vps1")["caddy"].text or ""
    placed = [service for service in catalogue.web_services if service.placements]
    with network(site, tmp_path, {}, edges=()) as net:
        boxes = [str(box.address) for box in catalogue.appliances.values()]
        here = (THEIRS, NEIGHBOUR, STRANGER, *net.addresses.values(), *boxes)
        for address in here:
            net.run("ip", "address", "add", address, "dev", "lo")
        net.start("people", PEOPLE + "".join(origin(catalogue, service) for service in placed))
        for name, text in (("theirs", theirs), ("ours", ours)):
            net.start(name, re.sub("/srv/(sfs|bootstrap)", str(files), text))
        urls = [url for service in catalogue.web_services for url in urls_of(service)]
        reached = set()
        for word, source, headers in VISITORS:
            if word not in field.caddyfile:
                continue
            before = asked(net, THEIRS, urls, source, headers)
            after = asked(net, net.addresses["vps1"], urls, source, headers)
            for url, was, now in zip(urls, before, after, strict=True):
                assert now == was, (url, source, headers)
                reached.add(now[2].partition(" ")[0])
        assert {service.name for service in placed} <= reached
