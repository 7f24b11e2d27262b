"""The verify runbook's own side: flags, exit statuses, what it prints and writes."""

import json
import xml.etree.ElementTree as xml
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from journal.history import History
from tasks.probe import Answer
from tests.runbook import Done
from tests.site import ROOT, Site
from tests.unit.surveys import Edge

SCHEMA = json.loads((ROOT / "docs" / "verify.schema.json").read_text(encoding="utf-8"))


def test_all_well_is_exit_0_and_a_matrix_that_fits_80_columns(verify: Callable[..., Done]):
    done = verify()
    assert done.status == 0
    assert max(len(line) for line in done.out.splitlines()) <= 80
    assert next(line for line in done.out.splitlines() if "organizr" in line).split()[1:] == (
        ["ok"] * 7
    )
    assert "\x1b" not in done.out


def test_quiet_and_well_prints_nothing(verify: Callable[..., Done]):
    assert verify("--quiet").out == ""


def test_a_fault_is_exit_1_and_one_line_of_six_parts(verify: Callable[..., Done], edge: Edge):
    edge.strangers["plex"] = Answer(status=200, body="MediaContainer")
    done = verify("--quiet")
    assert done.status == 1
    (line,) = done.out.splitlines()
    assert line.startswith("FAILED a stranger at plex.home.example – from the internet – A STR")
    assert len(line.split(" – ")) == 6


def test_an_unreachable_host_and_nothing_worse_is_exit_3(verify: Callable[..., Done], edge: Edge):
    edge.lost["unraid"] = "timed out"
    edge.direct = {
        pair: Answer(status=None, error="no connection") if pair[1] == "unraid" else answer
        for pair, answer in edge.direct.items()
    }
    done = verify()
    assert done.status == 3
    assert "UNREACHABLE unraid – from vps2 – timed out" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", "dns,mash"), "no check 'mash' (checks: access, caddy, cloudflare, config"),
        (("--service", "organiser"), "no service 'organiser' (services: antigravity-manager"),
        (("--host", "vps3"), "no host 'vps3' (hosts: unraid, vps1, vps2)"),
        (("--role", "edges"), "no role 'edges' (roles: edge, media)"),
        (("--timeout", "0"), "--timeout should be more than 0 seconds"),
        (("--reason", "new disk"), "--reason goes with --silence TIME"),
    ],
)
def test_what_makes_no_sense_is_exit_2_with_what_would(
    verify: Callable[..., Done], arguments: tuple[str, ...], said: str
):
    done = verify(*arguments)
    assert done.status == 2
    assert said in done.err


def test_nothing_to_check_is_an_error(verify: Callable[..., Done], edge: Edge):
    edge.strangers, edge.guests = {}, {}
    done = verify("--only", "access")
    assert done.status == 2
    assert "nothing to check" in done.err


def test_a_silence_is_confirmed_with_its_end_and_its_reason(verify: Callable[..., Done]):
    said = verify("--silence", "2h", "--reason", "new disk", "--quiet").out
    assert said.startswith("no alerts until 20") and said.endswith(" UTC: new disk\n")
    assert verify("--silence", "off", "--quiet").out.startswith("the silence is over")


def test_a_run_that_is_refused_for_usage_is_no_run(
    verify: Callable[..., Done], edge: Edge, site: Site
):
    edge.strangers, edge.guests = {}, {}
    assert verify("--only", "access").status == 2
    assert History(site.journal).runs(since=datetime.fromtimestamp(0, UTC)) == []


def test_warnings_fail_only_when_strict(verify: Callable[..., Done], edge: Edge):
    edge.replies["vps1", "disks"] = edge.replies["vps1", "disks"].__class__(
        status=0, text="/dev/sda1 1000 900 100 90% /"
    )
    assert verify().status == 0
    assert verify("--strict").status == 1


@pytest.mark.parametrize("broken", [False, True])
def test_the_json_is_as_its_schema_says(verify: Callable[..., Done], edge: Edge, broken: bool):
    if broken:
        edge.strangers["plex"] = Answer(status=200, body="\x1b[31m<script>")
        edge.lost["vps1"] = "timed out"
    done = verify("--json")
    document = json.loads(done.out)
    jsonschema.validate(document, SCHEMA, jsonschema.Draft202012Validator)
    assert document["exit"] == done.status
    assert sum(document["counts"].values()) == len(document["findings"])


def test_junit_counts_failures_errors_and_skips(
    verify: Callable[..., Done], edge: Edge, tmp_path: Path
):
    edge.strangers["plex"] = Answer(status=200, body="MediaContainer")
    edge.lost["unraid"] = "timed out"
    verify("--junit", str(tmp_path / "verify.xml"))
    suites = {suite.get("name"): suite for suite in xml.parse(tmp_path / "verify.xml").getroot()}
    assert suites["access"].get("failures") == "1"
    assert suites["host"].get("errors") == "1"
    assert int(suites["access"].get("tests") or 0) == len(suites["access"])


def test_a_junit_file_that_cannot_be_written_is_said(verify: Callable[..., Done]):
    done = verify("--junit", "/nowhere/verify.xml")
    assert done.status == 2
    assert "--junit /nowhere/verify.xml: No such file or directory" in done.err
