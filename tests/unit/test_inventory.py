"""What the inventory refuses, and in which words."""

import json
import re
import string
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.errors import InventoryError
from inventory.levels import EXTRAS
from inventory.load import load_catalogue
from inventory.rules import refuse_contradictions
from tests.site import ROOT, SETTINGS, Site


def refusal(site: Site) -> str:
    with pytest.raises(InventoryError) as caught:
        load_catalogue(site.config)
    return str(caught.value)


def test_what_a_sync_does_afterwards_is_something_that_the_manager_knows(site: Site):
    site.change("groups", "edge.data.manager", "unraid")
    assert "on vps1 has manager unraid, which knows no re" in refusal(site)


def test_the_labs_site_is_the_topology_of_the_architecture():
    catalogue = load_catalogue(ROOT / SETTINGS)
    addresses = {name: str(host.address) for name, host in catalogue.hosts.items()}
    assert addresses == {
        "vps1": "100.67.88.109",
        "vps2": "100.102.55.88",
        "unraid": "100.76.168.116",
    }
    assert catalogue.site.control == "vps2"
    placements = {name: service.placements for name, service in catalogue.services.items()}
    assert placements["organizr"] == ("vps2", "vps1")
    assert placements["uptime-kuma"] == ("vps1", "vps2")
    assert placements["plex"] == ("unraid",)
    assert not catalogue.services["plex"].drillable


MISTAKES = [
    ("config", "inventory.options.group_file", "a\0b", "the file of groups: 'a\\x00b' is no path"),
    ("config", "user_defined.mcp_file", "\u2028", "the file of mcp: '\\u2028' is no path"),
    ("services", "services.organizr.fallback", "vps3", "organizr.fallback: no host 'vps3'"),
    ("services", "services.organizr.fallback", "vps2", "organizr.fallback: is 'vps2', the primary"),
    ("services", "services.sonarr.port", 7878, "sonarr.port: 7878 on unraid belongs to radarr"),
    ("services", "services.organizr.port", 443, "organizr.port: 443 on vps2 belongs to Caddy"),
    ("services", "services.organizr.port", "80", "organizr.port: should be a whole number"),
    ("services", "services.organizr.port", 0, "organizr.port"),
    ("services", "services.sonarr.hostname", "radarr", "is the name of radarr too"),
    ("services", "services.sonarr.hostname", "vps1", "is the name of host vps1 too"),
    ("services", "services.sonarr.hostname", "status", "is the name of the page (data.page.host"),
    ("defaults", "data.control", "unraid", "data.page: needs a Caddy beside it, but the control"),
    ("defaults", "data.alerts", {"urls": ["ntfy://x"]}, "data.alerts.urls.0: is not a secret"),
    (
        "defaults",
        "data.alerts.channels",
        [{"url": "env:A", "services": ["plx"]}],
        "data.alerts.channels.0.services: no service 'plx'",
    ),
    ("defaults", "data.alerts", {"still_after": "soon"}, "still_after: 'soon' is not a time such"),
    (
        "defaults",
        "data.alerts",
        {"flap": 3},
        "data.alerts.flap: unknown key (known: channels, flap_window",
    ),
    ("services", "services.sonarr.hostname", "sonarr.example.org", "is outside the domain"),
    ("services", "services.sonarr.health.path", "ping", "is not a path on the service"),
    ("services", "services.sonarr.health.path", "/{$HOME}", "is not a path on the service"),
    ("services", "services.sonarr.prot", 1, "sonarr.prot: unknown key (known: access, aliases"),
    ("services", "services.sonarr.name", "x", "sonarr.name: unknown key: the name is 'sonarr'"),
    ("services", "services.sonarr.health.stat", 1, "sonarr.health.stat: unknown key (known: body"),
    ("services", "services.sonarr.health", None, "sonarr.health: is missing"),
    ("services", "services.organizr.budget", {"loss": 1}, "organizr.budget.loss: unknown key"),
    ("services", "services.organizr.budget", {"lost": -1}, "organizr.budget.lost"),
    ("services", "services.organizr.echo", "echo", "organizr.echo"),
    (
        "services",
        "services.organizr.upstream",
        {"trust": "insecure"},
        "organizr.upstream.trust: has no meaning over http: it goes with scheme: https",
    ),
    (
        "services",
        "services.organizr.upstream",
        {"server_name": "nas.lan"},
        "organizr.upstream.server_name: has no meaning over http",
    ),
    (
        "services",
        "services.organizr.upstream",
        {"scheme": "https", "trust": "yes"},
        "'yes' is not system, insecure, or the path of a CA on the edges",
    ),
    (
        "services",
        "services.organizr.upstream",
        {"scheme": "https", "trust": "insecure", "server_name": "nas.lan"},
        "organizr.upstream.trust: insecure checks no name",
    ),
    ("services", "services.organizr.upstream", {"path": "/app/"}, "'/app/' is not a path in front"),
    ("services", "services.organizr.upstream", {"host": "a b"}, "'a b' is not a Host header"),
    (
        "services",
        "services.dns.upstream",
        {"path": "/app"},
        "dns.upstream: has no meaning for dns",
    ),
    ("services", "services.organizr.websocket", "ws://x", "organizr.websocket: 'ws://x' is not a"),
    ("services", "services.organizr.stream_timeout", 1, "organizr.stream_timeout"),
    ("services", "services.organizr.stream_timeout", "10m", "organizr.stream_timeout"),
    ("services", "services.plex.stream_timeout", 600, "plex.stream_timeout: has no meaning here"),
    ("services", "services.dns.stream_timeout", 600, "dns.stream_timeout: has no meaning here"),
    ("services", "services.sonarr.hosts", None, "sonarr: needs either primary (and fallback) or"),
    ("services", "services.sonarr.hosts", "unraid", "sonarr.hosts: should be a list"),
    ("services", "services.sonarr.hosts", ["unraid", "unraid"], "names a host twice"),
    ("services", "services.sonarr.access", "public", "sonarr.access"),
    ("services", "services.dns.access", "open", "a dns service stays on the tailnet"),
    ("services", "syncs.antigravity.hosts", ["vps1"], "antigravity.hosts"),
    ("services", "syncs.antigravity.hosts", ["vps1", "unraid"], "'unraid' is no edge"),
    ("services", "syncs.antigravity.hosts", ["vps1", "vps1"], "names a host twice"),
    ("services", "syncs.antigravity.directory", "/etc/unbound", "which the deploy writes"),
    ("services", "syncs.antigravity.directory", "/etc/../etc", "is not an absolute path"),
    ("services", "syncs.antigravity.service", "antigravity", "no service 'antigravity'"),
    ("services", "syncs.antigravity.service", None, "'restart' needs a service"),
    ("services", "syncs.antigravity.directory", "/var/lib", "belongs to the system"),
    ("services", "syncs.antigravity.directory", "/var/log/antigravity", "not meant to stay"),
    ("services", "syncs.antigravity.directory", "/etc/unbound/local.d/x", "overlaps"),
    ("services", "syncs.antigravity.exclude", ["**/x"], "is not a pattern of file names"),
    ("services", "syncs.antigravity.exclude", ["{a,b}"], "is not a pattern of file names"),
    ("services", "extra", {}, "extra: unknown key (known: services, syncs)"),
    ("services", "services", {}, "services: holds no service"),
    ("hosts", "vps1.groups", ["edges"], "vps1.groups: no group 'edges' (groups: edge, media)"),
    ("hosts", "vps1.hostname", "100.67.88.999", "vps1.hostname: should be an IPv4 address"),
    ("hosts", "vps1.hostname", 100, "vps1.hostname: should be an IPv4 address"),
    ("hosts", "vps1.hostname", "vps1", "a name; here stands the tailnet address"),
    ("hosts", "vps1.hostname", "a.tail1.ts.net", "`tailscale ip -4 a.tail1.ts.net` prints it"),
    ("hosts", "vps1.hostname", "Vps1.Example", "as HostName in a file that data.ssh.config names"),
    ("hosts", "vps1.hostname", "100.102.55.88", "is the address of vps1 too"),
    ("hosts", "vps1.data", {"color": "red"}, "vps1.data.color: unknown key"),
    ("hosts", "vps1.hostname", "0.0.0.0", "vps1.hostname: 0.0.0.0 is no address of a host"),
    ("hosts", "vps1.hostname", "255.255.255.255", "is no address of a host"),
    ("hosts", "vps1.hostname", "127.0.0.1", "leads to every host itself"),
    ("hosts", "vps1.hostname", "100.100.100.100", "is Tailscale's own resolver"),
    ("hosts", "vps1.hostname", "8.8.4.4", "is not on the tailnet (100.64.0.0/10): `tailscale ip"),
    ("hosts", "vps1.data.ssh", {"own_address": "127.0.0.1"}, "own_address: 127.0.0.1 leads to ev"),
    ("hosts", "vps1.data.ssh", {"own_address": "0.0.0.0"}, "0.0.0.0 is no address of a host"),
    ("hosts", "vps1.data", "text", "vps1.data: should be a mapping of keys, not 'text'"),
    ("hosts", "vps1.groups", [{}], "vps1.groups: no group {} (groups: edge"),
    ("hosts", "vps1.hostnam", "100.64.0.1", "vps1.hostnam: unknown key (known: connection_op"),
    ("groups", "spare", [1], "spare: should be a mapping of keys"),
    ("hosts", "vps1.data.paths", {"mcp": "/etc/caddy/Caddyfile"}, "is at or below caddy's"),
    ("hosts", "vps1.data.paths", {"mcp": "/root/.ssh/authorized_keys"}, "is the system's own"),
    ("hosts", "vps1.data.paths", {"mcp": "/etc/passwd"}, "is the system's own"),
    ("hosts", "vps1.data.paths", {"mcp": "/root/.bashrc"}, "is the system's own"),
    ("hosts", "vps1.data.paths", {"sync": "/usr/bin/sh"}, "is the system's own"),
    ("hosts", "vps1.data.paths", {"state": "/etc/mcp/mcp.json/x"}, "is at or below mcp's"),
    ("hosts", "vps2.data.paths", {"lsyncd": "/var/lib/twinedge/x"}, "is at or below state's"),
    ("defaults", "data.page.directory", "/etc", "data.page.directory: /etc belongs to the system"),
    ("defaults", "data.page.directory", "/root", "/root belongs to the system"),
    ("defaults", "data.page.directory", "/home/ann", "/home/ann is no place to serve"),
    ("defaults", "data.page.directory", "/var/lib/caddy/x", "is no place to serve"),
    ("defaults", "data.page.directory", "/root/x", "/root/x is no place to serve"),
    ("defaults", "data.page.directory", "/etc/caddy/x", "is no place to serve"),
    ("defaults", "data.page.directory", "/var/lib/antigravity/x", "overlaps with sync antigravity"),
    ("defaults", "data.metrics", {"file": "/etc/mcp/mcp.json"}, "is where the deploy writes mcp"),
    ("defaults", "data.metrics", {"file": "/etc/cron.d/x"}, "a folder that the host itself obeys"),
    ("defaults", "data.journal.file", "~/.ssh/authorized_keys", "that the host itself obeys"),
    ("defaults", "data.tunnel.metrics_port", 8081, "8081 belongs to data.tunnel.caddy_port"),
    ("defaults", "data.tunnel.caddy_port", 22, "caddy_port: 22 belongs to sshd on vps"),
    ("defaults", "data.tunnel.caddy_port", 443, "443 belongs to Caddy"),
    ("services", "services.organizr.port", 8081, "8081 on vps2 belongs to Caddy's tunnel listener"),
    ("hosts", "vps1.data.paths", {"mcp": "/etc/cloudflared/twinedge-hosts"}, "cloudflared's hosts"),
    ("defaults", "data.tunnel.metrics_port", 2019, "2019 belongs to Caddy's admin API"),
    ("services", "services.organizr.health.interval", 0.0004, "organizr.health.interval"),
    ("services", "services.organizr.health.timeout", float("nan"), "organizr.health.timeout"),
    (
        "services",
        "services.plex.title",
        "\u202exelp",
        "a character that nobody sees (U+202E)",
    ),
    ("services", "services.plex.title", "Ple\u200bx", "nobody sees (U+200B); type the text anew"),
    ("services", "services.organizr.health.interval", True, "should be a number, not true"),
    ("services", "services.organizr.header_timeout", True, "should be a number, not true"),
    ("services", "services.organizr.health.status", 0, "organizr.health.status"),
    ("services", "services.organizr.health.status", 999, "organizr.health.status"),
    ("services", "services.plex.audience", "aud0123", "plex.audience: 'aud0123' is not an AUD tag"),
    ("services", "services.dns.audience", "0" * 64, "dns.audience: has no meaning on the tailnet"),
    *(
        (
            "services",
            "syncs.antigravity.directory",
            folder,
            f"{folder} is obeyed by the host itself",
        )
        for folder in (
            *("/etc/cron.d", "/etc/sudoers.d", "/etc/pam.d", "/usr/sbin", "/root/.ssh/x"),
            *("/etc/systemd/network", "/etc/profile.d", "/usr/share/x", "/srv/ann/.ssh"),
            "/etc/docker",
        )
    ),
    ("services", "syncs.antigravity.directory", "/home/ann", "/home/ann holds /home/ann/.ssh, wh"),
    ("services", "syncs.antigravity.directory", "/root/.config", "holds /root/.config/systemd, wh"),
    ("mcp", "servers.github.args", ["--token", "ghp_0123456789abc"], "args.1: looks like a secret"),
    ("mcp", "servers.github.args", ["--api-key", "Zm9vYmFyYmF6"], "args.1: looks like a secret"),
    ("mcp", "servers.github.args", ["--password=hunter2hunter2"], "args.0: looks like a secret"),
    ("mcp", "servers.github.args", [{"secret": "hunter2"}], "is not a secret reference"),
    (
        "mcp",
        "servers.x",
        {"url": "https://a.example/s?token=abcdefgh"},
        "url: looks like a secret",
    ),
    ("defaults", "data.domain", "home example", "data.domain: 'home example' is not a host name"),
    ("defaults", "data.domain", None, "data.domain: is missing"),
    ("defaults", "data.domian", "x", "data.domian: unknown key"),
    ("defaults", "data.control", "vps9", "data.control: no host 'vps9'"),
    ("defaults", "data.sudo", "yes please", "sudo: should be true or false"),
    ("defaults", "data.tunnel.id", "my-tunnel", "data.tunnel.id: 'my-tunnel' is not an id"),
    ("defaults", "data.tunnel.credentials", "s3cret", "is not a secret reference"),
    ("defaults", "data.tls.mode", "files", "data.tls.certificate: is missing; mode files needs"),
    ("defaults", "data.tls.provider", "cloudflare", "has no meaning with mode internal"),
    (
        "defaults",
        "data.resolver.forward",
        ["1.1.1.1@853"],
        "anybody could pose as it: add the name",
    ),
    ("defaults", "data.resolver.forward", ["1.1.1.1", "9.9.9.9#dns.quad9.net"], "for a whole zone"),
    ("defaults", "data.resolver.forward", [], "data.resolver.forward: names no nameserver"),
    ("defaults", "data.resolver.forward", ["100.67.88.109"], "is vps1's own resolver"),
    ("defaults", "data.resolver.forward", ["dns.lan"], "'dns.lan' is not a nameserver such as"),
    ("defaults", "data.resolver.stub_zones", {"home.example": ["10.0.0.1"]}, "the catalogue's own"),
    ("defaults", "data.resolver.records", {"plex": "10.0.0.1"}, "plex.home.example is the cata"),
    ("defaults", "data.resolver.records", {"a": {"cname": "b"}, "b": {"cname": "a"}}, "to itself"),
    (
        "defaults",
        "data.resolver.records",
        {"a": {"cname": "www.example.com"}},
        "without an address",
    ),
    ("defaults", "data.resolver.records", {"a": {}}, "needs addresses or texts, or a cname"),
    ("defaults", "data.resolver.records", {"a": {"txt": ["x" * 256]}}, "1 to 255 bytes"),
    ("defaults", "data.resolver.records", {"a": "10.0.0.256"}, "data.resolver.records.a"),
    ("mcp", "servers.github.url", "https://x.example", "needs either command or url"),
    ("mcp", "servers.docs", {"url": "ftp://x"}, "servers.docs.url: 'ftp://x' is not a web address"),
    ("mcp", "servers.github.env.TOKEN", "ghp_abc", "env.TOKEN: looks like a secret"),
    ("mcp", "servers.github.env.LEVEL", "ghp_0123456789abc", "env.LEVEL: looks like a secret"),
    (
        "mcp",
        "servers.docs",
        {"url": "https://x.example", "headers": {"Authorization": "Bearer abcdefghij"}},
        "servers.docs.headers.Authorization: looks like a secret",
    ),
    ("mcp", "servers.github.headers", {"X-Team": "ops"}, "headers belong to a url"),
    ("mcp", "servers.github.type", "http", "stdio is a command's; http and sse are a url's"),
    ("mcp", "servers.github.hosts", ["vps9"], "servers.github.hosts: no host 'vps9'"),
    ("mcp", "servers.github.clients", ["code"], "no client 'code' (clients: none)"),
    ("mcp", "clients.code", {"path": "/etc/mcp/mcp.json"}, "clients.code.path: overlaps on vps1"),
    ("mcp", "clients.code", {"path": "/etc/cron.d/x"}, "a folder that the host obeys"),
]


@pytest.mark.parametrize(("file", "key", "value", "words"), MISTAKES)
def test_a_mistake_is_refused_with_its_file_and_key_and_what_is_wrong(
    site: Site, file: str, key: str, value: object, words: str
):
    site.change(file, key, value)
    said = refusal(site)
    assert words in said
    assert f"{file}.yaml: " in said
    assert "Traceback" not in said and "pydantic" not in said


IN_THE_TREE = [
    ("mcp", "clients.code", {"path": "{}"}, "client code"),
    ("mcp", "servers.github.env.TOKEN", "file:{}", "a secret"),
    ("defaults", "data.journal.file", "{}", "data.journal.file"),
    ("defaults", "data.metrics", {"file": "{}"}, "data.metrics.file"),
    ("defaults", "data.tunnel.credentials", "file:{}", "a secret"),
    ("hosts", "unraid.data.ssh", {"config": "{}"}, "to log in with"),
    ("defaults", f"{EXTRAS}.key_file", "{}", "to log in with"),
    ("defaults", f"{EXTRAS}.passphrase", "file:{}", "a secret"),
    ("services", "services.plex.front", {"basic_auth": {"users": {"ann": "file:{}"}}}, "a secret"),
]


@pytest.mark.parametrize(("file", "key", "value", "what"), IN_THE_TREE)
def test_nothing_that_we_read_or_write_as_root_lies_where_the_peer_of_a_sync_can_write(
    site: Site, file: str, key: str, value: object, what: str
):
    path = "/var/lib/antigravity/of/ours"
    written = json.loads(json.dumps(value).replace("{}", path))
    site.change(file, key, written)
    words = f"antigravity.directory: /var/lib/antigravity on vps[12] overlaps with {path} [(]{what}"
    assert re.search(words, refusal(site))


def test_neither_twinedge_nor_the_inventory_is_synced(site: Site, monkeypatch: pytest.MonkeyPatch):
    site.change("services", "syncs.antigravity.directory", "/opt/twinedge/data")
    load_catalogue(site.config)
    monkeypatch.setattr("inventory.rules.trusted.CHECKOUT", "/opt/twinedge")
    assert "on vps2 overlaps with /opt/twinedge (twinedge itself)" in refusal(site)
    site.change("services", "syncs.antigravity.directory", "/srv/sites")
    folder = replace(load_catalogue(site.config), config=Path("/srv/sites/mine/config.yaml"))
    with pytest.raises(InventoryError, match=r"with /srv/sites/mine .the inventory"):
        refuse_contradictions(folder, files={"hosts": "hosts.yaml"})


@pytest.mark.parametrize(
    "args",
    [
        ["--max-tokens", "12345678", "--token-file", "/run/secret/token", "--no-auth"],
        ["--token", "$GITHUB_TOKEN", "--password=${PASSWORD_OF_IT}", "file:///srv/ann"],
        ["-y", "@modelcontextprotocol/server-filesystem", "https://a.example/x?page=12345678"],
    ],
)
def test_words_that_only_speak_of_secrets_are_taken(site: Site, args: list[str]):
    site.change("mcp", "servers.filesystem.args", args)
    load_catalogue(site.config)


def test_what_a_clients_format_has_no_key_for_is_refused_for_that_client(site: Site):
    site.change("mcp", "servers.github.cwd", "/srv/mcp")
    site.change("mcp", "clients.code", {"format": "vscode", "path": "/srv/code/mcp.json"})
    assert "servers.github.cwd: client code: its format (vscode) has no such key" in refusal(site)
    site.change("mcp", "clients.other", {"path": "/srv/other/mcp.json"})
    site.change("mcp", "servers.github.clients", ["other"])
    load_catalogue(site.config)


def test_an_address_outside_the_tailnet_is_taken_where_the_host_says_so(site: Site):
    site.change("hosts", "unraid.hostname", "192.168.1.5")
    site.change("hosts", "unraid.data", {"tailnet": False})
    assert str(load_catalogue(site.config).hosts["unraid"].address) == "192.168.1.5"


def test_a_service_does_not_take_the_port_of_sshd_wherever_that_listens(site: Site):
    site.change("hosts", "vps2.port", 3001)
    assert "uptime-kuma.port: 3001 on vps2 belongs to sshd" in refusal(site)


def test_a_plain_secret_in_an_argument_is_not_repeated(site: Site):
    site.change("mcp", "servers.github.args", ["--token", "ghp_0123456789abc"])
    said = refusal(site)
    assert "ghp_" not in said and "{secret: file:PATH}" in said


def test_aliases_that_stand_for_billions_of_values_are_refused_at_once(site: Site):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    site.write("services", "\n".join(lines))
    assert "stands for more than 200000 values" in refusal(site)


@pytest.mark.parametrize(
    "text",
    [
        "services: {plex: {port: 2026-13-45}}",
        "services: {plex: {title: 2026-02-30T99:00:00Z}}",
        f"services: {{plex: {{port: {'9' * 5000}}}}}",
        "services: &a {plex: *a}",
        "services: {? [a, b] : 1}",
        "services: {plex: {port: \x00}}",
    ],
)
def test_what_yaml_alone_would_end_at_is_told_with_its_file(site: Site, text: str):
    site.write("services", text)
    assert refusal(site).startswith(str(site.folder / "services.yaml"))


def test_a_thousand_syncs_take_ten_times_as_long_as_a_hundred(site: Site):
    """Of the processor: every pair of them would take a hundred times as long."""

    def cost(count: int) -> float:
        syncs = {
            f"s{n}": {"hosts": ["vps1", "vps2"], "directory": f"/srv/s/{n}"} for n in range(count)
        }
        site.change("services", "syncs", syncs)
        began = time.process_time()
        load_catalogue(site.config)
        return time.process_time() - began

    assert cost(1000) < 40 * cost(100)


def test_a_pasted_secret_is_not_repeated_in_the_error(site: Site):
    site.change("mcp", "servers.github.env.TOKEN", "ghp_very_secret")
    assert "ghp_very_secret" not in refusal(site)


def test_every_problem_of_a_file_is_told_at_once(site: Site):
    site.change("services", "services.sonarr.port", "x")
    site.change("services", "services.radarr.prot", 1)
    said = refusal(site)
    assert "sonarr.port" in said and "radarr.prot" in said


def test_a_syntax_error_has_its_line(site: Site):
    site.write("services", "services:\n  plex:\n    port: [32400\n  radarr:\n")
    assert "services.yaml:4:" in refusal(site)


def test_a_key_that_stands_twice_is_refused_with_its_line(site: Site):
    site.write("services", "services:\n  plex: {port: 1}\n  plex: {port: 2}\n")
    assert "services.yaml:3:3: YAML: the key 'plex' stands twice" in refusal(site)


@pytest.mark.parametrize("content", ["", "[]", "just text", "1: 2", "services: []", "\t"])
def test_a_file_of_the_wrong_shape_is_refused(site: Site, content: str):
    site.write("services", content)
    assert "services.yaml" in refusal(site)


def test_a_missing_file_is_named(site: Site):
    (site.folder / "mcp.yaml").unlink()
    assert "mcp.yaml: No such file or directory" in refusal(site)


def test_yaml_that_would_build_objects_is_refused(site: Site):
    site.write("mcp", "servers: !!python/object/apply:os.system ['true']\n")
    assert "mcp.yaml" in refusal(site)


HOSTILE = st.text(alphabet=string.printable + "ü☃\u2028\x00\x85", min_size=1, max_size=40)
PLACES = [
    ("services", "services.sonarr.hostname"),
    ("services", "services.sonarr.health.path"),
    ("services", "services.sonarr.unit"),
    ("services", "syncs.antigravity.directory"),
    ("services", "syncs.antigravity.owner"),
    ("defaults", "data.domain"),
    ("defaults", "data.tunnel.id"),
    ("defaults", "data.access.team"),
    ("defaults", "username"),
    ("hosts", "vps1.hostname"),
]


@pytest.mark.parametrize(("file", "key"), PLACES)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(hostile=HOSTILE)
def test_text_that_needs_quotes_never_enters_a_field_that_has_none(
    site: Site, file: str, key: str, hostile: str
):
    value = "a" + hostile + "{$(`\n"
    site.change(file, key, value)
    assert f"{file}.yaml" in refusal(site) or "hosts.yaml" in refusal(site)


def test_a_budget_follows_from_the_health_check_unless_it_is_given(site: Site):
    site.change("services", "services.organizr.health.interval", 4)
    site.change("services", "services.organizr.budget", {"lost": 2, "failback": 5})
    limits = load_catalogue(site.config).services["organizr"].limits
    assert (limits.lost, limits.flaps, limits.slowest) == (2, 0, 10)
    assert (limits.failover, limits.failback) == (6, 5)
