"""What a deploy would meet: found all at once, each with the way out, and nothing is written."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from inventory.catalogue import Catalogue
from inventory.load import load_catalogue
from inventory.source import Source
from tasks.checks.finding import Finding, Status
from tasks.configs.file import ConfigFile
from tasks.doctor import ground, own_lines
from tasks.doctor.ground import Ground, Held
from tasks.doctor.host import judge
from tasks.doctor.own_lines import Adapted
from tasks.live import HostState
from tasks.plan import make_plan
from tests.runbook import Runbook
from tests.site import ROOT, Site
from tests.unit.fakehosts import SHELLS, FakeHost, FakeHosts

SS = r"""
cat <<'END'
tcp LISTEN 0 511 0.0.0.0:443 0.0.0.0:* users:(("nginx: master",pid=999999,fd=6),("ng",pid=1,fd=6))
udp UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:*
END
"""
SYSTEMCTL = """
printf 'Id=caddy.service\\nLoadState=loaded\\nActiveState=active\\n\\n'
printf 'Id=unbound.service\\nLoadState=not-found\\nActiveState=inactive\\n'
"""
# Knows "all well" alone.
ADAPTS = """
read -r line
case $line in
all*) printf '{"a": ["%s"]}' "$line" ;;
*) echo noise >&2; echo '{"msg": "line 1: no"}' >&2; exit 1 ;;
esac
"""


@pytest.fixture
def doctor(
    hosts: FakeHosts, source: Callable[[Source], None], in_process: Callable[[str], Runbook]
) -> Runbook:
    return in_process("doctor")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_host_tells_what_it_has_beside_our_files(host: FakeHost, site: Site, shell: str):
    host.use_shell(shell)
    host.stub("ss", SS)
    host.stub("systemctl", SYSTEMCTL)
    host.stub("nft", 'echo \'{"nftables": ["a  b", "\' && head -c 3000 /dev/zero | tr "\\0" x\n')
    host.stub("iptables", "echo '-P INPUT DROP'\necho '-A INPUT -i lo -j ACCEPT'\n")
    host.stub("timedatectl", "echo no\n")
    catalogue = load_catalogue(site.config)
    script = ground.look_script(catalogue.hosts["vps1"], catalogue, clock=True)
    told = ground.parse(host.run(f"{script}wait\n".encode()).stdout.decode())
    assert told.held == (
        Held(how="tcp", address="0.0.0.0", port=443, name="nginx: master", owner="pid 999999"),
        Held(how="udp", address="127.0.0.53", port=53, name="something", owner=""),
    )
    assert told.units == {"caddy": ("loaded", "active"), "unbound": ("not-found", "inactive")}
    assert told.nft == '{"nftables": ["a  b", "' + "x" * 3000
    assert told.iptables == ("-P INPUT DROP", "-A INPUT -i lo -j ACCEPT")
    assert told.synchronised is False


def found(catalogue: Catalogue, ground: Ground, host: str = "vps1") -> list[Finding]:
    """What is wrong on a host that is as wanted but for its ground."""
    state = HostState(now=datetime.now(UTC), files={}, ground=ground)
    source = Source(root=ROOT, commit="a" * 40, dirty=False, pushed=True)
    plan = make_plan(host, source, (), state)
    return [f for f in judge(plan, catalogue.hosts[host], catalogue) if f.status > Status.OK]


def held(at: str, name: str, owner: str, how: str = "tcp") -> Ground:
    address, _, port = at.rpartition(":")
    one = Held(how=how, address=address, port=int(port), name=name, owner=owner)
    return Ground(held=(one,))


OWN = "100.67.88.109"


@pytest.mark.parametrize(
    ("ground", "words"),
    [
        (held("0.0.0.0:443", "nginx", "nginx.service"), "held by nginx (nginx.service)"),
        (held("*:443", "caddy", "caddy-api.service"), "held by caddy (caddy-api.service)"),
        (held(f"{OWN}:443", "python3", "pid 12"), "held by python3 (pid 12)"),
        (held("0.0.0.0:443", "docker", "container npm"), "docker (container npm)"),
        (held("0.0.0.0:53", "dnsmasq", "dnsmasq.service", "udp"), "port 53, which unbound needs"),
        (held("127.0.0.1:20241", "x", "x.service"), "port 20241, which cloudflared needs"),
        (held("127.0.0.1:443", "nginx", "nginx.service"), ""),
        (held("203.0.113.1:443", "nginx", "nginx.service"), ""),
        (held("[::]:443", "caddy", "caddy.service"), ""),
        (held("0.0.0.0:443", "caddy", "pid 7"), ""),
        (held("0.0.0.0:443", "something", ""), ""),
        (held("127.0.0.53:53", "systemd-resolve", "systemd-resolved.service", "udp"), ""),
        (held("0.0.0.0:443", "quic", "quic.service", "udp"), ""),
    ],
)
def test_a_port_that_another_has_is_named_with_its_holder(site: Site, ground: Ground, words: str):
    faults = [f for f in found(load_catalogue(site.config), ground) if f.check == "ports"]
    assert len(faults) == bool(words)
    if words:
        assert words in faults[0].seen and faults[0].status is Status.FAILED
        assert faults[0].todo


def test_port_80_is_needed_where_caddy_redirects_alone(site: Site):
    theirs = held("0.0.0.0:80", "nginx", "nginx.service")
    assert not [f for f in found(load_catalogue(site.config), theirs) if f.check == "ports"]
    site.change("services", "services.organizr.port", 8082)
    faults = [f for f in found(load_catalogue(site.config), theirs) if f.check == "ports"]
    assert "`redirect: false` under data of this host" in faults[0].todo


@pytest.mark.parametrize(
    ("unit", "loaded", "words"),
    [
        ("caddy", "not-found", "there is no unit caddy (not-found)"),
        ("cloudflared", "masked", "the unit cloudflared is masked"),
        ("unbound", "loaded", ""),
    ],
)
def test_a_unit_that_is_missing_is_told(site: Site, unit: str, loaded: str, words: str):
    ground = Ground(units={unit: (loaded, "inactive")})
    faults = [f.seen for f in found(load_catalogue(site.config), ground) if f.check == "units"]
    assert faults == ([words] if words else [])


def test_a_closed_door_and_a_clock_on_its_own_are_warnings_with_the_way_out(site: Site):
    ground = Ground(
        iptables=("-P INPUT DROP", "-A ufw-user-input -i lo -j ACCEPT"), synchronised=False
    )
    told = {f.check: f for f in found(load_catalogue(site.config), ground)}
    assert told["firewall"].todo == "ufw allow in on tailscale0"
    assert "timedatectl set-ntp true" in told["clock"].todo
    assert {told["firewall"].status, told["clock"].status} == {Status.WARN}


def test_everything_is_found_at_once_and_nothing_is_written(
    doctor: Runbook, hosts: FakeHosts, site: Site
):
    site.change("defaults", "data.tunnel.credentials", "file:/nowhere/tunnel.json")
    site.change("defaults", "data.access.service_token", "file:~nobody-9/x")
    site.change("mcp", "servers.github.env.GITHUB_PERSONAL_ACCESS_TOKEN", "file:/nowhere/mcp")
    hosts["vps1"].stub("caddy", "echo 2.6.2\n")
    hosts["vps1"].remove_tool("cloudflared")
    hosts["vps2"].is_at("100.64.0.99")
    theirs = hosts["vps1"].path("/etc/caddy/Caddyfile")
    theirs.parent.mkdir()
    theirs.write_text(":80\n")
    done = doctor()
    assert (done.status, done.err) == (1, "")
    said = " ".join(done.out.split())
    for words in (
        "data.tunnel.credentials: file:/nowhere/tunnel.json: No such file",
        "data.access.service_token: file:~nobody-9/x: nobody here has that home",
        "servers.github.env.GITHUB_PERSONAL_ACCESS_TOKEN: file:/nowhere/mcp: No such file",
        "data.domain is still the example's home.example",
        "data.tunnel.id is still the example's",
        "data.access.team is still the example's example",
        "caddy 2.6.2 on vps1 is too old → 2.11.4 is needed",
        "cloudflared is not installed",
        "and 100.102.55.88 is not among them",
        "/etc/caddy/Caddyfile: not twinedge's, and a deploy replaces it",
    ):
        assert words in said
    assert theirs.read_text() == ":80\n"
    assert not any(hosts[name].state.exists() for name in ("vps1", "vps2", "unraid"))


def test_credentials_of_another_tunnel_are_told_with_the_id_to_write(doctor: Runbook, site: Site):
    other = "6ff42ae2-765d-4adf-8112-31c55c1551ef"
    told = {"TunnelID": other, "TunnelSecret": "tunnel-secret-value"}
    (site.folder / "tunnel.json").write_text(json.dumps(told))
    done = doctor("--host", "unraid", "--json")
    one = next(f for f in json.loads(done.out)["findings"] if f["check"] == "tunnel")
    assert (one["status"], done.status) == ("failed", 1)
    assert "is still the example's" in one["seen"] and f"write {other} there" in one["todo"]
    assert "tunnel-secret-value" not in done.out


def test_a_deploy_refuses_credentials_of_another_tunnel(deploy: Runbook, site: Site):
    other = "6ff42ae2-765d-4adf-8112-31c55c1551ef"
    told = {"TunnelID": other, "TunnelSecret": "tunnel-secret-value"}
    (site.folder / "tunnel.json").write_text(json.dumps(told))
    done = deploy("--apply")
    assert done.status == 2 and f"write {other} there" in " ".join(done.err.split())
    assert "tunnel-secret-value" not in done.out + done.err


def test_a_key_that_is_not_there_is_told(doctor: Runbook, site: Site):
    site.change("defaults", "connection_options.netmiko.extras.key_file", "/nowhere/key")
    site.change("defaults", "connection_options.netmiko.extras.use_keys", False)
    done = doctor("--host", "unraid")
    assert "no key to log in with to vps1, vps2, unraid as root: key_file /nowhere/key" in (
        " ".join(done.out.split())
    )


def test_a_deploy_names_every_secret_that_it_lacks_with_its_key(
    deploy: Runbook, hosts: FakeHosts, site: Site
):
    site.change("defaults", "data.tunnel.credentials", "file:/nowhere/tunnel.json")
    site.change("mcp", "servers.github.env.GITHUB_PERSONAL_ACCESS_TOKEN", "env:NO_SUCH_TOKEN")
    login = {"users": {"ann": "file:/nowhere/ann.bcrypt"}, "open_paths": ["/ping"]}
    site.change("services", "services.radarr.front", {"basic_auth": login})
    done = deploy("--apply")
    assert done.status == 2
    assert "services.radarr.front.basic_auth.users.ann: file:/nowhere/ann.bcrypt" in done.err
    assert "data.tunnel.credentials: file:/nowhere/tunnel.json: No such file" in done.err
    assert "servers.github.env.GITHUB_PERSONAL_ACCESS_TOKEN: env:NO_SUCH_TOKEN" in done.err
    assert not hosts["unraid"].mcp.exists()


def test_a_deploy_refuses_all_that_would_certainly_fail_in_one_go(
    deploy: Runbook, hosts: FakeHosts
):
    hosts["vps1"].stub("caddy", "echo 2.6.2\n")
    hosts["vps2"].path("/etc/caddy").mkdir()
    hosts["vps2"].path("/etc/caddy/Caddyfile").symlink_to("/etc/passwd")
    done = deploy("--apply")
    assert done.status == 1
    assert "vps1: caddy 2.6.2 on vps1 is too old: 2.11.4 is needed" in done.err
    assert "vps2: /etc/caddy/Caddyfile is not a plain file: twinedge replaces no link" in done.err


def test_a_deploy_that_has_nothing_to_do_refuses_nothing(deploy: Runbook, hosts: FakeHosts):
    deploy("--apply")
    hosts["vps1"].stub("caddy", "echo 2.6.2\n")
    done = deploy("--apply")
    assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize(
    ("file", "key", "words"),
    [
        ("defaults", "connection_options.netmiko.sudo", "`sudo` stands below `data`"),
        ("groups", "edge.connection_options.netmiko.user", "the SSH user is `username`"),
        ("hosts", "vps1.sudo", "`sudo` stands below `data`"),
        ("hosts", "vps1.data.user", "the SSH user is `username`"),
        ("config", "sudo", "sudo: means nothing here; `sudo` stands below `data`"),
        ("config", "user_defined.user", "user_defined.user: means nothing here"),
    ],
)
def test_a_key_at_the_wrong_level_is_refused_with_the_right_one(
    doctor: Runbook, site: Site, file: str, key: str, words: str
):
    site.change(file, key, True)
    done = doctor()
    assert done.status == 2
    assert words in done.err


@pytest.mark.parametrize("shell", SHELLS)
def test_a_hosts_caddy_says_what_it_makes_of_own_lines(host: FakeHost, shell: str):
    host.use_shell(shell)
    host.stub("caddy", ADAPTS)
    file = ConfigFile(name="caddy", path="/c", text="all well\n" * 999, bare="not so\n")
    script = own_lines.look_script([file, replace(file, bare=None)])
    told = own_lines.parse(host.run(script.encode()).stdout.decode())
    assert told == {"with": Adapted(config={"a": ["all well"]}), "bare": Adapted(why="line 1: no")}


def test_a_deploy_shows_own_lines_and_refuses_those_that_caddy_refuses(
    deploy: Runbook, hosts: FakeHosts, site: Site
):
    lines = "@old path /old/*\nredir @old /new"
    site.change("services", "services.organizr.front", {"caddy": lines})
    for name in ("vps1", "vps2"):
        hosts[name].stub("caddy", "case $1 in adapt) echo 'no redir' >&2; exit 1 ;; esac\n")
    refused = deploy("--apply", "--diff")
    assert refused.status == 1 and "vps1: caddy: Caddy refuses own lines: no redir" in refused.err
    assert "redir @old /new" in refused.out
    assert "nothing was changed on any host" in refused.err
    assert not hosts["vps1"].path("/etc/caddy/Caddyfile").exists()
