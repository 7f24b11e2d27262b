"""The rendered configs: what they say, and that they say it every time alike."""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.catalogue import Catalogue
from inventory.errors import InventoryError
from inventory.load import load_catalogue
from lab.standins.tunnel import names
from tasks import configs
from tasks.configs.cloudflared import CADDY
from tasks.configs.file import ConfigFile, digest
from tasks.configs.render import environment, made_by
from tasks.look import program as look
from tasks.quote import lua_string
from tests.site import Site
from tests.unit.test_quote import HOSTILE


def rendered(site: Site, host: str, commit: str = "1234abcd") -> dict[str, ConfigFile]:
    return render_for(load_catalogue(site.config), host, commit)


def render_for(catalogue: Catalogue, host: str, commit: str) -> dict[str, ConfigFile]:
    def render(template: str, /, **values: Any) -> str:
        return environment().get_template(template).render(made_by=made_by(commit), **values)

    one = catalogue.hosts[host]
    files = configs.build(one, catalogue, render)
    all_of_them = (*files, look.program(one, catalogue, render, files))
    return {f.name: f for f in all_of_them if f.text is not None}


def test_each_host_gets_the_configs_of_its_role(site: Site):
    assert list(rendered(site, "vps1")) == [
        "resolver",
        "caddy-program",
        "caddy-unit",
        "caddy",
        "cloudflared-credentials",
        "cloudflared-hosts",
        "cloudflared",
        "cloudflared-unit",
        "replica",
        "replica-unit",
        "sync",
        "sync-table",
        "lsyncd",
        "lsyncd-unit",
        "mcp",
    ]
    assert list(rendered(site, "unraid")) == ["mcp"]


def test_rendering_twice_gives_the_same_bytes(site: Site):
    assert rendered(site, "vps1") == rendered(site, "vps1")


def test_the_commit_stands_in_the_header_and_changes_no_digest(site: Site):
    old, new = rendered(site, "vps1", "1111111"), rendered(site, "vps1", "2222222-dirty")
    for name, file in new.items():
        if name != "cloudflared-credentials":
            assert "Made by twinedge from git commit 2222222-dirty. Do not edit" in file.text
            assert old[name].text != file.text
        assert old[name].digest == file.digest


def test_a_header_further_down_is_content_like_any_other():
    text = "a\nb\nc\nd Made by twinedge from git commit 1\n"
    assert digest(text) != digest(text.replace("commit 1", "commit 2"))


def test_both_caddys_ask_a_primary_in_the_same_order(site: Site):
    for host in ("vps1", "vps2"):
        text = rendered(site, host)["caddy"].text
        organizr = text.split("(service_organizr)")[1].split("(service_")[0]
        assert "reverse_proxy @safe 100.102.55.88:80 100.67.88.109:80 {" in organizr
        assert "lb_policy first" in text
        assert "import failover /api/v2/ping 10s 2s 200 `pong`" in organizr


def test_a_failure_is_answered_for_by_another_placement_and_not_asked_again_in_place(site: Site):
    text = rendered(site, "vps1")["caddy"].text
    shared = text.split("(failover) {")[1].split("\n}\n")[0]
    assert "fail_duration 15s" in shared and "max_fails 20" in shared, "16 in 15 s move nobody"
    assert "lb_retr" not in text and "lb_try" not in shared


def test_a_websocket_lives_as_long_as_both_ends_like_unless_the_service_says_otherwise(site: Site):
    site.change("services", "services.organizr.stream_timeout", 90)
    text = rendered(site, "vps1")["caddy"].text
    for name, life in (("organizr", " 90s"), ("uptime-kuma", " 0s")):
        own = text.split(f"(service_{name}) {{")[1].split("(service_")[0].splitlines()
        shared = [line for line in own if "import failover" in line or "import last_try" in line]
        assert len(shared) >= 3 and all(line.endswith(life) for line in shared)


@pytest.mark.parametrize(
    ("path", "words"),
    [("/api/socket", "/api/socket /api/socket/*"), ("/io/", "/io /io/*"), ("/", "/ /*")],
)
def test_a_long_poll_is_at_its_path_and_below(site: Site, path: str, words: str):
    site.change("services", "services.organizr.long_polls", [path])
    organizr = rendered(site, "vps1")["caddy"].text.split("(service_organizr)")[1]
    assert f"\t@live path {words}\n" in organizr
    assert f"\t\tnot path {words}\n" in organizr


def test_an_edge_leads_to_https_where_no_service_has_port_80(site: Site):
    site.change("services", "services.organizr.fallback", None)  # it stays on vps2
    redirect = "\nhttp:// {\n\timport tailnet\n\tredir https://{host}{uri} 308\n}\n"
    first, second = (rendered(site, edge)["caddy"] for edge in ("vps1", "vps2"))
    assert redirect in first.text and "http:// {" not in second.text
    assert first.activation and "ports='443 8081 80'" in first.activation.command
    site.change("hosts", "vps1.data", {"redirect": False})
    assert "http:// {" not in rendered(site, "vps1")["caddy"].text


def test_services_that_are_all_alike_are_asked_at_home_first(site: Site):
    for host, own in (("vps1", "100.67.88.109"), ("vps2", "100.102.55.88")):
        text = rendered(site, host)["caddy"].text
        assert f"reverse_proxy @safe {own}:8045" in text


def test_no_caddy_is_an_upstream_of_the_other(site: Site):
    for host in ("vps1", "vps2"):
        for line in rendered(site, host)["caddy"].text.splitlines():
            if "reverse_proxy" in line:
                assert ":443" not in line and ":8081" not in line


def test_caddy_binds_the_tailnet_and_loopback_only(site: Site):
    text = rendered(site, "vps1")["caddy"].text
    assert "default_bind 100.67.88.109" in text
    _, _, tunnel = text.partition("(tunnel) {\n")
    assert tunnel.startswith("\tbind 127.0.0.1 100.67.88.109\n")
    for block in text.split("\nhttp://")[1:]:
        assert block.splitlines()[1] == "\timport tunnel"


def test_the_tunnels_listener_serves_the_other_edges_alone(site: Site):
    _, _, tunnel = rendered(site, "vps1")["caddy"].text.partition("(tunnel) {\n")
    assert "\t@elsewhere not remote_ip 127.0.0.0/8 100.102.55.88\n\tabort @elsewhere\n" in tunnel
    assert "\t\tremote_ip 100.102.55.88\n\t\tnot header Upgrade *\n" in tunnel


def test_cloudflared_asks_its_own_caddy_first_and_then_those_of_the_other_edges(site: Site):
    for host, other in (("vps1", "100.102.55.88"), ("vps2", "100.67.88.109")):
        text = rendered(site, host)["cloudflared-hosts"].text
        assert names.addresses(text, CADDY) == ["127.0.0.1", other]
        assert names.addresses(text, "localhost") == ["127.0.0.1", "::1"]


def test_the_one_edge_of_a_site_has_nobody_else_to_ask_and_no_second_listener(site: Site):
    catalogue = load_catalogue(site.config)
    alone = replace(
        catalogue,
        hosts={name: host for name, host in catalogue.hosts.items() if name != "vps1"},
        services={"plex": catalogue.services["plex"]},
        syncs={},
    )
    files = render_for(alone, "vps2", "1234abcd")
    assert names.addresses(files["cloudflared-hosts"].text, CADDY) == ["127.0.0.1"]
    assert "(tunnel) {\n\tbind 127.0.0.1\n" in files["caddy"].text
    assert "replica" not in files and "twinedge-replica" not in files["cloudflared-unit"].text


def test_every_site_on_the_tailnet_serves_the_tailnet_and_access_from_alone(site: Site):
    site.change("defaults", "data.access_from", ["192.168.1.0/24", "fd00:1::/64"])
    files = rendered(site, "vps2")
    text = files["caddy"].text
    own = "127.0.0.0/8 100.102.55.88"
    guests = "100.64.0.0/10 fd7a:115c:a1e0::/48 192.168.1.0/24 fd00:1::/64"
    assert f"@elsewhere not remote_ip {own} {guests}\n\tabort @elsewhere\n" in text
    sites = text.split("\nhttps://")[1:]
    assert len(sites) == 10 and all("\timport tailnet\n" in block for block in sites)
    assert "\taccess-control: 192.168.1.0/24 allow\n" in files["resolver"].text


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "1.2.3.4/24", "home", 7, None, {}])
def test_a_network_that_is_none_or_everybody_is_refused_with_its_key(site: Site, network: object):
    site.change("defaults", "data.access_from", [network])
    with pytest.raises(InventoryError, match=r"defaults.yaml: data.access_from.0: "):
        load_catalogue(site.config)


def test_no_access_speaks_for_the_visitors_of_an_open_service(site: Site):
    site.change("services", "services.plex.access", "open")
    text = rendered(site, "vps1")["caddy"].text
    plex, radarr = (
        text.partition(f"http://{name}.home.example:8081 {{")[2].partition("\n}\n")[0]
        for name in ("plex", "radarr")
    )
    assert "request_header -Cf-Access-*" in plex and "Cf-Access" not in radarr


def test_the_page_is_served_by_the_control_node_and_to_the_tailnet_alone(site: Site):
    site.change("defaults", "data.page", {"directory": "/srv/page"})
    control, other = (rendered(site, host) for host in ("vps2", "vps1"))
    _, _, block = control["caddy"].text.partition("https://status.home.example {\n")
    assert "\troot * /srv/page\n" in block and "bind" not in block.partition("\n}\n")[0]
    assert "/srv/page" not in other["caddy"].text
    assert "status.home.example" not in control["cloudflared"].text
    for files in (control, other):
        records = [line for line in files["resolver"].text.splitlines() if '"status.' in line]
        assert records == ['\tlocal-data: "status.home.example. 60 IN A 100.102.55.88"']


def test_a_site_without_a_page_has_no_name_for_it(site: Site):
    site.change("defaults", "data.page", None)
    for file in rendered(site, "vps2").values():
        assert "status.home.example" not in file.text


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        ({"mode": "internal"}, "\ttls internal\n"),
        (
            {"mode": "files", "certificate": "/etc/ssl/a.pem", "key": "/etc/ssl/a.key"},
            "\ttls /etc/ssl/a.pem /etc/ssl/a.key\n",
        ),
        (
            {"mode": "acme-dns", "provider": "cloudflare", "token_env": "CF_TOKEN"},
            "\ttls {\n\t\tdns cloudflare {env.CF_TOKEN}\n\t}\n",
        ),
    ],
)
def test_tls_is_one_setting(site: Site, tls: dict[str, str], words: str):
    site.change("defaults", "data.tls", tls)
    assert words in rendered(site, "vps1")["caddy"].text


def test_every_public_hostname_leads_to_the_local_caddy_and_the_rest_to_404(site: Site):
    rules = yaml.safe_load(rendered(site, "vps1")["cloudflared"].text)["ingress"]
    assert [rule["service"] for rule in rules[:-1]] == [f"http://{CADDY}:8081"] * 8
    assert rules[-1] == {"service": "http_status:404"}
    names = [rule["hostname"] for rule in rules[:-1]]
    assert "plex.home.example" in names and "dns.home.example" not in names


def test_both_replicas_route_alike(site: Site):
    assert rendered(site, "vps1")["cloudflared"].text == rendered(site, "vps2")["cloudflared"].text


def test_a_service_with_an_audience_demands_access_at_its_own_rule(site: Site):
    site.change("services", "services.plex.audience", "0123456789abcdef" * 4)
    config = yaml.safe_load(rendered(site, "vps1")["cloudflared"].text)
    rule = next(r for r in config["ingress"] if r.get("hostname") == "plex.home.example")
    access = rule["originRequest"]["access"]
    assert access == {"required": True, "teamName": "example", "audTag": ["0123456789abcdef" * 4]}


def test_both_resolvers_know_every_name(site: Site):
    catalogue = load_catalogue(site.config)
    for host in ("vps1", "vps2"):
        text = rendered(site, host)["resolver"].text
        for name, addresses in catalogue.records.items():
            for address in addresses:
                assert f'local-data: "{name}. 60 IN A {address}"' in text


def test_the_resolver_asks_whom_the_site_names_as_the_site_says(site: Site):
    site.change("defaults", "data.resolver.forward", ["127.0.0.1@5335"])
    text = rendered(site, "vps1")["resolver"].text
    assert "\tdo-not-query-localhost: no\n" in text
    assert '\tname: "."\n\tforward-addr: 127.0.0.1@5335\n' in text
    site.change("defaults", "data.resolver.forward", ["1.1.1.1#one.example", "2606::1#one.example"])
    site.change("defaults", "data.resolver.stub_zones", {"lan": ["192.168.1.1"]})
    file = rendered(site, "vps1")["resolver"]
    assert "\tforward-tls-upstream: yes\n\tforward-addr: 1.1.1.1@853#one.example\n" in file.text
    assert "\tforward-addr: 2606::1@853#one.example\n" in file.text
    assert 'stub-zone:\n\tname: "lan"\n\tstub-addr: 192.168.1.1\n' in file.text
    assert "do-not-query-localhost" not in file.text
    assert "install ca-certificates" in file.validate


def test_an_alias_is_answered_with_the_addresses_of_what_it_leads_to(site: Site):
    records = {"nas": "192.168.1.5", "files": {"cname": "nas"}, "all": {"cname": "files"}}
    site.change("defaults", "data.resolver.records", {**records, "tv": {"cname": "plex"}})
    text = rendered(site, "vps1")["resolver"].text
    for name in ("nas", "files", "all"):
        assert f'local-data: "{name}.home.example. 60 IN A 192.168.1.5"' in text
    plex = load_catalogue(site.config).records["plex.home.example"]
    assert all(f'local-data: "tv.home.example. 60 IN A {address}"' in text for address in plex)
    assert "CNAME" not in text


def test_one_host_runs_a_sync_and_the_other_asks_it_to(site: Site):
    ours, theirs = (rendered(site, host)["sync-table"].text for host in ("vps1", "vps2"))
    for text, peer in ((ours, "100.102.55.88"), (theirs, "100.67.88.109")):
        assert "directory=/var/lib/antigravity\n" in text and "runner=vps1\n" in text
        assert f"address={peer}\n" in text


def test_lsyncd_and_unison_leave_out_the_same(site: Site):
    files = rendered(site, "vps1")
    for pattern, unisons in (("*.db", "Name {,.}*.db"), ("logs/", "Name logs")):
        assert f'"{pattern}",\n' in files["lsyncd"].text
        assert f"{unisons}\n" in files["sync-table"].text


def test_what_follows_a_change_is_done_in_the_words_of_the_services_manager(site: Site):
    table = rendered(site, "vps1")["sync-table"].text
    assert "docker restart antigravity-manager" in table
    site.change("services", "syncs.antigravity.after", "reload")
    table = rendered(site, "vps1")["sync-table"].text
    assert "docker exec antigravity-manager sh -c" in table
    assert "docker kill" not in table, "it takes the restart policy away"
    assert "after='systemctl try-reload-or-restart unbound'" in table
    site.change("services", "syncs.resolver.after", "/usr/local/bin/mine 'x y'")
    table = rendered(site, "vps1")["sync-table"].text
    assert last_after(table) == "/usr/local/bin/mine 'x y'"


def test_an_mcp_argument_and_an_address_may_be_a_secret(site: Site, tmp_path: Path):
    (tmp_path / "token").write_text("argument-secret\n", encoding="utf-8")
    (tmp_path / "url").write_text("https://mcp.example/sse?key=1\n", encoding="utf-8")
    token = {"text": "--token=", "secret": f"file:{tmp_path}/token"}
    site.change("mcp", "servers.filesystem.args", ["-y", token])
    site.change("mcp", "servers.remote", {"url": f"file:{tmp_path}/url"})
    file = rendered(site, "vps1")["mcp"]
    servers = json.loads(file.text)["mcpServers"]
    assert servers["filesystem"]["args"] == ["-y", "--token=argument-secret"]
    assert servers["remote"] == {"url": "https://mcp.example/sse?key=1"}
    assert file.secret


def last_after(table: str) -> str:
    """What a shell makes of the last `after=` in the table."""
    line = [line for line in table.splitlines() if line.strip().startswith("after=")][-1]
    return "".join(shlex.split(line.strip().removeprefix("after=")))


def test_mcp_holds_the_secret_and_is_for_root_alone(site: Site):
    file = rendered(site, "unraid")["mcp"]
    servers = json.loads(file.text)["mcpServers"]
    env = servers["github"]["env"]
    assert env == {"GITHUB_PERSONAL_ACCESS_TOKEN": "mcp-secret-value"}
    assert (file.secret, file.mode, file.owner) == (True, 0o600, "root:root")
    assert "mcp-secret-value" not in repr(file)


def test_a_remote_mcp_server_stands_under_the_key_that_the_client_wants(site: Site):
    site.change("mcp", "servers", {"docs": {"url": "https://docs.example/mcp"}})
    site.change("mcp", "remote_key", "serverUrl")
    servers = json.loads(rendered(site, "unraid")["mcp"].text)["mcpServers"]
    assert servers == {"docs": {"serverUrl": "https://docs.example/mcp"}}


FIELD = {  # what three public files of such servers hold between them
    "search": {
        "type": "http",
        "url": "https://mcp.elsewhere.example/mcp",
        "headers": {"Authorization": {"text": "Bearer ", "secret": "env:MCP_TOKEN"}},
    },
    "brave_search": {
        "command": "npx",
        "args": ["-y", "some-server", "--port", 8080],
        "env": {"LOG_LEVEL": "INFO", "API_KEY": "env:MCP_TOKEN"},
    },
    "GitHub": {
        "type": "stdio",
        "command": "github-mcp",
        "cwd": "/srv/mcp",
        "timeout": 60,
        "auto_approve": ["list"],
        "hosts": ["vps1", "unraid"],
        "clients": ["other"],
    },
}


def test_mcp_servers_as_people_have_them(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MCP_TOKEN", "mcp-token-value")
    site.change("mcp", "servers", FIELD)
    site.change(
        "mcp",
        "clients",
        {
            "code": {"format": "vscode", "path": "/srv/code/mcp.json", "hosts": ["vps1"]},
            "cline": {"format": "cline", "path": "/srv/cline.json", "hosts": ["vps1"]},
            "other": {"path": "/srv/other.json"},
        },
    )
    files = rendered(site, "vps1")
    search = {"url": FIELD["search"]["url"], "headers": {"Authorization": "Bearer mcp-token-value"}}
    brave = {
        "command": "npx",
        "args": ["-y", "some-server", "--port", "8080"],
        "env": {"LOG_LEVEL": "INFO", "API_KEY": "mcp-token-value"},
    }
    code = json.loads(files["mcp-code"].text)["servers"]
    assert code == {
        "search": {"type": "http", **search},
        "brave_search": {"type": "stdio", **brave},
    }
    cline = json.loads(files["mcp-cline"].text)["mcpServers"]
    assert cline["search"]["type"] == "streamableHttp"
    other = json.loads(files["mcp-other"].text)["mcpServers"]
    assert other["GitHub"] == {
        "type": "stdio",
        "command": "github-mcp",
        "args": [],
        "env": {},
        "cwd": "/srv/mcp",
        "timeout": 60,
        "autoApprove": ["list"],
    }
    assert json.loads(files["mcp"].text)["mcpServers"] == {
        "search": {"type": "http", **search},
        "brave_search": brave,
    }
    assert "GitHub" not in rendered(site, "vps2")["mcp-other"].text
    assert "mcp-code" not in rendered(site, "vps2")
    assert all(files[name].mode == 0o600 and files[name].secret for name in files if "mcp" in name)


def test_a_service_in_one_place_is_never_taken_out_by_its_own_failures(site: Site):
    text = rendered(site, "vps1")["caddy"].text
    plex = text.split("(service_plex)")[1].split("(service_")[0]
    assert "fail_duration" not in plex and "health_uri" not in plex and "failover" not in plex


FREE_TEXT = [
    ("mcp", "servers.filesystem.command"),
    ("services", "services.plex.title"),
    ("services", "services.plex.health.body"),
]


@pytest.mark.parametrize(("file", "key"), FREE_TEXT)
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(hostile=HOSTILE)
def test_hostile_free_text_is_refused_or_stays_one_value(
    site: Site, file: str, key: str, hostile: str
):
    site.change(file, key, f"x{hostile}")
    try:
        files = rendered(site, "vps1")
    except InventoryError:
        return
    if file == "mcp":
        servers = json.loads(files["mcp"].text)["mcpServers"]
        assert servers["filesystem"]["command"] == f"x{hostile}"
    assert files["caddy"].text == rendered(Site(fresh(site)), "vps1")["caddy"].text


def fresh(site: Site) -> Any:
    folder = site.folder / "fresh"
    folder.mkdir(exist_ok=True)
    return folder


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(patterns=st.lists(HOSTILE, max_size=3))
def test_hostile_exclude_patterns_are_refused_or_stay_values(site: Site, patterns: list[str]):
    site.change("services", "syncs.antigravity.exclude", patterns)
    try:
        text = rendered(site, "vps1")["lsyncd"].text
    except InventoryError:
        return
    for pattern in patterns:
        assert f"\t\t{lua_string(pattern)},\n" in text
