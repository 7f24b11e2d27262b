"""A host that leaves the site, with the hosts' script real and the network not."""

from collections.abc import Callable

import paramiko
import pytest

from tests.runbook import Runbook
from tests.site import Site
from tests.unit.fakehosts import SHELLS, FakeHosts

OWN = "ssh-ed25519 AAAA me@laptop"
KEY = 'restrict,from="100.67.88.109",command="x" ssh-ed25519 AAAA twinedge-sync:vps1'


@pytest.fixture
def retire(hosts: FakeHosts, in_process: Callable[[str], Runbook]) -> Runbook:
    return in_process("retire")


def take_out(site: Site) -> None:
    """vps1 is in the YAML no more."""
    content = site.read("services")
    for service in content["services"].values():
        if "vps1" in (*service.get("hosts", ()), service.get("primary"), service.get("fallback")):
            for key in ("primary", "fallback"):
                service.pop(key, None)
            service["hosts"] = ["vps2"]
    site.write("services", content)
    site.change("hosts", "vps1", None)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_host_that_vanished_is_noticed_retired_and_forgotten(
    deploy: Runbook, retire: Runbook, hosts: FakeHosts, site: Site, shell: str
):
    vps1, vps2 = hosts["vps1"], hosts["vps2"]
    vps1.use_shell(shell)
    vps2.use_shell(shell)
    keys = vps2.path("/root/.ssh/authorized_keys")
    keys.parent.mkdir(parents=True)
    keys.write_text(f"{OWN}\n{KEY}\n")
    assert deploy("--apply").status == 0
    take_out(site)
    refused = deploy("--apply")
    assert refused.status == 1
    assert "python runbooks/retire.py vps1" in refused.err
    looked = retire("vps1")
    assert looked.status == 0 and vps1.mcp.exists()
    assert "goes      /etc/" in looked.out and "retire.py vps1 --apply" in looked.out
    done = retire("vps1", "--apply")
    assert (done.status, done.err) == (0, "")
    assert "outside.py: split DNS may still lead to 100.67.88.109" in done.out
    texts = {str(path): path.read_text("utf-8", "replace") for path in vps1.root.files()}
    calls = str(vps1.path("/calls"))
    assert [path for path, text in texts.items() if "twinedge" in text and path != calls] == []
    assert not vps1.state.exists() and not vps1.mcp.exists()
    assert keys.read_text() == f"{OWN}\n"
    assert deploy("--apply").status == 0
    assert "nothing to do" in retire("vps1", "--apply").out


def test_a_host_that_is_lost_is_forgotten_by_the_others_and_told_what_to_revoke(
    deploy: Runbook, retire: Runbook, hosts: FakeHosts, site: Site
):
    assert deploy("--apply").status == 0
    take_out(site)
    hosts["vps1"].refuses = paramiko.SSHException("gone")
    failed = retire("vps1", "--apply")
    assert failed.status == 1 and "--lost, and the others forget it" in failed.err
    done = retire("vps1", "--lost", "--apply")
    assert (done.status, done.err) == (0, "")
    assert "revoke    the tunnel's secret" in done.out
    assert deploy("--apply").status == 0


def test_a_host_that_came_with_no_other_change_or_before_releases_listed_any_is_missed_too(
    deploy: Runbook, hosts: FakeHosts, site: Site
):
    assert deploy("--apply").status == 0
    for name in ("vps1", "vps2", "unraid"):
        (meta,) = (path for path in hosts[name].root.files() if path.name == "meta")
        lines = meta.read_text().splitlines(keepends=True)
        meta.write_text("".join(line for line in lines if not line.startswith("host ")))
    again = deploy("--apply")
    assert (again.status, "nothing to do" in again.out) == (0, True)
    take_out(site)
    assert "python runbooks/retire.py vps1" in deploy().err


def test_the_control_node_is_not_retired(retire: Runbook):
    done = retire("vps2", "--apply")
    assert done.status == 2 and "say another in data.control first" in done.err


def test_a_host_that_got_another_name_is_still_there(deploy: Runbook, hosts: FakeHosts, site: Site):
    assert deploy("--apply").status == 0
    content = site.read("hosts")
    content["nas"] = content.pop("unraid")
    site.write("hosts", content)
    services = site.read("services")
    for service in services["services"].values():
        if "hosts" in service:
            service["hosts"] = ["nas" if h == "unraid" else h for h in service["hosts"]]
    site.write("services", services)
    done = deploy()
    assert done.status == 0, done.err
    assert "nas       was unraid until now; for its history to go on, say `was: unraid`" in done.out
    site.change("hosts", "nas.data", {"was": "unraid"})
    assert "nas       was unraid until now, and its history goes on" in deploy("--apply").out
    assert "until now" not in deploy().out


def test_of_a_service_it_tells_what_a_deploy_takes_away_who_needs_it_and_what_remains(
    deploy: Runbook, retire: Runbook, site: Site, hosts: FakeHosts
):
    site.change("services", "services.sonarr.access", "open")
    assert deploy("--apply").status == 0
    notes = {"hosts": ["vps1", "vps2"], "directory": "/srv/notes", "service": "sonarr"}
    site.change("services", "syncs.notes", notes)
    told = retire("sonarr").out
    led = "Caddy's site https://sonarr.home.example, which leads to 100.76.168.116:8989"
    assert f"vps1      {led}" in told and f"vps2      {led}" in told
    assert "the tunnel's way to sonarr.home.example" in told
    assert "the resolver's answer to sonarr.home.example" in told
    assert "needed    " in told and "notes" in told.partition("needed")[2].splitlines()[0]
    assert "on unraid the service itself" in told
    assert "at Cloudflare the record and the Access application of sonarr.home.example" in told
    assert "{" not in retire("organizr").out
    assert "take services.sonarr out of the YAML, and mend what needs it" in told
    site.change("services", "syncs.notes", None)
    site.change("services", "services.sonarr", None)
    told = retire("sonarr").out
    assert led in told and "out of the YAML" not in told
    assert deploy("--apply").status == 0
    assert "nothing to do" in retire("sonarr").out


def test_no_runbook_takes_a_service_out_of_the_yaml(retire: Runbook, deploy: Runbook):
    done = retire("sonarr", "--apply")
    assert done.status == 2 and "goes with python runbooks/deploy.py --apply" in done.err


def test_a_name_of_a_host_and_of_a_service_is_not_guessed(retire: Runbook, site: Site):
    services = site.read("services")
    services["services"]["vps1"] = services["services"].pop("sonarr") | {"unit": "sonarr"}
    site.write("services", services)
    done = retire("vps1", "--apply")
    assert done.status == 2 and "--as host, or --as service" in done.err
    assert "take services.vps1 out of the YAML" in retire("vps1", "--as", "service").out
