"""What a deploy makes of what it hears before and afterwards. The lab has the truth of one case."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from inventory.catalogue import Catalogue
from inventory.load import load_catalogue
from journal.history import History
from runbooks.transaction.asking import Question
from runbooks.transaction.gate import Change, Gate
from tasks import served
from tasks.probe import Answer
from tests.runbook import Runbook
from tests.site import Site
from tests.unit.fakehosts import FakeHosts
from tests.unit.world import World

EDGES = ("vps1", "vps2")
EVER = datetime.fromtimestamp(0, UTC)
DEAD, REFUSED = Answer(status=502), Answer(status=403, body="lab: no")
CADDYFILE = """\
# Made by twinedge
(service_plex) {{
	import {{args[0]}}
	reverse_proxy {plex} {{
		lb_try_duration 5s
	}}
}}

(service_sabnzbd) {{
	reverse_proxy 100.76.168.116:8080 {{
	}}
}}

https://{name} {{
	tls internal
	import service_plex named
}}

https://sabnzbd.home.example {{
	import service_sabnzbd named
}}
{more}"""
OLD, NEW = "100.76.168.116:32400", "100.76.168.116:32401"


def caddyfile(plex: str = OLD, name: str = "plex.home.example", more: str = "") -> served.Served:
    return served.parse(CADDYFILE.format(plex=plex, name=name, more=more))


@pytest.fixture
def catalogue(site: Site) -> Catalogue:
    """Two services of one host behind both edges, no resolver."""
    whole = load_catalogue(site.config)
    chosen = {name: whole.services[name] for name in ("plex", "sabnzbd")}
    return replace(whole, services=chosen)


Judged = Callable[..., tuple[list[str], dict[str, str]]]


@pytest.fixture
def judged(catalogue: Catalogue, world: World, monkeypatch: pytest.MonkeyPatch) -> Judged:
    """Looks, commits on both edges, and gives what is worse and what became of each service."""
    monkeypatch.setattr("tasks.way.Way.ask", lambda way, **_: Answer(status=None))

    def judge(
        before: served.Served,
        after: served.Served,
        then: Callable[[Question], Answer | None],
        first: Callable[[Question], Answer | None] = lambda question: None,
        accepted: tuple[str, ...] = (),
        caddy: bool = True,
    ) -> tuple[list[str], dict[str, str]]:
        change = Change(caddy=caddy, resolver=False, before=before, after=after)
        gate = Gate(catalogue=catalogue, changes=dict.fromkeys(EDGES, change), accepted=accepted)
        world.says = lambda _, question: first(question)
        gate.look()
        world.says = lambda _, question: then(question)
        worse = [words for edge in EDGES for words in gate.judge([edge])]
        return worse, {told.service: told.outcome.word for told in gate.told()}

    return judge


def dead(*subjects: str) -> Callable[[Question], Answer | None]:
    return lambda question: DEAD if question.subject in subjects else None


def test_a_port_where_nothing_listens_is_worse_and_the_operator_may_accept_it(judged: Judged):
    def at_old_port(question: Question) -> Answer | None:
        """Before: well through Caddy, which asks the old port; nothing at the new one."""
        return DEAD if (question.subject, question.kind) == ("plex", "at") else None

    worse, outcomes = judged(caddyfile(OLD), caddyfile(NEW), dead("plex"), at_old_port)
    assert [line.partition(":")[0] for line in worse] == [f"plex through {edge}" for edge in EDGES]
    assert "502, before 200" in worse[0] and "--accept plex" in worse[0]
    assert outcomes == {"plex": "worse", "sabnzbd": "as before"}
    worse, outcomes = judged(
        caddyfile(OLD), caddyfile(NEW), dead("plex"), at_old_port, accepted=("plex",)
    )
    assert (worse, outcomes["plex"]) == ([], "accepted")


def test_an_edge_that_gets_nothing_but_keys_is_not_asked_what_it_serves(
    catalogue: Catalogue, world: World
):
    change = Change(caddy=True, resolver=False, before=caddyfile(OLD), after=caddyfile(NEW))
    gate = Gate(catalogue=catalogue, changes={"vps1": change})
    gate.look()
    assert [gate.judge([edge]) for edge in EDGES] == [[], []]


def test_a_service_that_stops_at_an_address_that_stays_went_down_meanwhile(judged: Judged):
    more = "\nhttps:// {\n\trespond 404\n}\n"
    worse, outcomes = judged(caddyfile(), caddyfile(more=more), dead("plex"))
    assert (worse, outcomes["plex"]) == ([], "went down meanwhile")


def test_nothing_that_fails_is_blamed_on_a_release_that_leaves_caddy_alone(judged: Judged):
    through = dead("plex")
    worse, outcomes = judged(
        caddyfile(), caddyfile(), lambda q: through(q) if q.kind == "through" else None, caddy=False
    )
    assert (worse, outcomes["plex"]) == ([], "went down meanwhile")


def test_a_way_that_breaks_though_the_service_is_well_is_worse_whatever_was_changed(
    judged: Judged,
):
    through = dead("sabnzbd")
    worse, _ = judged(
        caddyfile(OLD), caddyfile(NEW), lambda q: through(q) if q.kind == "through" else None
    )
    assert [line.partition(":")[0] for line in worse] == [f"sabnzbd through {e}" for e in EDGES]


def test_what_was_as_bad_before_blocks_nothing_and_what_is_better_is_mended(judged: Judged):
    def refused(question: Question) -> Answer | None:
        by_name = (question.subject, question.kind) == ("sabnzbd", "through")
        return REFUSED if by_name else None

    worse, outcomes = judged(caddyfile(OLD), caddyfile(NEW), refused, refused)
    assert (worse, outcomes) == ([], {"plex": "as before", "sabnzbd": "as before"})
    _, outcomes = judged(caddyfile(OLD), caddyfile(NEW), lambda q: None, refused)
    assert outcomes["sabnzbd"] == "mended"


def test_from_an_odd_answer_to_none_is_worse(judged: Judged):
    """403 by name before, and nothing at all after its route was changed."""
    through = dead("plex")
    worse, _ = judged(
        caddyfile(OLD),
        caddyfile(NEW),
        lambda q: through(q) if q.kind == "through" else None,
        lambda q: REFUSED if str(q) == "plex through vps1" else None,
    )
    assert len(worse) == 2 and "502, before 403" in worse[0]


def test_a_new_name_that_the_service_refuses_goes_back_to_the_old_one(
    judged: Judged, monkeypatch: pytest.MonkeyPatch
):
    def by_name(question: Question) -> Answer | None:
        return REFUSED if question.hostname == "plex.home.example" else None

    monkeypatch.setattr(
        "tasks.way.Way.ask", lambda way, hostname, **_: REFUSED if hostname else Answer(status=200)
    )
    worse, _ = judged(caddyfile(name="films.home.example"), caddyfile(), by_name)
    assert "403" in worse[0] and "allow plex.home.example in its settings" in worse[0]


def test_a_new_service_that_does_not_run_yet_or_refuses_its_name_undoes_nothing(
    judged: Judged, monkeypatch: pytest.MonkeyPatch
):
    worse, outcomes = judged(served.parse(None), caddyfile(), dead("plex"), lambda q: DEAD)
    assert (worse, outcomes) == ([], {"plex": "new", "sabnzbd": "new"})
    monkeypatch.setattr(
        "tasks.way.Way.ask", lambda way, hostname, **_: REFUSED if hostname else Answer(status=200)
    )
    refuse = {("plex", "through"): REFUSED}
    worse, outcomes = judged(
        served.parse(None), caddyfile(), lambda q: refuse.get((q.subject, q.kind)), lambda q: DEAD
    )
    assert (worse, outcomes["plex"]) == ([], "new")


def test_a_new_service_that_caddy_does_not_lead_to_goes_back(judged: Judged):
    lost = {("plex", "through"): DEAD}
    worse, _ = judged(
        served.parse(None), caddyfile(), lambda q: lost.get((q.subject, q.kind)), lambda q: DEAD
    )
    assert len(worse) == 2


def test_one_that_answers_at_the_third_time_is_well(judged: Judged, world: World):
    asked: list[str] = []

    def late(question: Question) -> Answer | None:
        asked.append(str(question))
        slow = question.kind == "through" and asked.count(str(question)) < 3
        return DEAD if slow else None

    worse, outcomes = judged(caddyfile(OLD), caddyfile(NEW), late)
    assert (worse, set(outcomes.values())) == ([], {"as before"})


def test_a_name_of_an_earlier_caddyfile_is_the_one_that_is_asked_before(
    judged: Judged, world: World
):
    asked: list[tuple[str, str]] = []

    def note(question: Question) -> None:
        asked.append((str(question), question.hostname))

    judged(caddyfile(name="films.home.example"), caddyfile(), note, note)
    names = [name for question, name in asked if question == "plex through vps1"]
    assert names == ["films.home.example", "plex.home.example"]


# --- through the runbook, on hosts of the unit tests --------------------------------------------


def test_a_service_that_caddy_never_had_is_no_reason_to_refuse_a_reload(
    deploy: Runbook, site: Site, world: World
):
    assert deploy("--apply").status == 0
    world.says = lambda _, q: DEAD if q.subject == "wiki" else None
    one = {"hostname": "wiki", "port": 8090, "health": {"path": "/"}, "unit": "wiki"}
    site.change(
        "services", "services.wiki", {"title": "Wiki", "primary": "vps1", "fallback": "vps2"} | one
    )
    done = deploy("--apply")
    assert (done.status, done.err) == (0, "")
    assert "wiki      new: 502" in done.out
    site.change("services", "services.plex.hostname", "movies")
    assert "bring it back first, or say --reload-anyway" in deploy("--apply").err


def test_a_service_that_is_nothing_but_caddys_answer_is_deployed_and_judged_like_any_other(
    deploy: Runbook, rollback: Runbook, site: Site, world: World
):
    moved = {"title": "Old", "hostname": "old", "front": {"redirect": "https://new.example"}}
    site.change("services", "services.old", moved)
    assert deploy("--apply").status == 0
    site.change("services", "services.plex.hostname", "movies")
    done = deploy("--apply")
    assert (done.status, done.err) == (0, "")
    site.change("services", "services.old.front.redirect", "https://newer.example")
    broken: list[str] = []

    def says(_: Catalogue, question: Question) -> Answer | None:
        broken.append(str(question))
        again = broken.count(str(question)) > 1
        return DEAD if question.subject == "old" and again else None

    world.says = says
    assert "old through vps1: 502, before 200" in deploy("--apply").err
    world.says = lambda _, question: None
    assert rollback("--to", "previous", "--apply").status == 0


def test_what_is_accepted_is_not_refused_for_an_address_that_no_caddy_has_asked(
    deploy: Runbook, site: Site, world: World
):
    assert deploy("--apply").status == 0
    world.says = lambda _, q: DEAD if (q.subject, q.kind) == ("organizr", "at") else None
    site.change("services", "services.organizr.port", 8099)
    assert "to allow it: --accept organizr" in " ".join(deploy().out.split())
    done = deploy("--apply", "--accept", "organizr")
    assert (done.status, done.err) == (0, "")


def test_what_goes_down_during_a_rollback_does_not_undo_it(
    deploy: Runbook, rollback: Runbook, site: Site, world: World
):
    assert deploy("--apply").status == 0
    site.change("services", "services.plex.hostname", "movies")
    assert deploy("--apply").status == 0
    looked: list[str] = []

    def says(_: Catalogue, question: Question) -> Answer | None:
        looked.append(str(question))
        return DEAD if question.subject == "radarr" and "radarr at unraid" in looked[:-1] else None

    world.says = says
    done = rollback("--to", "previous", "--apply")
    assert (done.status, done.err) == (0, "")
    assert "radarr    went down meanwhile: 502, before 200" in done.out


def test_a_deploy_tells_as_json_and_in_the_history_what_became_of_each_service(
    deploy: Runbook, site: Site, world: World, hosts: FakeHosts
):
    assert deploy("--apply").status == 0
    site.change("services", "services.plex.port", 32401)
    committed: list[str] = []

    def says(_: Catalogue, question: Question) -> Answer | None:
        committed.append(str(question))
        now = committed.count(str(question)) > 1 or question.kind == "at"
        return DEAD if question.subject == "plex" and now else None

    world.says = says
    done = deploy("--apply", "--json")
    told = json.loads(done.out)
    (plex,) = (one for one in told["services"] if one["service"] == "plex")
    assert (done.status, told["exit"], told["confirmed"]) == (1, 1, False)
    assert plex | {"why": ""} == {
        "service": "plex", "outcome": "worse", "well": False, "before": "200", "after": "502",
        "why": "",
    }  # fmt: skip
    assert {h["host"]: [c["path"] for c in h["changes"]] for h in told["hosts"]}["vps1"] == [
        "/etc/caddy/Caddyfile"
    ]
    history = History(site.journal)
    (run,) = [run for run in history.runs(since=EVER) if run.status == 1]
    assert any(step.words == "plex worse: 502, before 200" for step in history.steps(run.id))
    assert "plex through" in run.words


def test_a_deploy_that_changes_nothing_asks_nothing_from_outside(
    deploy: Runbook, world: World, source: object
):
    deploy("--apply")
    world.asked.clear()
    assert deploy("--apply").status == 0
    assert not world.asked


def test_accepting_what_is_no_service_is_exit_2(deploy: Runbook):
    done = deploy("--apply", "--accept", "plexx")
    assert done.status == 2 and "no service 'plexx'" in done.err
