"""A deploy that is disturbed leaves every host on one release, serving all the while.

A fixed sample of what `script/soak transaction` tries at every step.
"""

import json
from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab import sites
from tests.lab.conftest import runbook, shell, through_caddy
from tests.lab.points import Points
from tests.patience import until
from tests.soak.plan import STEPS
from tests.soak.races import race
from tests.soak.transaction import HOSTS, Bench, Cell, knocking


@pytest.fixture(scope="module")
def bench(deployed_lab: Lab) -> Iterator[Bench]:
    deployed_lab.heal()
    yield Bench(deployed_lab)
    deploy = runbook(deployed_lab, "deploy", "--apply", "--allow-dirty", "--allow-older")
    assert deploy.returncode == 0, deploy.stderr


SAMPLE = [
    ("kill", "rename caddy's", "a"),
    ("power-cut", "rename caddy's", "a"),
    ("partition", "activate caddy", "a"),
    ("disk-full", "copy beside", "a"),
    ("fail", "activate cloudflared", "a"),
    ("hang", "validate caddy", "a"),
]


@pytest.mark.parametrize(("fault", "step", "version"), SAMPLE)
def test_a_disturbed_deploy_ends_on_one_release_and_loses_no_request(
    bench: Bench, fault: str, step: str, version: str
):
    verdict = bench.run(Cell("vps2", "vps1", STEPS[step], fault))
    assert verdict.wrong == ()
    assert verdict.left_on == version


def test_two_controllers_never_interleave(bench: Bench, lab: Lab):
    races = [race(lab, bench) for _ in range(3)]
    assert [each.wrong for each in races] == [(), (), ()]
    assert all(len(each.winners) < 2 for each in races), "nobody had to wait: that was no race"


def test_a_changed_caddyfile_loses_no_request_through_either_edge(bench: Bench, lab: Lab):
    bench.deploy("vps2", "a")
    with (
        knocking(lab, "client", "vps1", 100) as first,
        knocking(lab, "client", "vps2", 100) as second,
    ):
        bench.deploy("vps2", "b")
    assert first.sent > 200 and second.sent > 200
    assert (first.lost, second.lost) == ((), ())


def test_a_reload_waits_for_clients_that_are_slow_with_their_requests(bench: Bench, lab: Lab):
    reload = (
        "state=/var/lib/twinedge; sh $state/releases/$(cat $state/current)/activate/*-caddy.run"
    )
    with knocking(lab, "client", "vps1", rate=20, pause=0.3) as slow:
        for _ in range(4):
            shell(lab, "vps1", reload)
    assert slow.sent > 20
    assert slow.lost == ()


def test_credentials_that_the_tunnel_refuses_are_taken_back(bench: Bench, lab: Lab):
    bench.deploy("vps2", "a")
    good = shell(lab, "vps2", "cat /etc/twinedge/tunnel.json").strip()
    bad = json.dumps({**json.loads(good), "TunnelSecret": "AAAA" * 10 + "AAA="})
    shell(lab, "vps2", f"cat > /etc/twinedge/tunnel.json <<'END'\n{bad}\nEND")
    try:
        done = lab.run("vps2", bench.command("a", 120))
    finally:
        shell(lab, "vps2", f"cat > /etc/twinedge/tunnel.json <<'END'\n{good}\nEND")
    assert done.returncode == 1
    assert "cloudflared: is not healthy after its activation" in done.stderr
    assert "TunnelSecret" not in done.stderr and "AAAA" not in done.stderr + done.stdout
    assert bench.left_on("vps1") == "a"
    shell(lab, "vps1", "curl -fsS http://127.0.0.1:20241/ready")


def test_a_user_with_passwordless_sudo_may_deploy(bench: Bench, lab: Lab):
    sites.install(lab, "vps2", user="ops", sudo=True)
    try:
        bench.deploy("vps2", "b")
        assert bench.left_on("vps1") == "b"
    finally:
        sites.install(lab, "vps2")
    bench.deploy("vps2", "a")


def test_a_user_without_sudo_is_told_so_and_nothing_is_changed(bench: Bench, lab: Lab):
    sites.install(lab, "vps2", user="ops", sudo=False)
    try:
        done = lab.run("vps2", bench.command("b"))
    finally:
        sites.install(lab, "vps2")
    assert done.returncode == 1
    assert "ops is not root there: sudo: true in the inventory" in done.stderr
    assert bench.left_on("vps1") == "a"


def test_a_host_without_systemd_reverts_by_itself_too(bench: Bench, lab: Lab):
    sites.install(lab, "vps2", unraid=True)
    bench.deploy("vps2", "a")
    points = Points(lab, "vps2")
    points.install()
    points.arm(STEPS["arm the revert"])
    try:
        with lab.popen("vps2", bench.command("b")) as deploy:
            assert points.wait(lambda: deploy.poll() is not None)
            until(lambda: bench.left_on("unraid") == "b", every=0.3)
            deploy.kill()
            points.go()
        until(lambda: [bench.left_on(host) for host in HOSTS] == ["a", "a", "a"], every=0.3)
        until(lambda: bench.is_quiet("vps1", 1) and bench.is_quiet("vps2", 1), every=0.3)
    finally:
        points.remove()
        sites.install(lab, "vps2")
    bench.deploy("vps2", "a")


def test_a_rollback_returns_every_host_to_the_release_before(bench: Bench, lab: Lab):
    bench.deploy("vps2", "a")
    bench.deploy("vps2", "b")
    looked = runbook(lab, "rollback", "--to", "previous")
    assert "changed /etc/caddy/Caddyfile" in looked.stdout
    assert bench.left_on("vps1") == "b"
    done = runbook(lab, "rollback", "--to", "previous", "--apply")
    assert done.returncode == 0, done.stderr
    assert [bench.left_on(host) for host in ("vps1", "vps2", "unraid")] == ["a", "a", "a"]
    assert through_caddy(lab, "vps1", "plex-a.edge.test").status == 200


def test_a_reload_that_would_forget_a_hung_primary_is_refused(bench: Bench, lab: Lab):
    bench.deploy("vps2", "a")
    lab.fault("hang", "organizr@vps2")
    done = lab.run("vps2", bench.command("b"))
    assert done.returncode == 1
    assert "organizr@vps2" in done.stderr and "--reload-anyway" in done.stderr
    assert bench.left_on("vps1") == "a"


def test_status_tells_release_drift_and_lock_at_a_glance(bench: Bench, lab: Lab):
    bench.deploy("vps2", "a")
    shell(lab, "vps1", "echo '# by hand' >> /etc/caddy/Caddyfile")
    done = runbook(lab, "status")
    assert done.returncode == 0
    assert "/etc/caddy/Caddyfile was edited by hand at" in done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines()[1:4]] == ["vps1", "vps2", "unraid"]
    bench.deploy("vps2", "a")
