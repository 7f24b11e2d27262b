"""The commands that break and restore, as text."""

import pytest

from inventory.load import load_catalogue
from runbooks.drill.ready import stop_seconds
from tasks.drill.faults import KINDS, hosts_for, make_fault
from tasks.drill.restore import by_hand
from tests.site import Site

START = ["systemctl reset-failed organizr 2>/dev/null || :", "systemctl start organizr"]


def fault(site: Site, kind: str, service: str = "organizr", host: str = "vps2"):
    catalogue = load_catalogue(site.config)
    return make_fault(kind, catalogue, catalogue.services[service], host)


@pytest.mark.parametrize(
    ("manager", "kind", "inject", "undo"),
    [
        ("systemd", "stop", "systemctl stop organizr", START),
        (
            "systemd",
            "hang",
            "systemctl kill -s STOP organizr",
            ["systemctl kill -s CONT organizr || :", *START],
        ),
        ("docker", "stop", "docker stop -t 10 organizr", ["docker start organizr"]),
        ("docker", "kill", "docker kill organizr", ["docker start organizr"]),
        (
            "unraid",
            "hang",
            "docker pause organizr",
            ["docker unpause organizr 2>/dev/null || :", "docker start organizr"],
        ),
    ],
)
def test_a_service_is_broken_and_restored_by_its_own_manager(site, manager, kind, inject, undo):
    site.change("services", "services.organizr.manager", manager)
    found = fault(site, kind)
    assert found.inject == (inject,)
    assert list(found.undo) == undo


def test_docker_is_healthy_only_when_running_and_not_paused(site: Site):
    (check,) = fault(site, "hang").healthy
    assert check == (
        "docker inspect -f '{{.State.Running}} {{.State.Paused}}' organizr | grep -qx 'true false'"
    )


@pytest.mark.parametrize(
    ("hold", "window", "seconds"), [(30, 60, 15), (5, 12, 3), (30, 35, 2), (30, 600, 30)]
)
def test_a_container_is_stopped_well_inside_the_window(hold, window, seconds):
    assert stop_seconds(hold, window) == seconds
    assert window <= 60 or seconds + hold < window / 2


def test_only_a_stop_of_a_container_may_still_act_when_nobody_waits_for_it(site: Site):
    assert [fault(site, kind).takes for kind in ("stop", "kill", "hang")] == [10, 0, 0]
    site.change("services", "services.organizr.manager", "systemd")
    assert fault(site, "stop").takes == 0


def test_a_unit_that_systemd_starts_again_after_a_kill_is_no_surprise(site: Site):
    assert fault(site, "kill").ended
    site.change("services", "services.organizr.manager", "systemd")
    assert not fault(site, "kill").ended
    assert "State:.[^T]" in fault(site, "hang").ended[0], "a stopped process is active to systemd"


def test_a_whole_edge_takes_everything_that_it_serves_and_gives_it_back_in_reverse(site: Site):
    found = fault(site, "edge")
    assert found.inject[:2] == ("systemctl stop cloudflared", "systemctl stop caddy")
    assert (
        "docker stop -t 2 uptime-kuma" in found.inject and "systemctl stop unbound" in found.inject
    )
    assert not any("plex" in line for line in found.inject)
    assert found.takes == 6  # three containers, one after the other
    assert found.undo[-3::2] == ("systemctl start caddy", "systemctl start cloudflared")
    assert found.blind == {"vps2"}


def test_a_cut_mesh_leaves_each_edge_its_own_services_and_ssh(site: Site):
    found = fault(site, "mesh")
    assert any("ip daddr { 100.67.88.109 } drop" in line for line in found.inject)
    assert not any("100.102.55.88" in line or "100.76.168.116" in line for line in found.inject)
    assert found.broken_for("vps1") == {"vps2"}
    assert found.broken_for("vps2") == {"vps1"}
    assert found.broken_for("name") == frozenset()


def test_hosts_that_are_all_alike_owe_no_return_to_those_who_ask_by_name(site: Site):
    found = fault(site, "stop", "antigravity-manager", "vps1")
    assert found.broken_for("vps1") == {"vps1"}
    assert found.broken_for("name") == frozenset()


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_has_a_restore_a_proof_and_a_place(site: Site, kind: str):
    catalogue = load_catalogue(site.config)
    service = catalogue.services["uptime-kuma"]
    hosts = hosts_for(kind, catalogue, service)
    assert hosts[0] == "vps1" and set(hosts) == {"vps1", "vps2"}
    found = make_fault(kind, catalogue, service, hosts[0])
    assert found.inject and found.undo and found.healthy


def test_the_command_for_the_operator_says_where_and_what(site: Site):
    site.change("hosts", "vps2.port", 2222)
    site.change("hosts", "vps2.data.sudo", True)
    site.change("hosts", "vps2.username", "ops")
    host = load_catalogue(site.config).hosts["vps2"]
    assert by_hand(host) == (
        "ssh -p 2222 ops@100.102.55.88 'sudo sh /var/lib/twinedge/drill/drill.sh restore_drill'"
    )
