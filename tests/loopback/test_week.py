"""A week in a second: outages, flaps, a dead host, a dead watcher, a full disk, an endpoint
that is down. Told are exactly these messages, and the history has exactly these numbers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inventory.load import load_catalogue
from inventory.watch import Alerts
from journal.alerts.book import Book, Silence
from journal.availability import Availability, State, availability, of_hop, of_service
from journal.entries import Run
from journal.history import History
from journal.incidents import incidents
from journal.store import JournalError
from journal.watch import Watch
from tests.endpoint import Endpoint, endpoint
from tests.site import Site
from tests.unit.looks import MINUTE, Broken, dead, disk, look, stopped

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
EVERY = 20 * MINUTE  # as seldom as the history takes for watched
END = MONDAY + timedelta(days=7) - EVERY
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def when(text: str) -> datetime:
    """`Tue 02:20` of that week."""
    day, clock = text.split()
    hours, minutes = map(int, clock.split(":"))
    return MONDAY + timedelta(days=DAYS.index(day), hours=hours, minutes=minutes)


# What is broken from a moment until before another.
TRUTH: tuple[tuple[str, str, Broken], ...] = (
    ("Mon 03:00", "Mon 05:00", stopped("plex", "unraid")),
    ("Mon 12:00", "Mon 12:20", stopped("radarr", "unraid")),  # one look alone
    ("Tue 02:00", "Tue 16:00", dead("unraid")),
    ("Wed 20:00", "Wed 21:20", disk("vps1", 90)),
    ("Wed 21:20", "Wed 22:40", disk("vps1", 97)),
    ("Thu 03:00", "Thu 05:00", stopped("plex", "unraid")),  # nobody is there to see it
    ("Thu 12:00", "Thu 13:00", stopped("organizr", "vps2")),  # during a deploy
    ("Fri 09:20", "Fri 10:20", stopped("radarr", "unraid")),  # during a silence
    ("Fri 10:00", "Fri 15:00", disk("unraid", 96)),  # longer than the silence
    ("Fri 18:20", "Fri 20:00", stopped("plex", "unraid")),  # the journal's disk is full at first
    ("Sun 08:00", "Sun 09:00", stopped("organizr", "vps2")),  # the fallback serves
    ("Wed 10:00", "Wed 10:20", stopped("sonarr", "unraid")),  # comes and goes
    ("Wed 10:40", "Wed 11:00", stopped("sonarr", "unraid")),
    ("Wed 11:20", "Wed 11:40", stopped("sonarr", "unraid")),
    ("Wed 12:00", "Wed 12:20", stopped("sonarr", "unraid")),
    ("Wed 12:40", "Wed 13:00", stopped("sonarr", "unraid")),
)
UNWATCHED = ("Thu 01:20", "Thu 07:00")
FULL = ("Fri 18:00", "Fri 19:00")
DEAF = ("Tue 08:00", "Tue 10:00")

TOLD = [
    ("Mon 03:20", "plex down: new: service plex@unraid is broken"),
    ("Mon 05:00", "plex: recovered: service plex@unraid"),
    ("Tue 02:20", "plex, radarr and sonarr down: new: host unraid is unreachable"),
    (
        "Tue 10:00",
        "plex, radarr and sonarr down: still: host unraid is unreachable",
    ),  # told at 08:20, when nobody listened
    ("Tue 16:00", "plex, radarr and sonarr: recovered: host unraid"),
    ("Wed 11:00", "sonarr: comes and goes: service sonarr@unraid"),
    ("Wed 15:00", "sonarr: steady again: service sonarr@unraid is well"),
    ("Wed 20:20", "new: disk vps1 needs a look"),
    ("Wed 21:20", "worse: disk vps1 is broken"),
    ("Wed 22:40", "recovered: disk vps1"),
    ("Thu 07:00", "nobody watched for 6 h"),
    ("Fri 12:00", "new: disk unraid is broken"),
    ("Fri 15:00", "recovered: disk unraid"),
    ("Fri 19:00", "nobody watched for 1 h 20 min"),
    ("Fri 19:20", "plex down: new: service plex@unraid is broken"),
    ("Fri 20:00", "plex: recovered: service plex@unraid"),
    ("Sun 08:20", "organizr on its fallback: new: service organizr@vps2 is broken"),
    ("Sun 09:00", "organizr: recovered: service organizr@vps2"),
]


def during(span: tuple[str, str], at: datetime) -> bool:
    return when(span[0]) <= at < when(span[1])


@dataclass
class Week:
    """What came of it."""

    history: History
    page: str
    folder: Path = Path()
    told: list[tuple[str, str]] = field(default_factory=list)
    posts: list[dict[str, str]] = field(default_factory=list)
    beats: int = 0
    said: list[str] = field(default_factory=list)


@contextmanager
def no_room(history: History, at: datetime) -> Iterator[None]:
    """While its disk is full the journal takes no look."""
    if not during(FULL, at):
        yield
        return
    with history.store.transaction() as db:
        for verb in ("UPDATE", "INSERT"):
            db.execute(
                f"CREATE TRIGGER full_{verb} BEFORE {verb} ON episodes "
                "BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
            )
    yield
    with history.store.transaction() as db:
        for verb in ("UPDATE", "INSERT"):
            db.execute(f"DROP TRIGGER full_{verb}")


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    with pytest.MonkeyPatch.context() as patch, endpoint() as chat:
        yield lived(tmp_path_factory.mktemp("week"), chat, patch)


def lived(folder: Path, chat: Endpoint, patch: pytest.MonkeyPatch) -> Week:
    """The whole week, look by look."""
    for limit in ("DEADLINE", "PATIENCE"):
        patch.setattr(f"journal.alerts.post.{limit}", 60.0)
    patch.setenv("CHAT_URL", chat.url())
    beats: list[str] = []
    patch.setattr("journal.watch.beat", beats.append)
    rules = Alerts(urls=("env:CHAT_URL",), unwatched_after=30 * MINUTE, flap_window=2 * 60 * MINUTE)
    known = load_catalogue(Site(folder).config)
    catalogue = replace(known, site=replace(known.site, alerts=rules))
    history = History(folder / "journal.db")
    history.store._connection.execute("PRAGMA synchronous = OFF")  # no power is cut here
    result = Week(history=history, page="")
    watch = Watch(
        catalogue=replace(catalogue, site=replace(catalogue.site, heartbeat=Beat())),
        history=history,
        say=result.said.append,
    )
    at = MONDAY
    while at <= END:
        chat.status = 503 if during(DEAF, at) else 200
        before = len(chat.posts)
        if not during(UNWATCHED, at):
            live(watch, at)
        heard = [title.partition(": ")[2] for title in chat.titles[before:]]
        result.told += [(f"{at:%a %H:%M}", title) for title in heard]
        at += EVERY
    watch.ran(END)
    result.folder = Path(str(catalogue.site.page.directory))
    result.page = (result.folder / "index.html").read_text("utf-8")
    result.posts, result.beats = chat.posts, len(beats)
    return result


@dataclass(frozen=True)
class Beat:
    url: str = "env:BEAT"


def live(watch: Watch, at: datetime) -> None:
    """One run of the schedule, as runbooks/remember.py has it, and what operators do."""
    history = watch.history
    if at == when("Thu 12:00"):
        run = Run(id="d", kind="deploy", began=at, operator="ann@vps2", commit="1234abcd", asked="")
        history.begin(run)
    if at == when("Thu 12:40"):
        history.end("d", at=at, status=0, words="vps1: 5 files put in place", steps=[])
    if at == when("Fri 09:00"):
        silence = Silence(until=at + 180 * MINUTE, reason="new disk")
        Book(history.store).silence(silence, "ann@vps2", at)
    findings = look(*(broken for begin, end, broken in TRUTH if during((begin, end), at)))
    with no_room(history, at):
        try:
            history.look(findings, at)
        except JournalError as error:
            watch.say(f"not remembered: {error}")
            return
        watch.looked(findings, at)


def test_a_week_is_told_in_exactly_these_messages(week: Week):
    assert week.told == TOLD
    late = [post["title"] for post in week.posts if "late)" in post["message"]]
    assert late == ["home.example: plex, radarr and sonarr down: still: host unraid is unreachable"]
    assert Book(week.history.store).waiting() == []


def test_what_could_not_be_done_meanwhile_was_said(week: Week):
    assert sum("no space is left on its disk" in words for words in week.said) == 3
    assert sum("the next run tries again: env:CHAT_URL" in words for words in week.said) == 5
    assert sum("heartbeat: not sent" in words for words in week.said) == 5
    assert len(week.said) == 13
    assert week.beats == 504 - 17 - 3 - 5, "every look but those nobody took, remembered or told"


def spent(week: Week, what: Callable[..., object], name: str) -> Availability:
    episodes = week.history.episodes(since=MONDAY)
    return availability(what(episodes, name, MONDAY, END), MONDAY, END)  # type: ignore[arg-type]


def test_the_history_has_the_injected_numbers(week: Week):
    unknown = (6 * 60 + 80) * 60
    for service, down in (("plex", 120 + 840 + 60), ("radarr", 20 + 840 + 60), ("organizr", 0)):
        found = spent(week, of_service, service)
        assert found.seconds[State.DOWN] == down * 60, service
        assert found.seconds[State.UNKNOWN] == unknown
        assert sum(found.seconds.values()) == (END - MONDAY).total_seconds()
    assert spent(week, of_hop, "host unraid").seconds[State.DOWN] == 840 * 60
    assert spent(week, of_hop, "disk vps1").seconds[State.DOWN] == 80 * 60
    assert spent(week, of_hop, "service organizr@vps2").seconds[State.DOWN] == (60 + 60) * 60


def test_the_page_shows_the_week(week: Week):
    assert "✓ All is well" in week.page and "Nothing is open." in week.page
    row = week.page.partition('<tr><th scope="row">Plex</th>')[2].partition("</tr>")[0]
    assert row.count("✓") > 0
    table = week.page.partition("Of the time that somebody looked")[2]
    plex = table.partition('<th scope="row">Plex</th>')[2].partition("</tr>")[0]
    cells = plex.replace("<td>", "").split("</td>")
    assert cells[:7] == ["91.666 %", "41.666 %", "100 %", "100 %", "95.588 %", "100 %", "100 %"]
    assert "deploy of 1234abcd: " in week.page
    assert week.page.count("<h3>home.example: ") == 8
    assert "home.example: organizr: recovered: service organizr@vps2</h3>" in week.page


# Hop, when it began, how long it lasted in minutes, and how many messages told of it.
INCIDENTS = [
    ("service plex@unraid", "Mon 03:00", 120, 2),
    ("service radarr@unraid", "Mon 12:00", 20, 0),
    ("host unraid", "Tue 02:00", 840, 3),
    ("service sonarr@unraid", "Wed 10:00", 180, 2),
    ("disk vps1", "Wed 20:00", 160, 3),
    ("service organizr@vps2", "Thu 12:00", 60, 0),
    ("service radarr@unraid", "Fri 09:20", 60, 0),
    ("disk unraid", "Fri 10:00", 300, 2),
    ("service plex@unraid", "Fri 19:00", 60, 2),
    ("service organizr@vps2", "Sun 08:00", 60, 2),
]


def test_every_incident_of_the_week_has_its_times_and_what_was_told_of_it(week: Week):
    book = Book(week.history.store)
    found = incidents(week.history.episodes(since=MONDAY), END)
    assert [
        (
            one.hop,
            f"{one.begin:%a %H:%M}",
            (one.end - one.begin) // MINUTE,
            len(book.told_of(one.hop, since=one.begin, until=one.end + 180 * MINUTE)),
        )
        for one in found
    ] == INCIDENTS
    assert not any(one.lasts for one in found)


def test_every_incident_has_a_page_that_its_messages_lead_to(week: Week):
    pages = {file.name for file in (week.folder / "incidents").iterdir()}
    assert len(pages) == len(INCIDENTS)
    links = [
        line.removeprefix("more: https://status.home.example/incidents/")
        for post in week.posts
        for line in post["message"].splitlines()
        if line.startswith("more: ")
    ]
    assert len(links) == len(TOLD) - 2, "all but those that nobody watched"
    assert set(links) <= pages
    dead_host = (week.folder / "incidents" / "20260303-020000-host-unraid.html").read_text("utf-8")
    assert "Plex, Radarr, Sonarr" in dead_host
    assert dead_host.count("to env:CHAT_URL; arrived") == 3
    during_deploy = "20260305-120000-service-organizr-vps2.html"
    text = (week.folder / "incidents" / during_deploy).read_text("utf-8")
    assert "Nobody was told." in text and "deploy by ann@vps2, commit 1234abcd" in text
