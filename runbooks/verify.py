"""Does the edge do what the catalogue says, and if not, which hop is broken?

Asks everything at once, from every side, and changes nothing.
"""

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from runbooks.packages import require

require()

from inventory.catalogue import Service
from inventory.errors import Exit, UsageError
from inventory.fields import span
from runbooks.cli import Session, main, open_session, refuse_unknown, working
from runbooks.flags import parser
from runbooks.lines import out, say
from runbooks.remember import remembered
from runbooks.survey import matrix, results
from runbooks.survey.inquiry import Inquiry
from tasks.checks import (
    access,
    appliance,
    caddy,
    caddy_config,
    cloudflare,
    config,
    dns,
    doors,
    host,
    mesh,
    names,
    pending,
    service,
    sync,
    tunnel,
)
from tasks.checks.diagnosis import diagnose, faults, verdict
from tasks.checks.finding import Finding, Status
from tasks.checks.survey import Survey
from tasks.look.program import LIMIT
from tasks.ssh.options import only_look

Judge = Callable[[Survey], Iterator[Finding]]

CHECKS: Mapping[str, tuple[Judge, ...]] = {
    "service": (service.judge,),
    "mesh": (mesh.judge,),
    "caddy": (caddy_config.judge, caddy.judge, names.judge),
    "tunnel": (tunnel.judge,),
    "access": (access.judge,),
    "cloudflare": (cloudflare.judge,),
    "dns": (dns.judge,),
    "config": (config.judge,),
    "host": (host.judge, doors.judge, appliance.judge),
    "sync": (sync.judge,),
}
STATUSES = {
    Status.OK: Exit.OK,
    Status.UNREACHABLE: Exit.UNREACHABLE,
    Status.FAILED: Exit.FAILED,
}
EPILOG = """\
exit status: 0 all is well, 1 something failed (with --strict also: a
warning), 2 usage or inventory, 3 some host could not be reached and nothing
worse.
"""


def flags() -> ArgumentParser:
    made = parser(__doc__ or "", epilog=EPILOG)
    made.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="CHECKS",
        help=f"only these checks, with commas between: {', '.join(CHECKS)}",
    )
    made.add_argument(
        "--service", action="append", default=[], metavar="NAME", help="only this (repeatable)"
    )
    made.add_argument("--json", action="store_true", help="as JSON (docs/verify.schema.json)")
    made.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML too")
    made.add_argument("--quiet", action="store_true", help="print only what is not ok")
    made.add_argument("--strict", action="store_true", help="a warning fails")
    made.add_argument(
        "--look",
        action="store_true",
        help="with the key of a stand-in, as its job does: it may do nothing but this",
    )
    made.add_argument(
        "--timeout",
        type=float,
        default=LIMIT,
        metavar="SECONDS",
        help="of each single question (default: 5)",
    )
    made.add_argument(
        "--silence",
        type=_span,
        metavar="TIME",
        help="send no alerts for so long from now on, such as 90m, 2h or 3d; off ends it",
    )
    made.add_argument("--reason", default="", metavar="WORDS", help="why, for those who look")
    return made


def _span(text: str) -> timedelta:
    try:
        return timedelta() if text == "off" else span(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{error}, or off") from error


def _silence_words(arguments: Namespace) -> str:
    if not arguments.silence:
        return "the silence is over: alerts are sent again"
    until = f"{datetime.now(UTC) + arguments.silence:%Y-%m-%d %H:%M} UTC"
    return f"no alerts until {until}" + (f": {arguments.reason}" if arguments.reason else "")


def _is_whole(arguments: Namespace) -> bool:
    """Was everything looked at? A part of it raises no alert and resolves none."""
    return not (arguments.only or arguments.service or arguments.host or arguments.role)


def verify(arguments: Namespace) -> int:
    started = time.monotonic()
    session = open_session(arguments)
    if arguments.look:
        only_look(session.nornir.inventory)
    checks, services = _chosen_checks(arguments), _chosen_services(arguments, session)
    if arguments.timeout <= 0:
        raise UsageError("--timeout should be more than 0 seconds")
    if arguments.reason and not arguments.silence:
        raise UsageError("--reason goes with --silence TIME: it says why nobody is to be alerted")
    with remembered(session, "verify") as record:
        if arguments.silence is not None:
            record.silence(arguments.silence, arguments.reason)
        with working(f"asking {len(session.hosts)} hosts about {len(services)} services"):
            survey = Inquiry(
                session=session,
                checks=checks,
                services=services,
                timeout=arguments.timeout,
                looks_only=arguments.look,
            ).take()
        findings = diagnose(pending.settle(survey, judge(survey, checks)))
        if all(finding.check == "host" for finding in findings) and checks != {"host"}:
            raise UsageError("these filters leave nothing to check")
        status = STATUSES[verdict(findings, strict=arguments.strict)]
        record.found(findings, whole=_is_whole(arguments))
        record.conclude(status, matrix.counts(findings))
    if arguments.silence is not None and not arguments.json:
        say(_silence_words(arguments))
    _tell(arguments, survey, findings, time.monotonic() - started, status)
    return status


def _chosen_checks(arguments: Namespace) -> frozenset[str]:
    named = [name for words in arguments.only for name in words.split(",")]
    refuse_unknown("check", named, CHECKS)
    return frozenset(named or CHECKS)


def _chosen_services(arguments: Namespace, session: Session) -> tuple[Service, ...]:
    known = session.catalogue.services
    refuse_unknown("service", arguments.service, known)
    return tuple(known[name] for name in arguments.service or known)


def judge(survey: Survey, checks: Iterable[str]) -> Iterator[Finding]:
    """Findings in the order of a path. Whether hosts can be reached is always told."""
    for name, judges in CHECKS.items():
        if name in checks:
            for one in judges:
                yield from one(survey)
    if "host" not in checks:
        yield from host.judge_reached(survey)
        yield from appliance.judge(survey)


def _tell(
    arguments: Namespace,
    survey: Survey,
    findings: tuple[Finding, ...],
    seconds: float,
    status: Exit,
) -> None:
    if arguments.junit:
        results.write_junit(arguments.junit, findings, seconds, strict=arguments.strict)
    if arguments.json:
        out.print(results.as_json(findings, seconds, status), markup=False)
        return
    if not arguments.quiet:
        matrix.show_matrix(survey, findings)
    matrix.show_faults(faults(findings))
    matrix.show_undeployed(findings)
    if not arguments.quiet:
        matrix.show_summary(findings, seconds)


if __name__ == "__main__":
    main(verify, flags())
