"""What would be in a deploy's way? Finds it all at once, each with the way out.

Asks the site and every host, and writes nothing anywhere.
"""

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from runbooks.flags import parser

EPILOG = """\
exit status: 0 nothing would make a deploy fail, 1 something would (with
--strict also: something might), 2 usage or inventory, 3 some host could not
be reached and nothing worse.
"""


def flags() -> ArgumentParser:
    made = parser(__doc__ or "", epilog=EPILOG)
    made.add_argument("--json", action="store_true", help="as JSON, in the shape of verify's")
    made.add_argument("--strict", action="store_true", help="a warning fails")
    return made


if __name__ == "__main__":
    flags().parse_args()  # what ends here needs nothing of what follows

from rich.table import Table
from rich.text import Text

from inventory.secret import redact
from operations.doctor import Diagnosis, examine
from runbooks.cli import main, open_session, tell_appliances, working
from runbooks.lines import out, tell, tell_table
from runbooks.survey import matrix, results
from tasks.checks.finding import Finding, Status


def doctor(arguments: Namespace) -> int:
    started = time.monotonic()
    session = open_session(arguments)
    with working(f"looking at the site and {len(session.hosts)} hosts"):
        found = examine(session)
    status = found.verdict(strict=arguments.strict)
    seconds = time.monotonic() - started
    if arguments.json:
        out.print(results.as_json(found.findings, seconds, status), markup=False)
    else:
        _show(found)
        tell_appliances(session, arguments)
        matrix.show_summary(found.findings, seconds)
    return status


def _show(found: Diagnosis) -> None:
    site = [finding for finding in found.findings if finding.host is None]
    _table({"site": site})
    hosts = dict.fromkeys(finding.host for finding in found.findings if finding.host)
    _table({name: [f for f in found.findings if f.host == name] for name in hosts})
    for finding in sorted(found.findings, key=lambda finding: -finding.status):
        if finding.status not in (Status.OK, Status.SKIPPED):
            _tell(finding)


def _table(rows: dict[str, list[Finding]]) -> None:
    checks = list(dict.fromkeys(f.check for findings in rows.values() for f in findings))
    table = Table("", *checks, box=None, pad_edge=False)
    for name, findings in rows.items():
        table.add_row(name, *(_cell([f for f in findings if f.check == one]) for one in checks))
    tell_table(table)
    out.print()


def _cell(findings: Sequence[Finding]) -> Text:
    if not findings:
        return Text("-", style="dim")
    status = max(finding.status for finding in findings)
    return Text(status.word, style=matrix.STYLES[status])


def _tell(finding: Finding) -> None:
    where = finding.host or "site"
    words = redact(f"{finding.status.word.upper()}: {finding.seen}")
    tell(where, words, style=matrix.STYLES[finding.status])
    if finding.todo:
        tell("", f"→ {redact(finding.todo)}")


if __name__ == "__main__":
    main(doctor, flags())
