"""Render every config and bring all hosts to it in one transaction.

Looks by default: prints what would change and leaves nothing on a host.
--apply acts.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from runbooks.flags import add_change_flags, add_diff_flag, add_source_flags, parser

EPILOG = """\
exit status: 0 all that was asked is true, 1 something failed, 2 nothing was
touched (usage or inventory). Without --apply, 0 also when there is something
to change.
"""


def flags() -> ArgumentParser:
    made = parser(__doc__ or "", epilog=EPILOG)
    add_change_flags(made)
    made.add_argument(
        "--plan-out", type=Path, metavar="FILE", help="save what is shown, for --apply --plan"
    )
    made.add_argument(
        "--plan", type=Path, metavar="FILE", help="apply just this plan, if the world is still so"
    )
    made.add_argument("--hosts-alone", action="store_true", help="leave Cloudflare as it is")
    made.add_argument(
        "--many", action="store_true", help="delete more than a third of ours at Cloudflare"
    )
    add_diff_flag(made)
    made.add_argument("--json", action="store_true", help="as JSON (docs/deploy.md)")
    add_source_flags(made)
    return made


if __name__ == "__main__":
    flags().parse_args()  # what ends here needs nothing of what follows

from nornir.core.task import Result, Task

from inventory.catalogue import Catalogue
from inventory.errors import Exit, InventoryError, TwinedgeError, UsageError
from inventory.secrets import refuse_missing
from inventory.source import Source
from inventory.version import version
from operations.doctor import also_asked
from operations.renamed import renamed, served_by
from operations.retire import list_hosts
from runbooks.cli import Session, main, open_session, tell_appliances, working
from runbooks.lines import out, say, tell, tell_how_to_apply
from runbooks.remember import remembered
from runbooks.transaction import approved, begin, clouds, introduce
from runbooks.transaction.document import Report
from runbooks.transaction.gate import Change, Gate
from runbooks.transaction.rollout import Rollout
from runbooks.transaction.show import done_words, show_done, show_forebodings, show_plans
from tasks import release
from tasks.configs.file import ConfigFile
from tasks.configs.render import render_configs
from tasks.doctor import ground
from tasks.doctor.host import judged
from tasks.doctor.site import refuse_another_tunnel
from tasks.plan import HostPlan, make_plan
from tasks.release import Run

Files = Mapping[str, Sequence[ConfigFile]]


def deploy(arguments: Namespace) -> int:
    report = Report()
    if not arguments.json:
        return _deploy(arguments, report)
    out.quiet = True
    status: int = Exit.FAILED
    error = "interrupted, or an error in twinedge itself"
    try:
        status, error = _deploy(arguments, report), ""
    except TwinedgeError as failed:
        status, error = failed.status, str(failed)
        raise
    finally:
        out.quiet = False
        out.print(report.as_json(status, error), markup=False)
    return status


def _deploy(arguments: Namespace, report: Report) -> int:
    approval = _approval(arguments)
    session = open_session(arguments)
    refuse_source(arguments, session.source)
    begin.canary(arguments, session)
    begin.refuse_unknown_services(arguments, session)
    refuse_another_tunnel(session.catalogue)
    with working("rendering and looking"):
        files = render(session)
        plans = report.plans = look(session, files)
        report.gate = look_from_outside(arguments, session, plans)
    show_plans(plans, diff=arguments.diff)
    tell_appliances(session, arguments)
    states = {name: plan.state for name, plan in plans.items()}
    for name, words in renamed(session.catalogue, states):
        tell(name, words)
    strangers = introduce.strangers(session, states)
    introduce.show(session, strangers)
    sky = clouds.beside(session, alone=_hosts_alone(arguments))
    begin.refuse_certain(plans)
    begin.refuse_gone(session.catalogue, states)
    if report.gate:
        show_forebodings(report.gate)
    if arguments.plan_out:
        approved.save(plans, arguments.plan_out)
        say(f"saved; to apply exactly this: --apply --plan {arguments.plan_out}")
    if not arguments.apply:
        if not arguments.plan_out and not _is_done(plans, strangers, sky):
            tell_how_to_apply()
        return Exit.OK
    if approval:
        approved.refuse_moved(approval, plans)
    clouds.refuse(sky, plans, many=arguments.many)
    clouds.before(session, sky)
    apply(arguments, session, files, plans, strangers, report)
    told = report.rollout.hosts if report.rollout else ()
    list_hosts(session, {name: state for name, state in states.items() if name not in told})
    return clouds.after(session, sky)


def _hosts_alone(arguments: Namespace) -> bool:
    """Cloudflare leads to every edge, and a saved plan holds what hosts are to become."""
    chosen = arguments.host or arguments.role or arguments.plan or arguments.plan_out
    return bool(arguments.hosts_alone or chosen)


def _is_done(
    plans: Mapping[str, HostPlan], strangers: introduce.Strangers, sky: clouds.Sky
) -> bool:
    hosts = all(plan.is_done for plan in plans.values()) and not any(strangers.values())
    return hosts and not sky.plan.ready


def _approval(arguments: Namespace) -> approved.Data | None:
    """The plan to apply. It chooses the hosts, so no filter may stand beside it."""
    if arguments.plan is None:
        return None
    if not arguments.apply or arguments.host or arguments.role or arguments.plan_out:
        raise UsageError("--plan goes with --apply, and with no --host, --role or --plan-out")
    plan = approved.read(arguments.plan)
    arguments.host = list(plan["hosts"])
    return plan


def render(session: Session) -> Files:
    label = session.source.label
    try:
        return session.run(lambda task: render_configs(task, session.catalogue, label)).done
    except InventoryError:
        refuse_missing(session.catalogue)  # all of them at once
        raise


def look(session: Session, files: Files) -> Mapping[str, HostPlan]:
    """A plan for every host. Raises RolloutFailed when one cannot be read."""

    scripts = introduce.look_scripts(session)

    def work(task: Task) -> Result:
        host = session.catalogue.hosts[task.host.name]
        also = scripts[host.name] + also_asked(host, session.catalogue, files[host.name])
        beside = ground.look_script(host, session.catalogue)
        return release.look(task, host, files[host.name], also, beside)

    outcome = session.run(work)
    begin.refuse_errors(outcome)
    return {
        name: judged(make_plan(name, session.source, files[name], state), session.catalogue)
        for name, state in outcome.done.items()
    }


def look_from_outside(
    arguments: Namespace, session: Session, plans: Mapping[str, HostPlan]
) -> Gate | None:
    """Ask what will be asked after the commit; nothing, where there is nothing to change."""
    todo = {name: plan for name, plan in plans.items() if plan.changes}
    if not todo:
        return None
    changes = {name: _change(session.catalogue, plan) for name, plan in todo.items()}
    gate = Gate(catalogue=session.catalogue, changes=changes, accepted=arguments.accept)
    gate.look()
    return gate


def _change(catalogue: Catalogue, plan: HostPlan) -> Change:
    host = catalogue.hosts[plan.host]
    live = {path: found.text for path, found in plan.state.files.items()}
    wanted = {change.config.path: change.config.text for change in plan.files}
    return Change(
        caddy=plan.touches("caddy"),
        resolver=plan.touches("resolver"),
        before=served_by(host, live, catalogue),
        after=served_by(host, wanted, catalogue),
    )


def refuse_source(arguments: Namespace, source: Source) -> None:
    if not arguments.apply or arguments.allow_dirty:
        return
    if source.trouble:
        raise UsageError(f"{source.trouble}. Git is the source; or say --allow-dirty")
    if source.dirty:
        raise UsageError(
            f"{source.root} has changes that are not committed, and git is the source: commit "
            "them, or say --allow-dirty"
        )
    if not source.pushed:
        raise UsageError(
            f"commit {source.label} is not pushed, and the other control node would undo it: "
            "git push, or say --allow-dirty"
        )


def _refuse_older(arguments: Namespace, source: Source, plans: Mapping[str, HostPlan]) -> None:
    if arguments.allow_older:
        return
    for plan in plans.values():
        current = plan.state.current
        if current and not source.includes(current.commit):
            raise UsageError(
                f"{plan.host} runs commit {current.commit} (by {current.by}, {current.at}), which "
                f"{source.root} does not have: git pull, or say --allow-older"
            )


def apply(
    arguments: Namespace,
    session: Session,
    files: Files,
    plans: Mapping[str, HostPlan],
    strangers: introduce.Strangers,
    report: Report,
) -> int:
    """Bring every host to its plan, in one transaction; `strangers` get their keys."""
    gate = report.gate
    unknown = {name for names in strangers.values() for name in names}
    todo = [name for name, plan in plans.items() if not plan.is_done or name in unknown]
    if not todo:
        say("nothing to do: every host is as the inventory says")
        return Exit.OK
    _refuse_older(arguments, session.source, plans)
    begin.refuse_busy({name: plans[name].state for name in todo}, arguments.break_lock)
    if gate and any(plan.touches("caddy") and plan.state.current for plan in plans.values()):
        begin.refuse_forgetting(gate, arguments.reload_anyway)
    run = begin.new_run(arguments, session.catalogue, session.source.label, version())

    def stage(task: Task, run: Run) -> Result:
        name = task.host.name
        host = session.catalogue.hosts[name]
        return release.stage(task, host, run, files[name], plans[name].state)

    with (
        working(f"deploying release {run.id}") as show,
        remembered(session, "deploy", run.id, show=show) as record,
    ):
        transaction = report.rollout = Rollout(
            session=session,
            run=run,
            hosts=todo,
            canary=begin.canary(arguments, session),
            say=record.step,
            gate=gate,
            once_staged=lambda: introduce.introduce(session, strangers),
        )
        transaction.execute(stage)
        introduce.part(session, strangers)
        record.conclude(Exit.OK, done_words(transaction, plans))
    show_done(transaction, plans)
    return Exit.OK


if __name__ == "__main__":
    main(deploy, flags())
