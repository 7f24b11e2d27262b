"""A stand-in: which key it gets, what hosts show it, and that the key may do nothing else."""

import base64
import re
from collections.abc import Callable

import pytest

from inventory.load import load_catalogue
from runbooks.cli import open_session
from runbooks.flags import parser
from tasks.live import HostKeys
from tasks.look.keys import LOOK
from tasks.ssh.options import only_look, reach_of
from tests.runbook import Runbook
from tests.site import Site
from tests.unit.fakehosts import SHELLS, FakeHost, FakeHosts
from tests.unit.test_configs import rendered

HOSTS = ("vps1", "vps2", "unraid")
KEY = "/etc/twinedge/look/key"
OPERATOR = "ssh-ed25519 AAAAoperator ann@laptop\n"
LINE = re.compile(
    r'restrict,from="100\.67\.88\.109",command="(/\S+/look)" ssh-ed25519 \S+ twinedge-look:vps1'
)


@pytest.fixture
def edges(site: Site, hosts: FakeHosts) -> FakeHosts:
    """Two edges with systemd, of which vps1 stands in for vps2; nothing is deployed yet."""
    site.change("defaults", "data.schedule", {"hosts": ["vps2", "vps1"]})
    for name in ("vps1", "vps2"):
        site.change("hosts", f"{name}.data.manager", "docker")
        for tool in ("systemctl", "systemd-run", "systemd-analyze"):
            hosts[name].stub(tool, "")
        hosts[name].path("/etc/systemd/system").mkdir(parents=True)
    for name in HOSTS:
        public = hosts[name].path("/etc/ssh/ssh_host_ed25519_key.pub")
        public.parent.mkdir()
        public.write_text(f"ssh-ed25519 AAAA{name} root@{name}\n")
        hosts[name].path("/root/.ssh").mkdir()
        hosts[name].path("/root/.ssh/authorized_keys").write_text(OPERATOR)
    return hosts


def let_in(hosts: FakeHosts, name: str) -> str:
    return hosts[name].path("/root/.ssh/authorized_keys").read_text()


def look_of(site: Site, name: str) -> str:
    return load_catalogue(site.config).hosts[name].look


def test_every_host_lets_a_stand_in_look_and_the_key_never_leaves_it(
    site: Site, edges: FakeHosts, deploy: Runbook
):
    looked = deploy()
    assert "would get a key that may only look, and let vps1 look" in looked.out
    assert not edges["vps1"].path(KEY).exists()
    assert deploy("--apply").status == 0
    assert edges["vps1"].path(KEY).stat().st_mode & 0o777 == 0o600
    for name in HOSTS:
        operators, ours = let_in(edges, name).splitlines()
        assert operators == OPERATOR.strip()
        found = LINE.fullmatch(ours)
        assert found and edges[name].path(found[1]).exists()
        assert edges[name].path(KEY).exists() == (name == "vps1")
    assert edges["vps1"].path("/etc/twinedge/look/known_hosts").read_text() == (
        "100.67.88.109 ssh-ed25519 AAAAvps1\n"
        "100.102.55.88 ssh-ed25519 AAAAvps2\n"
        "100.76.168.116 ssh-ed25519 AAAAunraid\n"
    )
    assert "nothing to do" in deploy("--apply").out


def test_where_sudo_is_used_the_look_is_what_it_runs(site: Site):
    site.change("defaults", "data.schedule", {"hosts": ["vps2", "vps1"]})
    site.change("defaults", "data.sudo", True)
    catalogue = load_catalogue(site.config)
    found = {name: HostKeys(public="ssh-ed25519 AAAA") for name in HOSTS}
    (line,) = LOOK.wanted(catalogue, catalogue.hosts["vps2"], found).authorized
    assert 'command="sudo -n /usr/local/lib/twinedge/look"' in line


def test_a_stand_in_that_leaves_is_let_in_nowhere_and_its_key_is_gone(
    site: Site, edges: FakeHosts, deploy: Runbook
):
    assert deploy("--apply").status == 0
    looks = {name: look_of(site, name) for name in HOSTS}
    site.change("defaults", "data.schedule.hosts", ["vps2"])
    assert "would let nobody look" in deploy().out
    assert deploy("--apply").status == 0
    for name in HOSTS:
        assert let_in(edges, name) == OPERATOR
        assert not edges[name].path(looks[name]).exists()
    assert not edges["vps1"].path(KEY).parent.exists()
    assert "nothing to do" in deploy("--apply").out


def test_a_deploy_that_is_given_up_takes_no_key_away(site: Site, edges: FakeHosts, deploy: Runbook):
    assert deploy("--apply").status == 0
    site.change("defaults", "data.schedule.hosts", ["vps2"])
    edges["vps1"].stub("systemctl", "exit 1")
    assert deploy("--apply").status == 1
    assert edges["vps1"].path(KEY).exists()
    for name in HOSTS:
        assert LINE.search(let_in(edges, name))
        assert edges[name].path(look_of(site, name)).exists()


def test_a_rollback_to_a_release_without_a_stand_in_lets_nobody_look_and_takes_the_key_away(
    site: Site, edges: FakeHosts, deploy: Runbook, in_process: Callable[[str], Runbook]
):
    rollback = in_process("rollback")
    site.change("defaults", "data.schedule.hosts", ["vps2"])
    assert deploy("--apply").status == 0
    site.change("defaults", "data.schedule.hosts", ["vps2", "vps1"])
    assert deploy("--apply").status == 0
    assert rollback("--to", "previous").out.count("would let no stand-in look any more") == 3
    assert LINE.search(let_in(edges, "vps2"))
    done = rollback("--to", "previous", "--apply")
    assert done.status == 0, done.out + done.err
    for name in HOSTS:
        assert let_in(edges, name) == OPERATOR
    assert not edges["vps1"].path(KEY).parent.exists()
    assert deploy("--apply").status == 0
    assert all(LINE.search(let_in(edges, name)) for name in HOSTS)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_look_takes_no_word_of_whoever_calls_it_and_shows_no_secret(
    site: Site, host: FakeHost, shell: str
):
    site.change("defaults", "data.schedule", {"hosts": ["vps2", "vps1"]})
    for config in rendered(site, "vps1").values():
        host.path(config.path).parent.mkdir(parents=True, exist_ok=True)
        host.path(config.path).write_text(config.text or "")
    host.is_at("100.67.88.109")
    host.use_shell(shell)
    before = sorted(host.root.files())
    words = ["sh", look_of(site, "vps1"), "touch /pwned", "; touch /pwned"]
    done = host.root.run(words, b"touch /pwned\n")
    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode()
    assert shown.startswith("twinedge-begins\nlook ") and "\n@ 0 look\n" in shown
    secret = "tunnel-secret-value"
    assert secret in (rendered(site, "vps1")["cloudflared-credentials"].text or "")
    decoded = "".join(map(decode, re.findall(r"\S{40,}", shown)))
    assert "reverse_proxy" in decoded, "what is no secret is shown"
    assert "-secret-value" not in f"{shown}{done.stderr.decode()}{decoded}"
    assert sorted(path for path in host.root.files() if path.name != "calls") == before


def decode(word: str) -> str:
    """base64, if it is any."""
    try:
        return base64.b64decode(word).decode(errors="replace")
    except ValueError:
        return ""


def test_a_stand_in_sees_what_a_look_shows_and_tells_what_it_cannot_see(
    site: Site,
    edges: FakeHosts,
    deploy: Runbook,
    in_process: Callable[[str], Runbook],
):
    assert deploy("--apply").status == 0
    for name in HOSTS:
        edges[name].shows = look_of(site, name)
    verify = in_process("verify")
    seen = verify("--look", "--only", "config", "--quiet")
    assert seen.status == 0, seen.out + seen.err
    edges["vps2"].path("/etc/caddy/Caddyfile").write_text("by hand\n")
    edges["unraid"].shows = "/nowhere/look"
    seen = verify("--look", "--only", "config", "--quiet")
    assert seen.status == 1 and "/etc/caddy/Caddyfile" in seen.out
    assert "unraid" in seen.out and "shows a stand-in nothing" in seen.out
    edges["unraid"].shows = look_of(site, "unraid")
    site.change("services", "services.plex.health.path", "/other")
    seen = verify("--look", "--only", "config", "--quiet")
    assert "the look on vps1 is of another inventory or version" in seen.out


def test_a_stand_in_logs_in_with_its_own_key_and_known_hosts_and_no_other(site: Site):
    extras = {"use_keys": True, "allow_agent": True, "key_file": "~/.ssh/operator"}
    site.change("hosts", "unraid.connection_options.netmiko", {"extras": extras, "password": "x"})
    site.change("hosts", "unraid.data", {"ssh": {"jump": "vps2", "config": "~/.ssh/config"}})
    session = open_session(parser("").parse_args(["--config", str(site.config)]))
    only_look(session.nornir.inventory)
    host = session.nornir.inventory.hosts["unraid"]
    (stop,) = reach_of(host).way
    assert (stop.address, stop.config, stop.login.key_file) == ("100.76.168.116", None, KEY)
    assert not stop.login.use_keys and not stop.login.allow_agent
    assert stop.login.alt_host_keys and not stop.login.system_host_keys
    assert host.get_connection_parameters("netmiko").password is None


def test_nobody_is_shown_anything_where_nobody_stands_in(site: Site):
    assert "look" not in rendered(site, "vps1")
    site.change("defaults", "data.schedule", {"hosts": ["vps2"]})
    assert "look" not in rendered(site, "vps1")


def test_the_look_lies_where_it_lasts(site: Site):
    assert look_of(site, "unraid") == "/mnt/user/appdata/twinedge/look"
    assert look_of(site, "vps1") == "/usr/local/lib/twinedge/look"
    site.change("hosts", "vps1.data.paths", {"look": "/opt/look"})
    assert look_of(site, "vps1") == "/opt/look"
