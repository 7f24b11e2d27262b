"""The lab takes its hosts from a site, whatever they are called and however many there are."""

from pathlib import Path

import pytest

from lab.errors import LabError, UsageError
from lab.options import Options, site_file
from lab.state import State
from lab.topology import load, of_site, save
from tests.edges import EDGES, site_of_edges
from tests.site import Site


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_one_to_four_edges_of_any_name_and_two_media_boxes_are_a_lab(tmp_path: Path, count: int):
    known = of_site(site_of_edges(tmp_path / "attic", count))
    assert list(known.machines) == [*EDGES[:count], "tower", "nas", "client", "cloudflare"]
    assert [edge.name for edge in known.edges] == list(EDGES[:count])
    assert known.controllers == (EDGES[count - 1], "client")
    on_the_internet = [machine.internet for machine in known.machines.values()]
    assert len(set(on_the_internet)) == len(on_the_internet)


@pytest.mark.parametrize("name", ["client", "cloudflare", "keeper"])
def test_a_host_with_the_name_of_a_machine_of_the_labs_own_is_refused(site: Site, name: str):
    site.change("hosts", name, {"hostname": "100.64.0.9", "groups": ["media"]})
    with pytest.raises(LabError, match=f"is called '{name}', as a machine of the lab's own"):
        of_site(site.config)


def test_a_host_off_the_tailnet_is_refused_with_its_address(site: Site):
    site.change("hosts", "unraid.hostname", "192.168.1.10")
    site.change("hosts", "unraid.data", {"tailnet": False})
    with pytest.raises(LabError, match=r"unraid: 192\.168\.1\.10 is no tailnet address"):
        of_site(site.config)


def test_the_client_makes_way_for_a_host_that_has_its_address(site: Site):
    site.change("hosts", "unraid.hostname", "100.110.0.10")
    assert of_site(site.config).machines["client"].tailnet == "100.110.0.11"


def test_what_is_wrong_with_a_site_is_told_in_the_inventorys_own_words(site: Site):
    site.change("services", "services.organizr.fallback", "vps3")
    with pytest.raises(LabError, match=r"the lab's site is wrong: .*fallback: no host 'vps3'"):
        of_site(site.config)


def test_a_site_that_hosts_could_not_see_in_full_is_refused(site: Site):
    apart = site.folder.parent / "services.yaml"
    (site.folder / "services.yaml").rename(apart)
    settings = site.read("config")
    settings["user_defined"]["services_file"] = str(apart)
    site.write("config", settings)
    with pytest.raises(LabError, match="the lab's hosts cannot see it"):
        of_site(site.config)


def test_the_folder_of_a_site_is_not_one_of_the_system(tmp_path):
    with pytest.raises(UsageError, match="no file"):
        site_file(tmp_path / "config.yaml")
    with pytest.raises(UsageError, match="the site lies in /etc; give it a folder of its own"):
        site_file(Path("/etc/passwd"))


def test_a_lab_keeps_the_options_that_it_was_made_with(site: Site, tmp_path, monkeypatch):
    monkeypatch.setattr("lab.state.RUN", tmp_path)
    state = State(id="unit", checkout=tmp_path)
    assert Options.of(state) == Options.default(state)
    options = Options.asked(state, site=site.config)
    options.save(state)
    assert Options.of(state) == options == Options.asked(state, site=None)
    with pytest.raises(UsageError, match=r"the lab is up with site .*; `python -m lab down` first"):
        options.refuse_other(Options.default(state))
    save(state, of_site(site.config))
    assert load(state) == of_site(site.config)


def test_the_labs_secrets_lie_where_the_site_looks_for_them(site: Site):
    site.change("defaults", "data.tunnel.credentials", "file:~/keys/tunnel.json")
    site.change("defaults", "data.access.service_token", "env:ACCESS_TOKEN")
    site.change("mcp", "servers.github.env.GITHUB_PERSONAL_ACCESS_TOKEN", "file:/srv/token")
    assert of_site(site.config).secrets == {
        "/root/keys/tunnel.json": "tunnel",
        "/srv/token": "mcp",
    }
