"""The jobs that run by themselves: verify, sync verify, readiness, drill.

Shows the timers and what would change, and changes nothing. --apply brings
the timers to what `schedule` in inventory/defaults.yaml says, --remove
--apply takes them away.
"""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from runbooks.packages import require

require()


from inventory.catalogue import Catalogue
from inventory.errors import Exit, InventoryError, UsageError
from inventory.schedule import Schedule
from journal.answers import span_words
from journal.entries import Run
from journal.history import History
from journal.store import JournalError
from runbooks import deploy
from runbooks.cli import Session, main, open_session, working
from runbooks.flags import add_change_flags, add_diff_flag, add_source_flags, parser
from runbooks.lines import err, say, tell_how_to_apply
from runbooks.remember import open_history, remember_without_inventory, remembered
from runbooks.transaction import begin, introduce
from runbooks.transaction.document import Report
from runbooks.transaction.show import show_plans, show_timers
from tasks import timers
from tasks.configs.file import ABSENT, ConfigFile, digest
from tasks.configs.schedule import COMMANDS, cron_lines
from tasks.look import program as look
from tasks.look.keys import LOOK
from tasks.plan import HostPlan
from tasks.timers import Ending

ELSEWHERE = 75  # status of --stand-in: another host runs the jobs
TAKEOVER, HAND_BACK = "takeover", "hand-back"

EPILOG = """\
exit status: 0 all that was asked is true, 1 something failed, 2 nothing was
touched (usage or inventory). Without --apply, 0 also when there is something
to change.
"""


def flags() -> ArgumentParser:
    made = parser(__doc__ or "", epilog=EPILOG)
    add_change_flags(made)
    add_diff_flag(made)
    add_source_flags(made)
    made.add_argument("--remove", action="store_true", help="take every job away")
    made.add_argument("--cron", action="store_true", help="print lines for /etc/cron.d instead")
    units = made.add_argument_group("what the units themselves call")
    units.add_argument("--stand-in", metavar="HOST", help="must HOST run the jobs? 75: it need not")
    units.add_argument("--beat", metavar="HOST", help="HOST tells those behind it that it lives")
    units.add_argument("--failed", choices=COMMANDS, help="remember that this job failed")
    return made


def schedule(arguments: Namespace) -> int:
    if arguments.failed:
        return failed(arguments)
    session = open_session(arguments)
    if arguments.stand_in:
        return stand_in(session, arguments.stand_in)
    if arguments.beat:
        return beat(session, arguments.beat)
    if arguments.cron:
        return print_cron(session.catalogue)
    return manage(arguments, session)


# --- installing, showing, removing -------------------------------------------------------


def manage(arguments: Namespace, session: Session) -> int:
    """Show the timers, and bring them to what they should be, by the deploy's transaction."""
    wanted = session.catalogue.site.schedule
    if arguments.remove:
        session = _with(session, replace(wanted, hosts=()))
    timed = _with_systemd(session)
    deploy.refuse_source(arguments, session.source)
    with working("rendering and looking"):
        files = deploy.render(session)
        plans = deploy.look(session, files)
        listed = session.run(
            lambda task: timers.listing(task, session.catalogue.hosts[task.host.name]), timed
        )
    show_timers(session.catalogue.site.schedule, listed.done)
    states = {name: plan.state for name, plan in plans.items()}
    strangers = introduce.strangers(session, states, [LOOK])
    unknown = strangers[LOOK.name]
    changed = {n: plan for n, plan in plans.items() if plan.changes or n in unknown}
    show_plans(changed, diff=arguments.diff)
    introduce.show(session, strangers)
    begin.refuse_certain(plans)
    if not changed:
        say("nothing to do: every host has just these jobs")
    elif not arguments.apply:
        tell_how_to_apply()
    if not arguments.apply or not changed:
        return Exit.OK
    _refuse_others(changed)
    status = deploy.apply(arguments, session, files, changed, strangers, Report())
    if arguments.remove and wanted.hosts:
        say(
            "inventory/defaults.yaml still asks for them: unless schedule.hosts is [] there, the "
            "next deploy puts them back",
            style="yellow",
        )
    return status


def _with(session: Session, schedule: Schedule) -> Session:
    site = replace(session.catalogue.site, schedule=schedule)
    return replace(session, catalogue=replace(session.catalogue, site=site))


def _with_systemd(session: Session) -> list[str]:
    """Those that can have timers; the others only show themselves to a stand-in."""
    timed = [host.name for host in session.hosts if host.has_systemd]
    if not timed:
        raise UsageError("none of these hosts has systemd; --cron prints lines for cron")
    return timed


def _refuse_others(plans: Mapping[str, HostPlan]) -> None:
    """Only jobs are changed here. Raises UsageError where a deploy has more to do."""
    others = [
        f"{name}: {change.config.path}"
        for name, plan in plans.items()
        for change in plan.changes
        if not _is_of_the_jobs(change.config)
    ]
    if others:
        raise UsageError(
            f"a deploy would change more than the jobs ({', '.join(others)}): python "
            "runbooks/deploy.py --apply brings all of it"
        )


def _is_of_the_jobs(config: ConfigFile) -> bool:
    activation = config.activation
    return config.name == look.NAME or (activation is not None and activation.name == "schedule")


def print_cron(catalogue: Catalogue) -> int:
    if not catalogue.site.schedule.jobs:
        raise UsageError("no job is on: data.schedule in inventory/defaults.yaml")
    for line in cron_lines(catalogue):
        print(line)
    return Exit.OK


# --- what the units call ------------------------------------------------------------------


def stand_in(session: Session, host: str) -> int:
    """0 when `host` must run the jobs, because it has not heard of those before it."""
    wanted = session.catalogue.site.schedule
    # Fails now, not in an emergency, if a secret is missing or a host would show nothing.
    files = deploy.render(session)
    _refuse_blind(files[host])
    elders = wanted.elders_of(host)
    silent = timers.silence(elders)
    is_alone = silent > wanted.patience.total_seconds()
    if is_alone != _stands_in(session):
        names = ", ".join(elders)
        with remembered(session, TAKEOVER if is_alone else HAND_BACK) as record:
            words = (
                f"{names} was silent for {span_words(silent)}: {host} runs the jobs"
                if is_alone
                else f"{names} is heard again: {host} stands by"
            )
            say(words)
            record.conclude(Exit.OK, words)
    return Exit.OK if is_alone else ELSEWHERE


def _refuse_blind(files: Sequence[ConfigFile]) -> None:
    """Raise UsageError where the look on this host is not what this checkout would write.

    Then it is not on the others either, which show themselves to one that knows it.
    """
    wanted = next(config for config in files if config.name == look.NAME)
    try:
        there = digest(Path(wanted.path).read_text(encoding="utf-8"))
    except OSError:
        there = ABSENT
    if there != wanted.digest:
        raise UsageError(
            f"{wanted.path} is not the one of this checkout and its inventory, so that no host "
            "would show itself: git pull here, or deploy from the control node"
        )


def _stands_in(session: Session) -> bool:
    """Was the last change of guard on this machine a takeover?"""
    always = datetime.fromtimestamp(0, UTC)
    try:
        history = open_history(session.catalogue)
    except JournalError:
        return False  # the jobs run all the same; only the change of guard is told each time
    changes = [
        run for kind in (TAKEOVER, HAND_BACK) for run in history.runs(since=always, kind=kind)
    ]
    return max(changes, key=lambda run: run.began).kind == TAKEOVER if changes else False


def beat(session: Session, host: str) -> int:
    """A run that ended by itself is a sign of life; one without an inventory is none."""
    result, status = os.environ.get("SERVICE_RESULT"), os.environ.get("EXIT_STATUS")
    if result not in ("success", "exit-code") or status == str(int(Exit.USAGE)):
        return Exit.OK
    juniors = session.catalogue.site.schedule.juniors_of(host)
    told = session.run(
        lambda task: timers.beat(task, session.catalogue.hosts[task.host.name], host), juniors
    )
    for name, error in told.errors.items():
        say(f"{name} could not be told: {error}", to=err)
    return Exit.OK


def failed(arguments: Namespace) -> int:
    """Remember a job that failed and could not say so itself."""
    ended = timers.ending(arguments.failed)
    words = f"{arguments.failed} {ended.words}: journalctl -u twinedge-{arguments.failed}"
    try:
        session = open_session(arguments)
    except InventoryError:
        remember_without_inventory("job", words, arguments.config)
        raise
    if not _has_told(open_history(session.catalogue), arguments.failed, ended):
        say(words)
        with remembered(session, "job") as record:
            record.conclude(Exit.FAILED, words)
    return Exit.OK


def _has_told(history: History, job: str, ended: Ending) -> bool:
    """The run that systemd saw fail has noted its own end, with the same status."""
    if ended.result != "exit-code" or ended.began is None:
        return False
    runs: list[Run] = history.runs(since=ended.began, kind=job)
    return any(run.status == ended.status for run in runs)


if __name__ == "__main__":
    main(schedule, flags())
