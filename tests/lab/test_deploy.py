"""A first deploy, seen from the hosts and from a client on the tailnet."""

import json
from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab.conftest import DEPLOY, get, runbook, shell, through_caddy
from tests.lab.sites import site_files, write

NAMES = ("organizr", "uptime", "antigravity", "plex", "radarr", "sonarr", "tautulli", "sabnzbd")
MANAGED = {
    "/etc/caddy/Caddyfile": "644",
    "/etc/cloudflared/config.yml": "644",
    "/etc/cloudflared/00000000-0000-4000-8000-000000000000.json": "600",
    "/etc/lsyncd/lsyncd.conf.lua": "644",
    "/etc/systemd/system/lsyncd.service": "644",
    "/etc/unbound/unbound.conf.d/twinedge.conf": "644",
    "/etc/mcp/mcp.json": "600",
}


@pytest.mark.parametrize("edge", ["vps1", "vps2"])
@pytest.mark.parametrize("name", NAMES)
def test_every_service_answers_through_both_caddys(lab: Lab, edge: str, name: str):
    answer = through_caddy(lab, edge, f"{name}.edge.test")
    assert answer.status == 200
    assert "x-origin" in answer.headers


@pytest.mark.parametrize("edge", ["vps1", "vps2"])
def test_both_caddys_ask_the_primary_first(lab: Lab, edge: str):
    organizr = through_caddy(lab, edge, "organizr.edge.test")
    uptime = through_caddy(lab, edge, "uptime.edge.test")
    assert organizr.headers["x-served-by"] == "100.102.55.88:80"
    assert uptime.headers["x-served-by"] == "100.67.88.109:3001"


def test_a_dead_primary_is_answered_for_by_the_fallback(lab: Lab):
    lab.fault("stop", "organizr@vps2")
    for edge in ("vps1", "vps2"):
        answer = through_caddy(lab, edge, "organizr.edge.test")
        assert answer.status == 200
        assert "Organizr on vps1" in answer.body


def test_strangers_are_not_told_who_answered_and_are_denied(lab: Lab):
    token = json.loads(shell(lab, "vps2", "cat /etc/twinedge/access-token.json"))
    url = "https://organizr.edge.test/"
    there = ("--resolve", "organizr.edge.test:443:203.0.113.100")
    stranger = get(lab, "client", url, *there)
    assert stranger.status == 302
    known = get(
        lab, "client", url, *there,
        "-H", f"CF-Access-Client-Id: {token['client_id']}",
        "-H", f"CF-Access-Client-Secret: {token['client_secret']}",
    )  # fmt: skip
    assert known.status == 200
    assert "Organizr on" in known.body
    assert "x-served-by" not in known.headers


@pytest.mark.parametrize("port", [80, 443, 2019, 8081])
def test_the_public_interface_offers_nothing_of_caddy(lab: Lab, port: int):
    for address in ("203.0.113.11", "203.0.113.12"):
        answer = get(lab, "client", f"http://{address}:{port}/")
        assert answer.status == 0


@pytest.mark.parametrize("protocol", ["+notcp", "+tcp"])
def test_every_resolver_answers_the_catalogue_and_forwards_the_rest(lab: Lab, protocol: str):
    for resolver in ("100.67.88.109", "100.102.55.88"):
        ask = f"dig +short {protocol} @{resolver}"
        assert shell(lab, "client", f"{ask} plex.edge.test").split() == [
            "100.67.88.109",
            "100.102.55.88",
        ]
        assert shell(lab, "client", f"{ask} dns.edge.test").split() != []
        assert shell(lab, "client", f"{ask} www.example.com").strip() == "203.0.113.80"


def test_a_plan_names_what_another_file_takes_from_our_resolver(lab: Lab):
    beside = "/etc/unbound/unbound.conf.d/aaa.conf"
    shell(lab, "vps1", f"echo 'server: port: 5353' > {beside}")
    shell(lab, "vps2", f"echo 'forward-zone: name: \".\"' > {beside}")
    try:
        plan = runbook(lab, "deploy").stdout
    finally:
        for host in ("vps1", "vps2"):
            shell(lab, host, f"rm {beside}")
    assert "listens on port" not in plan, "ours is read after it and says 53"
    assert f"{beside} forwards all names, too" in plan


def test_managed_files_have_their_header_mode_and_owner(lab: Lab):
    for path, mode in MANAGED.items():
        assert shell(lab, "vps1", f"stat -c '%a %U:%G' {path}").strip() == f"{mode} root:root"
        head = shell(lab, "vps1", f"head -n 3 {path}")
        assert "Made by twinedge from git commit" in head or path.endswith("000000000000.json")


def test_a_written_file_reaches_the_other_edge(lab: Lab):
    shell(lab, "vps1", "echo hello > /var/lib/antigravity/from-vps1")
    wait = "for _ in $(seq 100); do [ -e {0} ] && exit 0; sleep 0.1; done; exit 1"
    shell(lab, "vps2", wait.format("/var/lib/antigravity/from-vps1"))
    shell(lab, "vps2", "echo hi > /var/lib/antigravity/from-vps2")
    shell(lab, "vps1", wait.format("/var/lib/antigravity/from-vps2"))


def test_applying_twice_changes_once(lab: Lab):
    files = " ".join(MANAGED)
    state = f"stat -c '%i %Y %n' {files}; cat /var/lib/twinedge/current"
    runs = "systemctl show -p ActiveEnterTimestamp,StateChangeTimestamp caddy cloudflared lsyncd"
    before = [shell(lab, edge, f"{state}; {runs}") for edge in ("vps1", "vps2")]
    done = runbook(lab, "deploy", "--apply", "--allow-dirty", "--allow-older")
    assert done.returncode == 0
    assert "nothing to do" in done.stdout
    assert before == [shell(lab, edge, f"{state}; {runs}") for edge in ("vps1", "vps2")]


@pytest.fixture
def elsewhere(lab: Lab) -> Iterator[Lab]:
    """The lab, whose hosts record the checkout's commit again at the end."""
    yield lab
    assert lab.run("vps2", DEPLOY).returncode == 0


def test_a_site_that_moves_into_a_repository_of_its_own_is_the_same_to_every_host(
    elsewhere: Lab,
):
    """No flag, though every host has recorded a commit that the new repository lacks."""
    lab = elsewhere
    write(lab, "vps2", "/root/old", site_files(lab))
    git = "git -C /root/old -c user.name=t -c user.email=t@example.org"
    shell(lab, "vps2", f"git init -q /root/old && {git} add . && {git} commit -qm 'our site'")
    deployed = runbook(
        lab, "deploy", "--apply", "--allow-older", "--config", "/root/old/config.yaml"
    )
    assert deployed.returncode == 0, deployed.stderr
    moved = runbook(lab, "init", "/root/edge", "--from", "/root/old")
    assert moved.returncode == 0, moved.stderr
    again = runbook(lab, "deploy", "--apply", "--config", "/root/edge/config.yaml")
    assert (again.returncode, again.stderr) == (0, "")
    assert "nothing to do: every host is as the inventory says" in again.stdout
    found = runbook(lab, "verify", "--json", "--config", "/root/edge/config.yaml")
    commits = [f for f in json.loads(found.stdout)["findings"] if "release" in f["subject"]]
    assert commits and {finding["status"] for finding in commits} == {"ok"}


def test_looking_leaves_nothing_on_a_host(lab: Lab):
    listing = (
        "find /var/lib/twinedge /etc /tmp /root -xdev -newermt '@{0}' "  # the checkout is mounted
        "-not -path '/var/lib/twinedge/sync*' | sort"  # where the syncs write by themselves
    )
    since = shell(lab, "vps1", "date +%s.%N").strip()
    assert runbook(lab, "deploy").returncode == 0
    assert shell(lab, "vps1", listing.format(since)) == ""


def test_a_hand_edit_is_shown_as_drift_and_put_right(lab: Lab):
    shell(lab, "vps1", "echo '# by hand' >> /etc/caddy/Caddyfile")
    looked = runbook(lab, "deploy", "--diff")
    assert looked.returncode == 0
    assert "vps1:/etc/caddy/Caddyfile was edited by hand at" in looked.stdout
    assert "-# by hand" in looked.stdout
    assert runbook(lab, "deploy", "--apply", "--allow-dirty").returncode == 0
    assert "# by hand" not in shell(lab, "vps1", "cat /etc/caddy/Caddyfile")


def test_a_port_where_nothing_listens_sends_every_host_back(lab: Lab):
    files = site_files(lab)
    files["services.yaml"]["services"]["plex"]["port"] = 32401
    write(lab, "vps2", "/root/dead", files)
    flags = ("--allow-dirty", "--allow-older", "--config", "/root/dead/config.yaml")
    assert "--accept plex" in runbook(lab, "deploy", *flags).stdout
    done = runbook(lab, "deploy", "--apply", *flags)
    assert done.returncode == 1
    assert "plex through vps1: " in done.stderr and ", before 200" in done.stderr
    assert "every host goes back" in done.stderr
    for edge in ("vps1", "vps2"):
        assert through_caddy(lab, edge, "plex.edge.test").status == 200


def test_a_service_that_refuses_its_name_undoes_no_deploy_and_is_named(lab: Lab):
    lab.fault("refuse-name", "sabnzbd@unraid")
    shell(lab, "vps1", "echo '# by hand' >> /etc/caddy/Caddyfile")
    done = runbook(lab, "deploy", "--apply", "--allow-dirty", "--allow-older")
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert "sabnzbd as before: 403" in told
    assert "add sabnzbd.edge.test to host_whitelist" in told


def test_a_host_filter_touches_that_host_alone(lab: Lab):
    done = runbook(lab, "deploy", "--host", "unraid")
    assert done.returncode == 0
    assert "unraid" in done.stdout and "vps1" not in done.stdout


def test_an_unknown_host_is_told_with_the_known_ones_and_exit_2(lab: Lab):
    done = runbook(lab, "deploy", "--host", "vps9")
    assert done.returncode == 2
    assert done.stderr.strip() == "error: no host 'vps9' (hosts: unraid, vps1, vps2)"


def test_an_unknown_host_key_is_refused_with_the_way_out(lab: Lab):
    shell(lab, "vps2", "mv /root/.ssh/known_hosts /root/.ssh/known_hosts.away")
    try:
        done = runbook(lab, "deploy", "--host", "unraid")
    finally:
        shell(lab, "vps2", "mv /root/.ssh/known_hosts.away /root/.ssh/known_hosts")
    assert done.returncode == 1
    assert "is not recorded yet" in done.stderr and "Traceback" not in done.stderr


def test_a_changed_host_key_is_refused_and_says_that_someone_may_stand_in_between(lab: Lab):
    other = shell(lab, "vps2", "awk '/^vps1,/{print $2, $3}' /root/.ssh/known_hosts").strip()
    swap = f"sed -i.away 's|^unraid,.*|100.76.168.116 {other}|' /root/.ssh/known_hosts"
    shell(lab, "vps2", swap)
    try:
        done = runbook(lab, "deploy", "--host", "unraid")
    finally:
        shell(lab, "vps2", "mv /root/.ssh/known_hosts.away /root/.ssh/known_hosts")
    assert done.returncode == 1
    assert "another SSH host key" in done.stderr and "Traceback" not in done.stderr


def test_a_host_that_is_off_is_named_and_nothing_is_changed(lab: Lab):
    shell(lab, "vps1", "echo '# by hand' >> /etc/mcp/mcp.json")
    lab.fault("partition", "unraid")
    done = runbook(lab, "deploy", "--apply", "--allow-dirty")
    assert done.returncode == 1
    assert "unraid: cannot be reached over SSH at 100.76.168.116: timed out" in done.stderr
    assert "# by hand" in shell(lab, "vps1", "cat /etc/mcp/mcp.json")
    lab.heal()
    assert runbook(lab, "deploy", "--apply", "--allow-dirty").returncode == 0
