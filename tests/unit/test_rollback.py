"""What a rollback leaves on the hosts, with the hosts' script real and the network not."""

import pytest

from tests.runbook import Runbook
from tests.site import Site
from tests.unit.fakehosts import SHELLS, FakeHosts

MCP = "/etc/mcp/mcp.json"
ADDED = "/etc/unbound/more.d/twinedge.conf"


def test_a_file_that_the_earlier_release_did_not_know_is_gone_after_the_rollback(
    deploy: Runbook, rollback: Runbook, hosts: FakeHosts, site: Site
):
    vps1 = hosts["vps1"]
    added = vps1.path(ADDED)
    assert deploy("--apply").status == 0
    before = vps1.path(MCP).read_text()
    site.change("hosts", "vps1.data.paths.resolver", ADDED)
    assert deploy("--apply").status == 0
    assert added.exists()
    calls = len(vps1.calls)
    done = rollback("--to", "previous", "--apply", "--host", "vps1")
    assert (done.status, done.err) == (0, "")
    assert not added.exists()
    assert vps1.path(MCP).read_text() == before
    assert [call for call in vps1.calls[calls:] if call.startswith("systemctl")]
    assert rollback("--to", "previous", "--apply", "--host", "vps1").status == 0
    assert added.exists(), "and back, where it was known, it is there again"


def test_what_goes_is_taken_away_in_the_words_of_the_release_that_has_it(
    deploy: Runbook, rollback: Runbook, hosts: FakeHosts, site: Site
):
    """0.1.0 reloads Caddy by its unit, which asks an admin address that Caddy has no more."""
    vps1 = hosts["vps1"]
    assert deploy("--apply").status == 0
    (first,) = vps1.path("/var/lib/twinedge/releases").iterdir()
    (first / "activate" / "1-resolver.run").write_text("systemctl in-old-words\n")
    site.change("hosts", "vps1.data.paths.resolver", ADDED)
    assert deploy("--apply").status == 0
    assert rollback("--to", "previous", "--apply", "--host", "vps1").status == 0
    assert "systemctl in-old-words" not in vps1.calls
    assert not vps1.path(ADDED).exists()


def test_a_release_names_the_product_that_rendered_it_also_after_a_rollback(
    deploy: Runbook, rollback: Runbook, hosts: FakeHosts, site: Site, monkeypatch
):
    """A release of 0.1.0 names none, and is not given one."""
    meta = {}
    for version, title in (("", "One"), ("0.9.1 (commit abc)", "Two"), ("0.9.2", "Three")):
        monkeypatch.setattr("runbooks.deploy.version", lambda v=version: v)
        site.change("services", "services.plex.hostname", title.lower())
        assert deploy("--apply").status == 0
        current = hosts["vps1"].path("/var/lib/twinedge/current").read_text().strip()
        meta[version] = hosts["vps1"].path(f"/var/lib/twinedge/releases/{current}/meta")
    first = meta[""]
    first.write_text(first.read_text().replace("product \n", ""))
    listed = [line for line in rollback("--host", "vps1").out.splitlines() if "commit" in line]
    assert ["twinedge" in line for line in listed] == [True, True, False]
    assert "  twinedge 0.9.1  by " in listed[1]
    assert rollback("--to", first.parent.name, "--apply", "--host", "vps1").status == 0
    assert "  twinedge" not in rollback("--host", "vps1").out.splitlines()[0]
    two = meta["0.9.1 (commit abc)"].parent.name
    assert rollback("--to", two, "--apply", "--host", "vps1").status == 0
    assert "  twinedge 0.9.1  by " in rollback("--host", "vps1").out.splitlines()[0]


def test_the_list_says_what_each_release_changed(
    deploy: Runbook, rollback: Runbook, site: Site, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("runbooks.rollback.git", lambda root, *words: f"Why of {words[-1][:3]}")
    assert deploy("--apply").status == 0
    site.change("services", "services.plex.hostname", "movies")
    assert deploy("--apply").status == 0
    lines = rollback("--host", "vps1").out.splitlines()
    assert lines[1].strip().startswith("Why of aaa; changed: ")
    assert "/etc/caddy/Caddyfile" in lines[1] and "/etc/mcp/mcp.json" not in lines[1]
    assert lines[3].strip() == "Why of aaa; the first that is left"


def test_a_host_without_a_previous_release_stays_and_the_others_return(
    deploy: Runbook, rollback: Runbook, hosts: FakeHosts, site: Site
):
    assert deploy("--apply").status == 0
    before = hosts["vps1"].mcp.read_text()
    site.change("mcp", "servers.docs", {"url": "https://docs.example/mcp"})
    assert deploy("--apply", "--host", "vps1", "--host", "vps2").status == 0
    done = rollback("--to", "previous", "--apply")
    assert (done.status, done.err) == (0, "")
    assert "unraid    has no release before the one that it runs, and stays" in done.out
    assert hosts["vps1"].mcp.read_text() == before


@pytest.mark.parametrize("shell", SHELLS)
def test_a_look_shows_what_would_change_in_each_file_and_no_secret(
    deploy: Runbook, rollback: Runbook, hosts: FakeHosts, site: Site, shell: str
):
    hosts["vps1"].use_shell(shell)
    assert deploy("--apply").status == 0
    site.change("services", "services.plex.hostname", "movies")
    site.change("hosts", "vps1.data.paths.resolver", ADDED)
    assert deploy("--apply").status == 0
    looked = rollback("--to", "previous", "--host", "vps1")
    assert (looked.status, looked.err) == (0, "")
    assert "changed /etc/caddy/Caddyfile +" in looked.out and "@@" not in looked.out
    assert f"removed {ADDED} +0 -" in looked.out
    assert looked.out.splitlines()[-1].endswith(
        "python runbooks/rollback.py --to previous --host vps1 --apply"
    )
    whole = rollback("--to", "previous", "--host", "vps1", "--diff").out
    assert "+https://plex.home.example" in whole and "-https://movies.home.example" in whole
    assert "TunnelSecret" not in whole


def test_a_look_at_the_files_of_a_broken_in_host_steers_no_terminal(
    deploy: Runbook, rollback: Runbook, hosts: FakeHosts, site: Site
):
    assert deploy("--apply").status == 0
    site.change("services", "services.plex.hostname", "movies")
    assert deploy("--apply").status == 0
    with hosts["vps1"].path("/etc/caddy/Caddyfile").open("a") as caddyfile:
        caddyfile.write("# \x1b]0;owned\x07\n")
    shown = rollback("--to", "previous", "--host", "vps1", "--diff").out
    assert "owned" in shown and not {"\x1b", "\x07"} & {*shown}
