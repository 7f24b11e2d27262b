"""Rehearse the failover of services, and count what was lost.

Looks by default: is everything ready, and what would be run where? --apply
breaks the primary, watches the fallback take over, restores, and judges
against the budget.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from runbooks.packages import require

require()

from inventory.catalogue import Catalogue, Service
from inventory.errors import Exit, UsageError
from runbooks.cli import Session, main, open_session, working
from runbooks.drill.readiness import readiness
from runbooks.drill.ready import Plan, examine, make_plan, prove_undone, settle
from runbooks.drill.rehearsal import Rehearsal
from runbooks.drill.show import say_event, show_plan, show_readiness, show_result
from runbooks.flags import parser
from runbooks.lines import err, out, say, tell_how_to_apply
from runbooks.remember import remembered
from tasks.drill.faults import KINDS, out_of_reach
from tasks.drill.ledger import write_ledger
from tasks.drill.picture import report
from tasks.drill.preflight import Objection
from tasks.drill.result import DrillResult

REPORTS = Path("reports")
MAX_RATE = 200.0  # requests per second and vantage; a drill measures, it does not flood
MAX_HOLD = 600.0  # seconds; longer is no rehearsal any more
MIN_GRACE = 5.0  # seconds between the hold and the host's own restore

EPILOG = """\
exit status: 0 within the budget (or ready), 1 the budget is broken or the
drill was refused, 2 nothing was touched (usage or inventory), 4 a fault could
not be undone.
"""


def flags() -> ArgumentParser:
    made = parser(__doc__ or "", epilog=EPILOG)
    add = made.add_argument
    add("--service", action="append", default=[], metavar="NAME", help="drill it (repeatable)")
    add("--all", action="store_true", help="every service that can fail over, one by one")
    add("--apply", action="store_true", help="really break it, and restore it")
    add("--check", action="store_true", help="break nothing: would each service fail over?")
    add("--fault", choices=KINDS, default="stop", help="what breaks (default: stop)")
    add("--on", metavar="HOST", help="where it breaks (default: the primary)")
    add("--hold", type=float, default=30.0, metavar="SECONDS", help="how long (default: 30)")
    add(
        "--window",
        type=int,
        metavar="SECONDS",
        help="the host restores by itself this long after the fault (default: hold + 30)",
    )
    add(
        "--rate",
        type=float,
        default=10.0,
        metavar="N",
        help=f"requests a second from each vantage (default: 10, at most {MAX_RATE:.0f})",
    )
    add("--path", metavar="PATH", help="what is asked (default: the catalogue's probe or health)")
    add(
        "--posts",
        nargs="?",
        const="",
        metavar="PATH",
        help="each third request posts there (default: the catalogue's echo)",
    )
    add("--json", action="store_true", help="the result as JSON on standard output")
    add("--ledger", type=Path, metavar="FILE", help="every request as JSON lines")
    add("--report", type=Path, metavar="FILE", help="the picture (default: reports/drill-….html)")
    made.set_defaults(keep=0, break_lock=False)  # of a Run; a drill leaves no release
    return made


def failover(arguments: Namespace) -> int:
    refuse_usage(arguments)
    out.stderr = arguments.json  # standard output is the JSON's alone
    session = open_session(arguments)
    arguments.all |= arguments.check and not arguments.service
    services = chosen(session.catalogue, arguments)
    if arguments.check:
        return check(session, services)
    results: list[DrillResult] = []
    for service in services:
        plan = make_plan(session, service, arguments)
        with working(f"looking at {service.name}"):
            objections = settle(session, plan) if results else examine(session, plan)
        show_plan(plan, objections)
        if objections:
            refuse(session, service, objections, arguments)
            return Exit.FAILED
        if arguments.apply:
            results.append(drill(session, plan, arguments))
    if not arguments.apply:
        tell_how_to_apply()
    if arguments.json:
        print(json.dumps([result.as_json() for result in results], indent=1))
    return Exit.OK if all(result.kept for result in results) else Exit.FAILED


def check(session: Session, services: Sequence[Service]) -> int:
    with remembered(session, "readiness") as record:
        with working("asking what each service would fail over to"):
            found = readiness(session, services)
        unready = [each.service.name for each in found if not each.is_ready]
        status = Exit.FAILED if unready else Exit.OK
        words = f"would not fail over: {', '.join(unready)}" if unready else "all would fail over"
        record.conclude(status, words)
    show_readiness(found)
    return status


def refuse_usage(arguments: Namespace) -> None:
    """Flags that make no drill. Raises UsageError."""
    if arguments.host or arguments.role:
        raise UsageError("a drill needs every edge; --on says where it breaks")
    if not 1 <= arguments.rate <= MAX_RATE:
        raise UsageError(f"--rate {arguments.rate:g}: should be 1 to {MAX_RATE:.0f} a second")
    if not 5 <= arguments.hold <= MAX_HOLD:
        raise UsageError(f"--hold {arguments.hold:g}: should be 5 to {MAX_HOLD:.0f} seconds")
    if arguments.window is not None and arguments.window < arguments.hold + MIN_GRACE:
        raise UsageError(
            f"--window {arguments.window}: the host would end the fault before its {MIN_GRACE:g} s "
            f"of grace are over (at least {arguments.hold + MIN_GRACE:g})"
        )


def _no_drill(service: Service) -> str:
    """Why `service` cannot be drilled."""
    if not service.placements:
        return "no failover, the edges themselves answer"
    if not service.has_failover:
        return f"no failover, it runs on {service.placements[0]} only"
    paths = ", ".join(service.hidden_paths)
    return f"what stands in front of it turns a drill away from {paths}: see open_paths"


def chosen(catalogue: Catalogue, arguments: Namespace) -> Sequence[Service]:
    """The services to drill, in the catalogue's order. Raises UsageError."""
    kind = arguments.fault
    safe = {
        s.name: None if arguments.check else out_of_reach(kind, catalogue, s)
        for s in catalogue.services.values()
        if s.drillable
    }
    drillable = [catalogue.services[name] for name, why in safe.items() if why is None]
    if not safe:
        raise UsageError("no service has a failover to rehearse: none is on the web in two places")
    if arguments.all:
        for service in catalogue.web_services:
            if not service.drillable:
                say(f"{service.name}: {_no_drill(service)}")
            elif why := safe[service.name]:
                say(f"{service.name}: no drill, {why}")
        if not drillable:
            raise UsageError("no service can be drilled: where they run first, nobody logs in")
        return drillable
    names = ", ".join(service.name for service in drillable)
    if not arguments.service:
        raise UsageError(f"name a --service, or --all (services that fail over: {names})")
    for name in arguments.service:
        if name not in catalogue.services:
            raise UsageError(f"no service {name!r} (services that fail over: {names})")
        if not catalogue.services[name].drillable:
            reason = f"has no failover to rehearse: {_no_drill(catalogue.services[name])}"
            raise UsageError(f"{name} {reason} (services that have: {names})")
        if why := safe[name]:
            raise UsageError(f"{name}: {why}")
    return [service for service in drillable if service.name in arguments.service]


def refuse(
    session: Session, service: Service, objections: Sequence[Objection], arguments: Namespace
) -> None:
    """A drill that was asked for and did not happen is remembered, too."""
    if arguments.apply:
        with remembered(session, "drill") as record:
            reasons = "; ".join(str(each) for each in objections)
            record.conclude(Exit.FAILED, f"{service.name} was refused: {reasons}")


def drill(session: Session, plan: Plan, arguments: Namespace) -> DrillResult:
    with remembered(session, "drill", plan.run.id, show=say_event) as record:
        result = Rehearsal(session=session, plan=plan, say=record.step).perform()
        prove_undone(session, plan)
        before = record.last_drill(result)
        record.drilled(result)
        serve(session, plan, report(result, before))
        record.conclude(Exit.OK if result.kept else Exit.FAILED, result.words)
    path = arguments.report or REPORTS / f"drill-{plan.run.id}-{plan.service.name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report(result, before), encoding="utf-8")
    show_result(result, path)
    if arguments.ledger:
        write_ledger(arguments.ledger, result.rows)
    return result


def serve(session: Session, plan: Plan, text: str) -> None:
    """The report beside the page, where there is one; a drill never fails for it."""
    page = session.catalogue.site.page
    if page:
        from journal.page.drills import report_path
        from journal.page.page import write

        file = Path(page.directory) / report_path(plan.run.id, plan.service.name)
        try:
            write(text, file)
        except OSError as error:
            say(f"page: {file}: {error.strerror}", style="yellow", to=err)


if __name__ == "__main__":
    main(failover, flags())
