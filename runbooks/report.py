"""What does the history say: what changed, what was down, and for how long?

Reads the journal of this machine only and asks no host. With --down: when was
one service, host or hop last down, and for how long?
"""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from runbooks.packages import require

require()

from rich.text import Text

from inventory.errors import Exit, UsageError
from inventory.fields import span
from inventory.schema import SCHEMA
from journal.answers import Downtime, Trouble, downtime, span_words
from journal.availability import WINDOWS, Availability, State, hops, percent, services
from journal.entries import Run
from journal.history import History
from journal.markdown import markdown
from journal.objectives import WINDOW
from journal.report import LONGEST, Report, make_report
from runbooks.cli import Session, main, open_session
from runbooks.flags import parser
from runbooks.lines import out, say, tell
from runbooks.remember import existing_history
from runbooks.survey.matrix import STYLES

NAME, SHARE, WATCHED = 21, 9, 6  # columns of a table's name, and of its two numbers

EPILOG = """\
Times are UTC. Time in which nobody looked is unknown: it counts neither way,
and `known` says how much of the time is. exit status: 0 the history
has an answer, 1 it has none, 2 usage or inventory.
"""


def flags() -> ArgumentParser:
    made = parser(__doc__ or "", epilog=EPILOG)
    made.add_argument(
        "--since",
        type=_span,
        default=timedelta(days=1),
        metavar="TIME",
        help="how far back changes are told: 90m, 12h, 7d (default: 1d)",
    )
    made.add_argument(
        "--down", metavar="NAME", help="when was this service, host or hop last down, how long?"
    )
    made.add_argument(
        "--all", action="store_true", help="also the hops that were never seen broken"
    )
    form = made.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--markdown", action="store_true", help="availability as Markdown")
    return made


def _span(text: str) -> timedelta:
    try:
        return span(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def report(arguments: Namespace) -> int:
    session, now = open_session(arguments), datetime.now(UTC)
    history = existing_history(session)
    if arguments.down:
        return _tell_down(arguments, session, history, now)
    hosts = {host.name for host in session.hosts}
    if not arguments.host and not arguments.role:
        hosts |= set(session.catalogue.appliances)
    services = session.catalogue.services.values()
    made = make_report(history, now=now, back=arguments.since, hosts=hosts, services=services)
    if arguments.json or arguments.markdown:
        print(json.dumps(made.as_json(), indent=1) if arguments.json else markdown(made).rstrip())
        return Exit.OK
    _show_changes(made)
    _show_availability(made, everything=arguments.all)
    _show_objectives(made)
    _show_incidents(made)
    _show_drills(made)
    return Exit.OK


def _tell_down(arguments: Namespace, session: Session, history: History, now: datetime) -> int:
    begin = now - max(LONGEST, timedelta(days=session.catalogue.site.journal.days))
    episodes = history.episodes(since=begin)
    name, known, is_service = arguments.down, hops(episodes), arguments.down in services(episodes)
    if not is_service and name not in known:
        name = f"host {name}"
    if not is_service and name not in known:
        raise UsageError(
            f"the history knows no {arguments.down!r} (services: {', '.join(services(episodes))}; "
            f"hops: {', '.join(known)})"
        )
    found = downtime(episodes, name, service=is_service, since=begin, now=now)
    if arguments.json:
        print(json.dumps(_downtime(found), indent=1, default=str))
        return Exit.OK if found else Exit.FAILED
    if found is None:
        say(f"{name}: nobody has looked twice yet, so nothing is known", style="yellow")
        return Exit.FAILED
    for line in _down_lines(found):
        tell("", line)
    return Exit.OK


def _downtime(found: Downtime | None) -> dict[str, object] | None:
    if found is None:
        return None
    stretches = {"down": found.down, "partly": found.partly}
    told = {k: s and {"since": s.since, "until": s.until} for k, s in stretches.items()}
    return {"schema": SCHEMA} | vars(found) | told | {"lasts": found.lasts}


def _down_lines(found: Downtime) -> Iterator[str]:
    down, partly = found.down, found.partly
    why = f" – broken: {', '.join(found.why)}" if found.why else ""
    if down is None:
        yield f"{found.name} was never seen down"
    elif found.lasts:
        yield (
            f"{found.name} is down since {_day(down.since)}, for {span_words(down.seconds)}"
            f" when last looked at ({_day(down.until)}){why}"
        )
    else:
        yield (
            f"{found.name} was last down from {_day(down.since)} to {_day(down.until)}, "
            f"for {span_words(down.seconds)}{why}"
        )
    if partly and (down is None or partly.since > down.since):
        yield (
            f"not every way to it worked from {_day(partly.since)} to {_day(partly.until)}, "
            f"for {span_words(partly.seconds)}"
        )
    yield f"known since {_day(found.since)}; {percent(found.watched)} of that time was watched"


def _show_changes(made: Report) -> None:
    out.print(f"What changed since {_day(made.since)}", style="bold")
    entries = [(t.since, "", t) for t in made.troubles] + [(r.began, r.id, r) for r in made.events]
    for at, _, entry in sorted(entries, key=lambda entry: entry[:2]):
        words, style = _trouble(entry) if isinstance(entry, Trouble) else _event(entry)
        tell(f"  {at:%d %b %H:%M}", words, style=style, columns=16)
    if not entries:
        tell("", "nothing", columns=2)
    counts = [
        f"{kind} {tally.runs}" + (f" ({tally.unwell} not ok)" if tally.unwell else "")
        for kind, tally in made.runs.items()
    ]
    style = "" if made.runs else "yellow"
    tell("  runs", ", ".join(counts) or "NONE: nobody looked at all", style=style, columns=16)


def _trouble(trouble: Trouble) -> tuple[str, str]:
    first, more = trouble.first, len(trouble.findings) - 1
    lasted = span_words(trouble.seconds)
    ending = (
        f"lasted {lasted}"
        if trouble.over
        else f"lasted {lasted} or longer, and was taken away"
        if trouble.gone
        else f"STILL SO after {lasted}"
        if trouble.lasts
        else f"lasted {lasted} or longer, nobody looked on"
    )
    also = f" and {more} more" if more else ""
    words = (
        f"{first.status.word.upper()} {first.subject}{also}: {first.seen} – {first.hop} – {ending}"
    )
    return words, STYLES[first.status] if not trouble.over else ""


def _event(run: Run) -> tuple[str, str]:
    if run.ended is None:
        return f"{run.kind} by {run.operator} has not ended: it runs, or was killed", "yellow"
    words = run.words or ("done" if run.status == 0 else f"exit status {run.status}")
    return f"{run.kind} by {run.operator}, commit {run.commit}: {words}", (
        "" if run.status == 0 else "red"
    )


def _show_availability(made: Report, *, everything: bool) -> None:
    out.print()
    top = "".join(f"{window:<{SHARE + WATCHED}}" for window in WINDOWS)
    below = "".join(f"{'up':<{SHARE}}{'known':<{WATCHED}}" for _ in WINDOWS)
    out.print(f"{'Availability':<{NAME}}{top}".rstrip(), style="bold")
    out.print(f"{'':<{NAME}}{below}".rstrip(), style="bold")
    for name, windows in made.services.items():
        out.print(_row(name, windows))
    broken = {name: w for name, w in made.hops.items() if everything or _was_down(w.values())}
    for name, windows in broken.items():
        out.print(_row(name, windows))
    if quiet := len(made.hops) - len(broken):
        words = f"{quiet} more hops were never seen broken (--all lists them)"
        say(words, style="dim", indent="  ")
    for name, windows in made.services.items():
        for window, each in windows.items():
            if partly := each.seconds[State.PARTLY]:
                words = span_words(partly)
                say(f"{name}: only some of its ways worked for {words} in {window}", indent="  ")
                break
    if not made.services:
        tell("", "no service was looked at in 90 days", style="yellow", columns=2)


def _row(name: str, windows: Mapping[str, Availability]) -> Text:
    row = Text(f"  {name[: NAME - 3]:<{NAME - 2}}")
    for each in windows.values():
        style = "" if each.share == 1 else "dim" if each.share is None else "red"
        row.append(f"{'-' if each.share is None else percent(each.share):<{SHARE}}", style=style)
        row.append(f"{percent(each.watched, digits=0):<{WATCHED}}", style="dim")
    row.rstrip()
    return row


def _was_down(windows: Iterable[Availability]) -> bool:
    return any(each.seconds[State.DOWN] for each in windows)


def _show_objectives(made: Report) -> None:
    if not made.objectives:
        return
    out.print()
    out.print(f"Error budgets, {WINDOW}", style="bold")
    for one in made.objectives:
        left = span_words(one.left) if one.kept else f"OVERDRAWN by {span_words(-one.left)}"
        words = f"objective {one.percent:g} %: {left} of {span_words(one.allowed)} left"
        tell(f"  {one.service}", words if one.kept else words.removesuffix(" left"),
             style="" if one.kept else "red", columns=NAME)  # fmt: skip


def _show_incidents(made: Report) -> None:
    out.print()
    out.print(f"The worst incidents, {WINDOW}", style="bold")
    for one in made.incidents:
        touched = f" – {', '.join(one.services)}" if one.services else ""
        lasted = f"{'so far ' if one.lasts else ''}{span_words(one.seconds)}"
        words = f"{lasted}: {one.hop}: {one.worst.seen}{touched}"
        tell(f"  {one.begin:%d %b %H:%M}", words, columns=16)
    if not made.incidents:
        tell("", "none", columns=2)


def _show_drills(made: Report) -> None:
    out.print()
    out.print("The last drills against their budgets", style="bold")
    for each in made.drills:
        drill = each.drill
        verdict = "within" if drill.kept else "not judged" if each.spoiled else "OVER"
        words = f"{verdict}: {drill.service}, {drill.fault} on {drill.host}: {each.words}"
        tell(f"  {each.at:%d %b %H:%M}", words, style="" if drill.kept else "red", columns=16)
    if not made.drills:
        tell("", "none is remembered: python runbooks/failover.py --all --apply", columns=2)


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


if __name__ == "__main__":
    main(report, flags())
