"""Findings for machines: JSON (docs/verify.schema.json) and JUnit XML."""

import json
import xml.etree.ElementTree as xml
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from inventory.errors import UsageError
from inventory.schema import SCHEMA
from inventory.secret import redact
from tasks.checks.finding import Finding, Status


def as_json(findings: Sequence[Finding], seconds: float, exit_status: int) -> str:
    """The document that docs/verify.schema.json describes."""
    document = {
        "schema": SCHEMA,
        "version": SCHEMA,  # as it was called before 0.2
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "seconds": round(seconds, 3),
        "exit": int(exit_status),
        "counts": {s.word: sum(f.status is s for f in findings) for s in Status},
        "findings": [_entry(finding) for finding in findings],
    }
    return redact(json.dumps(document, indent=2, ensure_ascii=False))


def _entry(finding: Finding) -> dict[str, object]:
    return {
        "check": finding.check,
        "subject": finding.subject,
        "vantage": finding.vantage,
        "status": finding.status.word,
        "seen": finding.seen,
        "expected": finding.expected,
        "seconds": round(finding.seconds, 4),
        "service": finding.service,
        "host": finding.host,
        "hop": finding.hop,
        "why": finding.why,
        "cause": finding.cause,
        "todo": finding.todo,
    }


def write_junit(
    path: Path, findings: Sequence[Finding], seconds: float, *, strict: bool = False
) -> None:
    """One suite a check, one case a finding. Raises UsageError when it cannot be written."""
    root = xml.Element("testsuites", name="twinedge verify", time=f"{seconds:.3f}")
    for check in dict.fromkeys(finding.check for finding in findings):
        cases = [finding for finding in findings if finding.check == check]
        suite = xml.SubElement(root, "testsuite", name=check, tests=str(len(cases)))
        verdicts = [_case(suite, finding, strict=strict) for finding in cases]
        for word in ("failures", "errors", "skipped"):
            suite.set(word, str(verdicts.count(word)))
    try:
        xml.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UsageError(f"--junit {path}: {error.strerror}") from error


def _case(suite: xml.Element, finding: Finding, *, strict: bool) -> str:
    """Add one case; the attribute of the suite that counts it, if any."""
    case = xml.SubElement(
        suite,
        "testcase",
        classname=finding.check,
        name=f"{finding.subject} from {finding.vantage}",
        time=f"{finding.seconds:.3f}",
    )
    words = redact(f"{finding.seen}, expected {finding.expected}")
    if finding.status in (Status.SKIPPED, Status.UNDEPLOYED) or finding.cause:
        reason = f"follows from {finding.cause}: {words}" if finding.cause else words
        xml.SubElement(case, "skipped", message=reason)
        return "skipped"
    if finding.status is Status.UNREACHABLE:
        xml.SubElement(case, "error", message=words)
        return "errors"
    if finding.status is Status.FAILED or (strict and finding.status is Status.WARN):
        xml.SubElement(case, "failure", message=words).text = f"{finding.hop}: {finding.todo}"
        return "failures"
    if finding.status is Status.WARN:
        xml.SubElement(case, "system-out").text = f"warning: {words}"
    return ""
