"""What a deploy does to the hosts, with the hosts' script real and the network not."""

import json
import stat
import time
from collections import Counter
from collections.abc import Callable

import pytest
from nornir.core.task import Result, Task

from inventory.catalogue import Catalogue, Host
from inventory.source import Source
from runbooks.transaction.asking import Question
from tasks import release
from tasks.probe import Answer
from tasks.release import Run
from tests.runbook import Runbook
from tests.site import ROOT, Site
from tests.unit.fakehosts import SHELLS, FakeHosts
from tests.unit.world import World

CADDYFILE = "/etc/caddy/Caddyfile"


def test_looking_shows_the_diff_and_leaves_nothing_on_a_host(deploy: Runbook, hosts: FakeHosts):
    done = deploy("--diff")
    assert done.status == 0
    assert f"+++ vps1:{CADDYFILE}" in done.out
    assert "+       admin unix//run/twinedge-caddy/admin.sock|0600" in done.out
    assert not hosts["vps1"].state.exists()
    assert not hosts["vps1"].path(CADDYFILE).exists()


def test_a_look_is_a_summary_by_host_and_file_that_fits_80_columns_and_says_how_to_apply(
    deploy: Runbook, site: Site, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("COLUMNS")
    looked = deploy("--host", "vps1")
    assert f"new {CADDYFILE} +" in looked.out and "@@" not in looked.out
    assert looked.out.splitlines()[-1] == (
        "to apply: python runbooks/deploy.py --host vps1 --apply"
    )
    deploy("--apply")
    site.change("services", "services.plex.hostname", "movies")
    changed = deploy()
    assert f"changed {CADDYFILE} +" in changed.out and "would change 3 files" in changed.out
    for said in (looked, changed, deploy("--apply")):
        assert max(map(len, said.out.splitlines())) <= 80


def test_what_a_broken_in_host_says_or_has_in_its_files_steers_no_terminal(
    deploy: Runbook, hosts: FakeHosts
):
    steering = "\x1b]0;owned\x07\x9b2J"
    vps1 = hosts["vps1"]
    vps1.path(CADDYFILE).parent.mkdir(parents=True)
    vps1.path(CADDYFILE).write_text(f"# {steering}\n")
    vps1.stub("cloudflared", f"printf 'no{steering}\\n' >&2; exit 1\n")
    looked, refused = deploy("--diff"), deploy("--apply")
    assert "owned" in looked.out and "owned" in refused.err
    said = f"{looked.out}{looked.err}{refused.out}{refused.err}"
    assert not {"\x1b", "\x07", "\x9b"} & {*said}


def test_debians_own_caddy_is_refused_in_words_before_anything_is_written(
    deploy: Runbook, hosts: FakeHosts
):
    hosts["vps1"].stub("caddy", "echo 2.6.2\n")
    done = deploy("--apply")
    assert done.status == 1
    assert "caddy 2.6.2 on vps1 is too old: 2.11.4 is needed; Caddy's own packages" in done.err
    assert "nothing was changed on any host" in done.err
    assert not any(hosts[name].state.exists() for name in ("vps1", "vps2", "unraid"))


def test_applying_puts_every_file_in_place_and_activates_it(deploy: Runbook, hosts: FakeHosts):
    done = deploy("--apply")
    assert (done.status, done.err) == (0, "")
    assert "lb_policy first" in hosts["vps1"].path(CADDYFILE).read_text()
    reload = f"caddy reload --config {CADDYFILE} --adapter caddyfile --force --address "
    assert f"{reload}localhost:2019" in hosts["vps1"].calls
    assert not hosts["unraid"].path(CADDYFILE).exists()
    assert json.loads(hosts["unraid"].mcp.read_text())["mcpServers"]["filesystem"]


def test_applying_twice_changes_once(deploy: Runbook, hosts: FakeHosts):
    deploy("--apply")
    calls = len(hosts["vps1"].calls)
    inode = hosts["vps1"].path(CADDYFILE).stat().st_ino
    done = deploy("--apply")
    assert done.status == 0
    assert "nothing to do" in done.out
    assert not [c for c in hosts["vps1"].calls[calls:] if c.startswith("systemctl")]
    assert hosts["vps1"].path(CADDYFILE).stat().st_ino == inode


def test_a_new_commit_alone_changes_no_file(deploy: Runbook, hosts: FakeHosts, source):
    deploy("--apply")
    inode = hosts["vps1"].path(CADDYFILE).stat().st_ino
    calls = len(hosts["vps1"].calls)
    source(Source(root=ROOT, commit="aaaaaaaaaaaa" + "b" * 28, dirty=False, pushed=True))
    done = deploy("--apply", "--allow-older")
    assert done.status == 0
    assert hosts["vps1"].path(CADDYFILE).stat().st_ino == inode
    assert not [c for c in hosts["vps1"].calls[calls:] if c.startswith("systemctl")]


def test_only_what_changed_is_activated(deploy: Runbook, hosts: FakeHosts, site: Site):
    deploy("--apply")
    calls = len(hosts["vps1"].calls)
    site.change("mcp", "servers.docs", {"url": "https://docs.example/mcp"})
    assert deploy("--apply").status == 0
    assert "docs.example" in hosts["vps1"].mcp.read_text()
    assert not [c for c in hosts["vps1"].calls[calls:] if c.startswith("systemctl")]


def test_a_refusal_by_one_hosts_validator_changes_no_host(deploy: Runbook, hosts: FakeHosts):
    hosts["vps2"].stub("caddy", "echo 'line 3: unknown directive' >&2\nexit 1\n")
    done = deploy("--apply")
    assert done.status == 1
    assert "vps2: caddy is refused by the host: line 3: unknown directive" in done.err
    assert "nothing was changed on any host" in done.err
    for host in ("vps1", "vps2", "unraid"):
        assert not hosts[host].mcp.exists()
        assert not list((hosts[host].state / "releases").iterdir())
        assert not (hosts[host].state / "lock").exists()


def test_cloudflareds_usage_trap_is_not_taken_for_a_success(deploy: Runbook, hosts: FakeHosts):
    hosts["vps1"].stub("cloudflared", "echo 'Incorrect Usage'\nexit 0\n")
    done = deploy("--apply")
    assert done.status == 1
    assert "cloudflared is refused by the host: Incorrect Usage" in done.err


def test_a_missing_validator_is_said(deploy: Runbook, hosts: FakeHosts):
    hosts["vps1"].remove_tool("cloudflared")
    done = deploy("--apply")
    assert done.status == 0
    said = " ".join(done.out.split())
    assert "cloudflared is not installed: no validation of its config there" in said


def test_a_failed_activation_puts_the_old_file_back(deploy: Runbook, hosts: FakeHosts, site: Site):
    deploy("--apply")
    before = hosts["vps1"].path(CADDYFILE).read_text()
    hosts["vps1"].stub("systemctl", 'case "$*" in *caddy*) echo boom >&2; exit 1;; esac\n')
    site.change("services", "services.plex.hostname", "movies")
    done = deploy("--apply")
    assert done.status == 1
    assert "vps1: caddy: could not be activated: boom" in done.err
    assert hosts["vps1"].path(CADDYFILE).read_text() == before
    assert "movies" not in hosts["vps2"].path(CADDYFILE).read_text()
    leftovers = [p.name for p in hosts["vps1"].path("/etc/caddy").iterdir()]
    assert leftovers == ["Caddyfile"]


def test_a_failed_check_after_activation_puts_the_old_file_back(
    deploy: Runbook, hosts: FakeHosts, site: Site, monkeypatch: pytest.MonkeyPatch
):
    deploy("--apply")
    before = hosts["vps1"].path(CADDYFILE).read_text()
    hosts["vps1"].stub("curl", "echo 'connection refused' >&2\nexit 7\n")
    monkeypatch.setattr("tasks.configs.caddy.PATIENCE", 1)
    site.change("services", "services.plex.hostname", "movies")
    done = deploy("--apply")
    assert done.status == 1
    assert "caddy: is not healthy after its activation: connection refused" in done.err
    assert hosts["vps1"].path(CADDYFILE).read_text() == before


def break_vps2(world: World) -> None:
    """From outside, a hop through a newly deployed vps2 is seen broken."""
    asked = Counter[str]()

    def says(catalogue: Catalogue, question: Question) -> Answer | None:
        asked[str(question)] += 1
        ill = str(question) == "plex through vps2" and asked[str(question)] > 1
        return Answer(status=502) if ill else None

    world.says = says


def test_a_broken_hop_seen_from_outside_takes_every_host_back(
    deploy: Runbook, hosts: FakeHosts, site: Site, world: World
):
    deploy("--apply")
    before = hosts["vps1"].path(CADDYFILE).read_text()
    break_vps2(world)
    site.change("services", "services.plex.hostname", "movies")
    done = deploy("--apply", "--canary", "vps1")
    assert done.status == 1
    assert "plex through vps2: 502, before 200" in done.err
    assert hosts["vps1"].path(CADDYFILE).read_text() == before
    assert "movies" not in hosts["vps2"].path(CADDYFILE).read_text()


def test_the_edges_never_go_back_at_once_nor_by_themselves_at_the_same_time(
    deploy: Runbook, world: World, monkeypatch: pytest.MonkeyPatch
):
    at_it: set[str] = set()
    together: list[set[str]] = []
    windows: dict[str, int] = {}

    def revert(task: Task, host: Host, run: Run) -> Result:
        windows[host.name] = run.window
        at_it.add(host.name)
        together.append(set(at_it))
        time.sleep(0.1)
        at_it.discard(host.name)
        return undo(task, host, run)

    undo = release.revert
    monkeypatch.setattr(release, "revert", revert)
    break_vps2(world)
    assert deploy("--apply", "--canary", "vps1", "--window", "60").status == 1
    assert together and not any({"vps1", "vps2"} <= busy for busy in together)
    assert windows == {"vps1": 60, "vps2": 70, "unraid": 70}


def test_a_look_at_the_hosts_of_a_sync_is_one_round_trip_and_a_refused_deploy_makes_no_key(
    deploy: Runbook, hosts: FakeHosts, site: Site, source: Callable[[Source], None]
):
    deploy("--apply")
    site.change("services", "syncs.notes", {"hosts": ["vps1", "vps2"], "directory": "/srv/notes"})
    before = hosts["vps1"].sessions
    looked = deploy()
    assert "vps1      would get a key for its syncs, and learn its peer's" in looked.out
    assert hosts["vps1"].sessions == before + 1
    source(Source(root=ROOT, commit="b" * 40, dirty=False, pushed=True))
    refused = deploy("--apply")
    assert refused.status == 2 and f"{ROOT} does not have" in refused.err
    assert not hosts["vps1"].path("/etc/twinedge/sync/key").exists()
    assert hosts["vps1"].sessions == before + 2


def test_secret_files_are_never_readable_by_others_and_never_shown(
    deploy: Runbook, hosts: FakeHosts, site: Site
):
    done = deploy("--apply")
    site.change("mcp", "servers.docs", {"url": "https://docs.example/mcp"})
    again = deploy("--apply")
    for said in (done, again):
        assert "secret-value" not in said.out + said.err
    assert "mcp-secret-value" in hosts["unraid"].mcp.read_text()
    state = hosts["vps1"].state
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    holding = [p for p in hosts["vps1"].root.files() if b"secret-value" in p.read_bytes()]
    assert holding
    for path in holding:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_secrets_stand_in_no_command_line(deploy: Runbook, hosts: FakeHosts):
    for tool in ("base64", "sha256sum"):
        hosts["vps1"].stub(tool, f'exec /usr/bin/{tool} "$@"\n')
    deploy("--apply")
    assert not [call for call in hosts["vps1"].calls if "secret-value" in call]


def test_a_missing_secret_is_told_by_its_reference(deploy: Runbook, site: Site):
    site.change("mcp", "servers.github.env.GITHUB_PERSONAL_ACCESS_TOKEN", "env:NO_SUCH_TOKEN")
    done = deploy("--apply")
    assert done.status == 2
    assert "env:NO_SUCH_TOKEN: the environment variable is not set" in done.err


@pytest.mark.parametrize("shell", SHELLS)
def test_the_hosts_script_runs_in_every_common_shell(
    deploy: Runbook, hosts: FakeHosts, site: Site, shell: str
):
    hosts["vps1"].use_shell(shell)
    assert deploy("--apply").status == 0
    site.change("services", "services.plex.hostname", "movies")
    assert deploy("--apply").status == 0
    assert "movies" in hosts["vps1"].path(CADDYFILE).read_text()


@pytest.mark.parametrize("filters", [["--host", "unraid"], ["--role", "media"]])
def test_a_filter_touches_the_chosen_host_alone(
    deploy: Runbook, hosts: FakeHosts, filters: list[str]
):
    assert deploy("--apply", *filters).status == 0
    assert hosts["unraid"].mcp.exists()
    assert hosts["vps1"].sessions == hosts["vps2"].sessions == 0


def test_an_unknown_role_is_exit_2_with_the_known_ones(deploy: Runbook):
    done = deploy("--role", "edges")
    assert (done.status, done.err.strip()) == (2, "error: no role 'edges' (roles: edge, media)")


def test_a_wrong_inventory_is_exit_2_and_touches_nothing(
    deploy: Runbook, hosts: FakeHosts, site: Site
):
    site.change("services", "services.plex.port", "many")
    done = deploy("--apply")
    assert done.status == 2
    assert "plex.port: should be a whole number" in done.err
    assert hosts.opened == 0


def test_a_dirty_checkout_is_refused_until_told_otherwise(deploy: Runbook, source):
    source(Source(root=ROOT, commit="a" * 40, dirty=True, pushed=True))
    done = deploy("--apply")
    assert done.status == 2
    assert "changes that are not committed" in done.err
    assert deploy("--apply", "--allow-dirty").status == 0


def test_an_unpushed_commit_is_refused_until_told_otherwise(deploy: Runbook, source):
    source(Source(root=ROOT, commit="a" * 40, dirty=False, pushed=False))
    assert "is not pushed" in deploy("--apply").err


def test_a_commit_that_the_checkout_lacks_is_not_overwritten(deploy: Runbook, source, site: Site):
    deploy("--apply")
    source(Source(root=ROOT, commit="c" * 40, dirty=False, pushed=True))
    site.change("services", "services.plex.hostname", "movies")
    done = deploy("--apply")
    assert done.status == 2
    assert f"which {ROOT} does not have: git pull, or say --allow-older" in done.err
    assert deploy("--apply", "--allow-older").status == 0


def test_a_link_in_the_place_of_a_config_is_not_replaced(deploy: Runbook, hosts: FakeHosts):
    target = hosts["vps1"].path("/etc/caddy/real")
    target.parent.mkdir(parents=True)
    target.write_text("mine")
    hosts["vps1"].path(CADDYFILE).symlink_to("real")
    done = deploy("--apply")
    assert done.status == 1
    assert "twinedge replaces no link" in done.err
    assert target.read_text() == "mine"


def test_an_unreachable_host_is_named_without_a_traceback(deploy: Runbook, hosts: FakeHosts):
    hosts["unraid"].refuses = TimeoutError("timed out")
    done = deploy("--apply")
    assert done.status == 1
    assert "unraid: cannot be reached over SSH at 100.76.168.116: timed out" in done.err
    assert "Traceback" not in done.err
    assert not hosts["vps1"].mcp.exists()


def test_a_saved_plan_is_applied_exactly(deploy: Runbook, hosts: FakeHosts, tmp_path):
    plan = tmp_path / "plan.json"
    assert deploy("--plan-out", str(plan), "--host", "unraid").status == 0
    assert "secret-value" not in plan.read_text()
    done = deploy("--apply", "--plan", str(plan))
    assert done.status == 0
    assert hosts["unraid"].mcp.exists()
    assert not hosts["vps1"].mcp.exists()


def test_a_saved_plan_is_refused_when_the_world_has_moved(
    deploy: Runbook, hosts: FakeHosts, tmp_path
):
    plan = tmp_path / "plan.json"
    deploy("--plan-out", str(plan))
    edited = hosts["vps1"].path(CADDYFILE)
    edited.parent.mkdir(parents=True)
    edited.write_text("by hand\n")
    done = deploy("--apply", "--plan", str(plan))
    assert done.status == 1
    assert f"vps1:{CADDYFILE} is not what was shown" in done.err
    assert edited.read_text() == "by hand\n"


def test_a_saved_plan_is_refused_when_the_inventory_has_moved(
    deploy: Runbook, hosts: FakeHosts, site: Site, tmp_path
):
    plan = tmp_path / "plan.json"
    deploy("--plan-out", str(plan))
    site.change("services", "services.plex.hostname", "movies")
    done = deploy("--apply", "--plan", str(plan))
    assert done.status == 1
    assert "the world has moved since the plan was made" in done.err
    assert not hosts["vps1"].path(CADDYFILE).exists()


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"version": 99, "hosts": {"a": {}}}'])
def test_a_file_that_is_no_plan_is_exit_2(deploy: Runbook, tmp_path, content: str | None):
    plan = tmp_path / "plan.json"
    if content is not None:
        plan.write_text(content)
    done = deploy("--apply", "--plan", str(plan))
    assert done.status == 2
    assert str(plan) in done.err


def test_a_lock_names_its_holder_and_since_when(
    deploy: Runbook, hosts: FakeHosts, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("runbooks.transaction.rollout.LOCK_PATIENCE", 0.1)
    lock = hosts["vps1"].state / "lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("0123\nann@vps1\n1700000000\n9999999999\n")
    done = deploy("--apply")
    assert done.status == 1
    assert "vps1: ann@vps1 is at work on this host since 2023-11-14 22:13:20 UTC" in done.err
    assert not hosts["vps2"].mcp.exists()
    assert not (hosts["vps2"].state / "lock").exists()


def test_a_lock_whose_holder_is_gone_is_broken_only_with_a_flag(deploy: Runbook, hosts: FakeHosts):
    lock = hosts["unraid"].state / "lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("0123\nann@vps1\n1700000000\n9999999999\n")
    assert deploy("--apply").status == 1
    assert deploy("--apply", "--break-lock").status == 0
    assert not lock.exists()


def test_a_lock_that_has_run_out_is_no_obstacle(deploy: Runbook, hosts: FakeHosts):
    lock = hosts["unraid"].state / "lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("0123\nann@vps1\n1700000000\n1700000120\n")
    assert deploy("--apply").status == 0


def test_a_host_that_stood_still_past_its_lock_changes_nothing_beside_the_next_run(
    deploy: Runbook, hosts: FakeHosts
):
    lock = hosts["vps1"].state / "lock"
    theirs = "0123\nann@vps1\n1700000000\n9999999999\n"
    hosts["vps1"].stub("sync", f"printf '{theirs}' > /var/lib/twinedge/lock\n")  # they came
    done = deploy("--apply")
    assert done.status == 1
    assert "vps1: the lock of this host is no longer ours" in done.err
    assert not hosts["vps1"].path(CADDYFILE).exists()
    assert not (hosts["vps1"].state / "pending").exists()
    assert lock.read_text() == theirs


def test_a_host_that_cannot_write_down_its_confirmation_goes_back_and_says_so(
    deploy: Runbook, hosts: FakeHosts
):
    refuse = 'case "$*" in *twinedge/pending) [ -e /once ] || { : > /once; exit 1; } ;; esac\n'
    hosts["vps1"].stub("rm", refuse + 'exec /bin/rm "$@"\n')
    done = deploy("--apply")
    assert done.status == 1
    assert "vps1: release" in done.err and "cannot be confirmed" in done.err
    assert "confirmed, and kept, on unraid, vps2; the rest goes back" in done.err
    assert not hosts["vps1"].path(CADDYFILE).exists()


def test_a_host_that_cannot_name_its_new_release_goes_back_to_the_old(
    deploy: Runbook, hosts: FakeHosts, site: Site
):
    deploy("--apply")
    before = hosts["vps1"].path(CADDYFILE).read_text()
    refuse = 'case "$*" in *current.next*) exit 1 ;; esac\nexec /bin/mv "$@"\n'
    hosts["vps1"].stub("mv", refuse)
    site.change("services", "services.plex.hostname", "movies")
    done = deploy("--apply")
    assert done.status == 1
    assert "vps1: cannot replace" in done.err and "/current" in done.err
    assert hosts["vps1"].path(CADDYFILE).read_text() == before


def test_a_file_of_an_earlier_release_is_told_as_such(
    deploy: Runbook, hosts: FakeHosts, site: Site
):
    deploy("--apply")
    before = hosts["vps1"].path(CADDYFILE).read_bytes()
    first = (hosts["vps1"].state / "current").read_text().strip()
    site.change("services", "services.plex.hostname", "movies")
    deploy("--apply")
    hosts["vps1"].path(CADDYFILE).write_bytes(before)
    assert f"is the file of release {first}" in " ".join(deploy().out.split())


def test_releases_are_pruned_to_the_number_that_is_kept(
    deploy: Runbook, hosts: FakeHosts, site: Site
):
    for n in range(4):
        site.change("mcp", "servers.docs", {"url": f"https://docs{n}.example/mcp"})
        assert deploy("--apply", "--keep", "2", "--host", "unraid").status == 0
    releases = list((hosts["unraid"].state / "releases").iterdir())
    assert len(releases) == 2


def test_a_look_is_one_round_trip_and_a_deploy_four(deploy: Runbook, hosts: FakeHosts):
    deploy()
    assert [hosts[name].sessions for name in ("vps1", "vps2", "unraid")] == [1, 1, 1]
    deploy("--apply")  # look, stage, commit, confirm
    assert [hosts[name].sessions for name in ("vps1", "vps2", "unraid")] == [5, 5, 5]
    deploy("--apply")
    assert [hosts[name].sessions for name in ("vps1", "vps2", "unraid")] == [6, 6, 6]
