"""A deploy with Cloudflare beside the hosts: in one plan, and in an order without a gap."""

from collections.abc import Iterator

import pytest
import yaml

from lab.standins.cloudflare.answer import Ask
from lab.standins.cloudflare.server import serving
from tests.clouds import Clouds
from tests.outsides import World
from tests.runbook import Runbook
from tests.site import Site
from tests.unit.fakehosts import FakeHosts

PLEX, SONARR = "plex.home.example", "sonarr.home.example"
INGRESS = "/etc/cloudflared/config.yml"
EDGES = ("vps1", "vps2")


@pytest.fixture
def account(hosts: FakeHosts, site: Site) -> Iterator[World]:
    made = World(site, Clouds())
    with serving(made.clouds.cloud) as base:
        site.change("defaults", "data.cloudflare.api", base)
        yield made


@pytest.fixture
def settled(account: World, deploy: Runbook) -> World:
    assert deploy("--apply").status == 1, "the AUD tags have to be committed first"
    assert deploy("--apply").status == 0
    account.clouds.asked.clear()
    return account


class Watch:
    """At each change at Cloudflare, which AUD tag the ingress of every edge demands at a name."""

    def __init__(self, account: World, hosts: FakeHosts, name: str) -> None:
        self.seen: list[tuple[str, set[str | None]]] = []
        self._hosts, self._name = hosts, name
        account.clouds.on_change = self._changed

    def _changed(self, ask: Ask) -> None:
        what = "record" if "dns_records" in ask.path else ask.path.split("/")[4]
        self.seen.append((f"{ask.method} {what}", {self._demanded(edge) for edge in EDGES}))

    def _demanded(self, edge: str) -> str | None:
        """None where it has no rule of that name, "" where it demands none."""
        path = self._hosts[edge].path(INGRESS)
        rules = yaml.safe_load(path.read_text())["ingress"] if path.exists() else []
        rule = next((rule for rule in rules if rule.get("hostname") == self._name), None)
        if rule is None:
            return None
        return str(rule.get("originRequest", {}).get("access", {}).get("audTag", [""])[0])


def test_a_look_shows_hosts_and_cloudflare_in_one_plan(account: World, deploy: Runbook):
    done = deploy("--diff")
    assert done.status == 0
    assert f"+++ vps1:{INGRESS}" in done.out and f"{PLEX} create application" in done.out
    assert account.clouds.changes == []


def test_a_name_that_comes_is_led_to_once_every_ingress_demands_its_application(
    account: World, deploy: Runbook, hosts: FakeHosts
):
    watch = Watch(account, hosts, PLEX)
    done = deploy("--apply")
    assert done.status == 1 and "audiences.yaml has what every ingress has to demand" in done.err
    assert not hosts["vps1"].path(INGRESS).exists() and PLEX not in account.names
    assert deploy("--apply").status == 0
    aud = account.app(PLEX)["aud"]
    assert [seen for what, seen in watch.seen if what == "POST record"] == [{aud}] * 3
    assert all(seen == {None} for what, seen in watch.seen if what == "POST apps")
    assert account.plan().is_done


def test_a_name_that_goes_is_led_nowhere_first_and_unguarded_last(
    settled: World, deploy: Runbook, hosts: FakeHosts
):
    aud = settled.app(PLEX)["aud"]
    watch = Watch(settled, hosts, PLEX)
    settled.site.change("services", "services.plex.access", "tailnet")
    done = deploy("--apply")
    assert done.status == 2 and "--many" in done.err and watch.seen == []
    assert deploy("--apply", "--many").status == 0
    assert watch.seen[0] == ("DELETE record", {aud})
    assert watch.seen[1] == ("DELETE apps", {None})
    assert settled.plan().is_done


def test_hosts_that_go_back_leave_a_name_guarded_and_led_nowhere(
    settled: World, deploy: Runbook, hosts: FakeHosts
):
    settled.site.change("services", "services.plex.access", "tailnet")
    hosts["vps1"].stub("cloudflared", "echo 'Validation failed: no'\nexit 1\n")
    assert deploy("--apply", "--many").status == 1
    assert PLEX not in settled.names and PLEX in settled.guarded


def test_an_api_that_is_down_holds_up_no_deploy_that_leaves_the_ingress_as_it_is(
    settled: World, deploy: Runbook
):
    settled.clouds.fault("no-json", times=99)
    settled.site.change("services", "services.plex.port", 32401)
    done = deploy("--apply")
    assert done.status == 1 and "could not be looked at" in done.out
    assert "is confirmed" in done.out


def test_where_the_ingress_changes_too_the_hosts_wait_or_are_brought_there_alone(
    settled: World, deploy: Runbook, hosts: FakeHosts
):
    settled.clouds.fault("no-json", times=99)
    settled.site.change("services", "services.sonarr.access", "tailnet")
    done = deploy("--apply")
    assert done.status == 1 and "--hosts-alone brings the hosts there" in done.err
    assert SONARR in hosts["vps1"].path(INGRESS).read_text()
    assert deploy("--apply", "--hosts-alone").status == 0
    assert SONARR not in hosts["vps1"].path(INGRESS).read_text()
    assert SONARR in settled.names


def test_a_deploy_of_some_hosts_leaves_cloudflare_alone(account: World, deploy: Runbook):
    done = deploy("--host", "vps1", "--apply")
    assert done.status == 0 and "only hosts were asked for" in done.out
    assert account.clouds.asked == []


def test_without_a_token_a_deploy_says_where_it_is_listed_what_to_set(
    account: World, deploy: Runbook
):
    account.site.change("defaults", "data.cloudflare", None)
    done = deploy("--apply")
    assert done.status == 0 and "python runbooks/outside.py lists what" in done.out
