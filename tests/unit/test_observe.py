"""One look at a host: the script in real shells, and what is read from its output."""

import pytest

from inventory.load import load_catalogue
from tasks.checks.sync import left_out
from tasks.observe import Observation, Question, parse, script
from tests.site import Site
from tests.unit.fakehosts import SHELLS, FakeHost


def look(site: Site, host: FakeHost, *questions: Question) -> Observation:
    text = script(load_catalogue(site.config).hosts["vps1"], [], questions, 1.0)
    done = host.run(text.encode())
    assert done.returncode == 0, done.stderr
    return parse(done.stdout.decode(), [], sent=0.0, received=0.0)


@pytest.fixture(params=SHELLS)
def each(request: pytest.FixtureRequest, host: FakeHost) -> FakeHost:
    """A host with each shell."""
    host.use_shell(request.param)
    return host


def test_every_question_is_answered_with_its_status_and_lines(site: Site, each: FakeHost):
    each.path("/etc/no-final-newline").write_text("@ 0 not a header\n\nlast", encoding="utf-8")
    seen = look(
        site,
        each,
        Question(name="a file's text", words=("cat", "/etc/no-final-newline")),
        Question(name="nothing", words=("cat", "/etc/absent")),
        Question(name="tool", words=("bounded", "no-such-tool")),
        Question(name="hung", words=("bounded", "sleep", "20")),
    )
    assert seen.reply("a file's text").text == "@ 0 not a header\n\nlast"
    assert seen.reply("nothing").status == 1
    assert seen.reply("tool").is_missing
    assert seen.reply("tool").text == "no-such-tool is not installed"
    assert seen.reply("hung").status in (124, 143)
    assert seen.state.current is None


def test_what_a_tool_warns_of_is_not_mixed_into_its_json_and_is_told_where_it_fails(
    site: Site, each: FakeHost
):
    warns = "echo 'Warning: client version 1.102 != tailscaled server version 1.103' >&2; "
    seen = look(
        site,
        each,
        Question(name="well", words=("as_json", "sh", "-c", f"{warns} echo '{{}}'")),
        Question(name="ill", words=("as_json", "sh", "-c", f"{warns} exit 3")),
        Question(name="absent", words=("as_json", "no-such-tool")),
    )
    assert (seen.reply("well").status, seen.reply("well").text) == (0, "{}")
    assert seen.reply("ill").status == 3
    assert seen.reply("ill").text.startswith("Warning: client version")
    assert seen.reply("absent").is_missing


def test_a_look_leaves_nothing_behind(site: Site, each: FakeHost):
    before = sorted(each.root.files())
    look(site, each, Question(name="true", words=("true",)))
    assert sorted(each.root.files()) == before
    assert not [*each.path("/run").iterdir(), *each.path("/tmp").iterdir()]


def test_two_trees_have_one_digest_when_all_that_counts_is_alike(site: Site, each: FakeHost):
    one, other = each.path("/one"), each.path("/other")
    for tree in (one, other):
        (tree / "logs").mkdir(parents=True)
        (tree / "a b'c").write_text("text")
    (one / "live.db").write_text("left out")
    (other / "logs" / "today").write_text("left out too")
    words = left_out(("*.db", "logs/"))

    def trees() -> list[str]:
        asked = [Question(name=t, words=("tree", f"/{t}", *words)) for t in ("one", "other")]
        seen = look(site, each, *asked)
        return [seen.reply(tree.name).text for tree in (one, other)]

    first = trees()
    assert first[0] == first[1]
    assert first[0].startswith("busy 1 ")
    (other / "a b'c").chmod(0o600)
    assert trees()[0] != trees()[1]


def test_the_clock_is_known_as_well_as_the_round_trip_leaves_it_open():
    text = "clock 1000.25\n@ 0 look\n now 1000\n\nclock 1001.00\n"
    assert parse(text, [], sent=1000.0, received=1001.1).clock_ahead == pytest.approx((-0.1, 0.25))
    coarse = text.replace("1000.25", "1000.%N").replace("1001.00", "1001.%N")
    assert parse(coarse, [], sent=1000.0, received=1001.1).clock_ahead == pytest.approx((-0.1, 1.0))


def test_hostile_words_reach_the_shell_as_they_are(site: Site, each: FakeHost):
    hostile = "$(touch /pwned) `x` ' \" ; & \\"
    seen = look(site, each, Question(name=hostile, words=("printf", "%s", hostile)))
    assert seen.reply(hostile).text == hostile
    assert not each.path("/pwned").exists()


def test_the_last_transfers_are_known_when_the_history_has_just_been_set_aside(
    site: Site, each: FakeHost
):
    asked = Question(name="records", words=("sync_records", "/records"))
    records = each.path("/records")
    records.mkdir()
    (records / "history.1").write_text("1790000000 120ms 0 2\n1790000060 80ms 1 0\n")
    assert look(site, each, asked).reply("records").text == (
        "to-here 1790000060 80ms 1 0\nto-peer 1790000000 120ms 0 2"
    )
    joined = "1790000091 the memory of resolver was not whole: joined anew\n"
    (records / "history").write_text(f"1790000090 70ms 3 0\n{joined}")
    assert "to-here 1790000090 70ms 3 0" in look(site, each, asked).reply("records").text
