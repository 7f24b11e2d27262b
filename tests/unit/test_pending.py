"""In the inventory and not deployed yet: no failure, no alert, nothing in the history."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from inventory.load import load_catalogue
from journal.history import History
from outside.plan import Outlook, Plan, Step, Turn
from outside.seen import Seen, Zone
from tasks.checks import cloudflare, pending
from tasks.checks.finding import Finding, Status
from tasks.lookup import DnsAnswer
from tasks.probe import Answer
from tests.runbook import Done
from tests.site import Site
from tests.unit.looks import NOON
from tests.unit.surveys import COMMIT, DENIED, Edge, ok

NO_CONNECTION = Answer(status=None, error="connection refused")
WIKI = {
    "title": "Wiki", "hostname": "wiki", "port": 8090, "health": {"path": "/"},
    "unit": "wiki", "hosts": ["unraid"], "access": "protected",
}  # fmt: skip
Verify = Callable[..., Done]


@pytest.fixture
def ahead(edge: Edge, site: Site) -> Edge:
    """The inventory has a service more than was deployed, and nothing of it is there."""
    deployed = dict(edge.states)
    site.change("services", "services.wiki", WIKI)
    made = Edge(load_catalogue(site.config))
    made.states = deployed
    made.direct["wiki", "unraid"] = NO_CONNECTION
    for name in ("vps1", "vps2"):
        made.routes["wiki", name] = Answer(status=None, error="tlsv1 alert internal error")
        made.replies[name, "direct wiki@unraid"] = replace(ok("000 0.0 no"), status=7)
        made.replies[name, "loopback wiki"] = ok("404 0.01 no")
        made.replies[name, "caddy config"] = ok(json.dumps(edge.caddy_config(name)))
    for resolver, record, how in list(made.records):
        if record == "wiki.home.example":
            made.records[resolver, record, how] = DnsAnswer(code="NXDOMAIN")
    unknown = Answer(status=None, error="1.1.1.1 knows no address (NXDOMAIN)")
    made.strangers["wiki"] = made.guests["wiki"] = unknown
    edge.__dict__.update(vars(made))
    return edge


def test_a_service_that_is_not_deployed_yet_is_a_status_of_its_own(verify: Verify, ahead: Edge):
    done = verify("--json")
    told = json.loads(done.out)
    wiki = [f for f in told["findings"] if f["service"] == "wiki" and f["status"] != "ok"]
    assert (done.status, told["exit"]) == (0, 0)
    assert len(wiki) >= 12 and {f["status"] for f in wiki} == {"undeployed"}
    assert not [f for f in told["findings"] if f["status"] == "failed"]
    assert told["counts"]["undeployed"] >= len(wiki)
    assert {f["todo"] for f in wiki} == {"python runbooks/deploy.py shows it, --apply deploys it"}


def test_it_is_one_line_and_a_word_in_the_matrix(verify: Verify, ahead: Edge):
    done = verify("--strict")
    assert done.status == 0
    row = next(line for line in done.out.splitlines() if line.startswith("wiki"))
    assert set(row.split()[1:]) == {"new"}
    (line,) = [line for line in done.out.splitlines() if line.startswith("NEW ")]
    assert "in the inventory and not deployed yet" in line


def test_a_name_that_strangers_enter_is_loud_though_it_is_not_deployed(verify: Verify, ahead: Edge):
    ahead.strangers["wiki"] = Answer(status=200, body="somebody else's")
    done = verify()
    assert done.status == 1 and "A STRANGER GETS IN" in done.out


def test_what_was_deployed_and_is_gone_has_failed(verify: Verify, edge: Edge):
    for name in ("vps1", "vps2"):
        edge.routes["plex", name] = Answer(status=404)
    edge.strangers["plex"] = DENIED
    assert verify().status == 1


def test_the_history_has_nothing_of_it(site: Site):
    history = History(site.journal)
    new = Finding(
        check="caddy", subject="wiki through vps1", vantage="vps2", status=Status.UNDEPLOYED,
        seen="404", expected="200", service="wiki", way=True,
    )  # fmt: skip
    history.look([new], NOON)
    assert history.present() == []


def test_after_a_rollback_nobody_is_told_to_deploy_that_again(verify: Verify, ahead: Edge):
    for name, state in ahead.states.items():
        assert state.current
        ahead.states[name] = replace(state, current=replace(state.current, left=COMMIT))
    told = json.loads(verify("--json").out)
    advice = {f["todo"] for f in told["findings"] if f["status"] in ("undeployed", "warn")}
    assert advice and not [words for words in advice if "--apply" in words]
    assert all("mend the inventory first" in words for words in advice)


def test_a_name_that_cloudflare_does_not_know_yet_is_not_deployed_and_no_difference(ahead: Edge):
    def step(host: str) -> Step:
        return Step(
            action="create", kind="record", host=host, name=f"CNAME {host}", turn=Turn.RECORD_COMES
        )

    zone = Zone(id="z", name="home.example", status="active", account={"id": "a"})
    seen = Seen(zone=zone, tunnel=None, records=(), apps=(), policies=(), service_tokens=())
    plan = Plan(steps=(step("wiki.home.example"), step("plex.home.example")))
    survey = replace(ahead.survey(), outside=Outlook(seen=seen, plan=plan))
    found = {f.subject: f.status for f in pending.settle(survey, cloudflare.judge(survey))}
    assert found["wiki.home.example at Cloudflare"] is Status.UNDEPLOYED
    assert found["plex.home.example at Cloudflare"] is Status.WARN
