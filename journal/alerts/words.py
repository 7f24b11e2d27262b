"""The text of messages: what, since when, which hop, what to do. Plain and short."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from inventory.secret import redact
from journal.alerts.notice import Kind, News
from journal.alerts.problem import Problem, some
from tasks.checks.finding import Status

TOGETHER = 3  # more of one kind in one look are one message
LINE, BODY = 200, 1500  # characters; Discord takes 2000, the others more
NOWHERE: Mapping[str, str] = {}
NAMES = 8  # services named in one line


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is sent. `status` is how bad it is; OK means good news. `hops` are what it is about,
    `services` those that it touches; `severity` is the worst that it begins, goes on with or ends.
    """

    at: datetime
    kind: Kind
    status: Status
    title: str
    body: str
    hops: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    severity: Status = Status.FAILED


def messages(
    site: str, news: Sequence[News], at: datetime, links: Mapping[str, str] = NOWHERE
) -> Iterator[Message]:
    """One for each piece of news, or one for all of a kind when those are many.

    `links` lead from a hop to where its incident can be read.
    """
    for kind, group in groupby(news, key=lambda piece: piece.kind):
        own = list(group)
        if len(own) > TOGETHER:
            yield _together(site, kind, own, at)
        else:
            for piece in own:
                yield _message(site, piece, at, links.get(piece.notice.problem.hop, ""))


def unwatched(site: str, last: datetime, at: datetime) -> Message:
    """Nobody looked between `last` and `at`."""
    return Message(
        at=at,
        kind=Kind.UNWATCHED,
        status=Status.WARN,
        title=f"{site}: nobody watched for {duration(at - last)}",
        body=(
            f"No look between {moment(last)} and {moment(at)}; what happened then is unknown.\n"
            "do: was the control node off? journalctl -u 'twinedge-*'; systemctl list-timers"
        ),
    )


def _message(site: str, news: News, at: datetime, link: str) -> Message:
    return Message(
        at=at,
        kind=news.kind,
        status=_status(news),
        title=_clip(f"{site}: {_headline(news)}"),
        body=_limited("\n".join(filter(None, (_body(news, at), link and f"more: {link}")))),
        hops=(news.notice.problem.hop,),
        services=news.notice.problem.services,
        severity=_severity(news),
    )


def _together(site: str, kind: Kind, news: Sequence[News], at: datetime) -> Message:
    lines = [f"- {_clip(_headline(piece))}" for piece in news]
    services = tuple(dict.fromkeys(n for piece in news for n in piece.notice.problem.services))
    named = f"{some(services)}: " if services else ""
    return Message(
        at=at,
        kind=kind,
        status=max(map(_status, news)),
        title=f"{site}: {named}{len(news)} at once, {kind}: {news[0].notice.problem.hop} and more",
        body=_limited("\n".join([*lines, "do: python runbooks/verify.py --quiet"])),
        hops=tuple(piece.notice.problem.hop for piece in news),
        services=services,
        severity=max(map(_severity, news)),
    )


def _severity(news: News) -> Status:
    """Who was told of a failure hears of its end, too."""
    notice = news.notice
    return max(notice.told or Status.OK, notice.problem.status if notice.is_there else Status.OK)


def _status(news: News) -> Status:
    if news.kind is Kind.FLAPPING:
        return Status.WARN
    return news.notice.problem.status if news.notice.is_there else Status.OK


def _headline(news: News) -> str:
    """The services first, as people feel them; then what is broken."""
    problem = news.notice.problem
    named = problem.felt if news.notice.is_there else ""
    named = named or some(problem.services)
    return f"{named}: {_news(news)}" if named else _news(news)


def _news(news: News) -> str:
    problem = news.notice.problem
    state = f"{problem.hop} {WORDS[problem.status]}"
    match news.kind:
        case Kind.RECOVERED:
            return f"recovered: {problem.hop}"
        case Kind.FLAPPING:
            return f"comes and goes: {problem.hop}"
        case Kind.STEADY:
            return f"steady again: {state if news.notice.is_there else f'{problem.hop} is well'}"
    return f"{news.kind}: {state}"


WORDS = {
    Status.WARN: "needs a look",
    Status.UNREACHABLE: "is unreachable",
    Status.FAILED: "is broken",
}


def _body(news: News, at: datetime) -> str:
    notice, problem = news.notice, news.notice.problem
    if news.kind is Kind.FLAPPING:
        when = f"{len(notice.changes)} changes since {moment(notice.changes[0])}"
        lines = [_clip(f"{problem.what}: {problem.seen}"), when, _touched(problem)]
        lines.append("No more of it until it keeps still.")
    elif not notice.is_there:
        gone = notice.gone or at
        lasted = f"from {moment(notice.since)} to {moment(gone)}"
        lines = [problem.what, f"{lasted} ({duration(gone - notice.since)})"]
    else:
        lines = list(_broken(news, at))
    return "\n".join(filter(None, lines))


def _broken(news: News, at: datetime) -> Iterator[str]:
    problem, since = news.notice.problem, news.notice.since
    yield _touched(problem)
    yield _clip(f"hop: {problem.hop}" + (f", as {problem.why}" if problem.why else ""))
    yield _clip(f"{problem.what}: {problem.seen}, expected {problem.expected}")
    yield f"since {moment(since)}" + (f" ({duration(at - since)})" if at > since else "")
    yield _clip(f"do: {problem.todo}") if problem.todo else ""


def _touched(problem: Problem) -> str:
    named = ", ".join(problem.services[:NAMES])
    if more := len(problem.services) - NAMES:
        named += f" and {more} more" if more > 0 else ""
    follow = f"{problem.follow} checks follow from it" if problem.follow else ""
    return "; ".join(filter(None, (f"touches {named}" if named else "", follow)))


def moment(at: datetime) -> str:
    return f"{at:%d %b %H:%M} UTC"


def duration(span: timedelta) -> str:
    """In two units at most: `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    seconds = round(span.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    hours = round(minutes / 60)
    return f"{hours // 24} d" + (f" {hours % 24} h" if hours % 24 else "")


def _clip(text: str) -> str:
    line = " ".join(redact(text).split())
    return line if len(line) <= LINE else f"{line[: LINE - 1]}…"


def _limited(text: str) -> str:
    return text if len(text) <= BODY else f"{text[: BODY - 1]}…"
