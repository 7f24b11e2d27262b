"""Which Access application guards a name: what is signed counts, and nothing else."""

import json
from dataclasses import replace

import pytest

from inventory.load import load_catalogue
from lab.standins.metadata import Signer
from runbooks.verify import CHECKS, judge
from tasks.checks.diagnosis import diagnose, faults
from tasks.checks.finding import Status
from tasks.probe import Answer
from tests.site import Site
from tests.unit.surveys import Edge

PLEX, AUD, OTHER = "plex.home.example", "a" * 64, "b" * 64
SIGNER, STRANGER = Signer(), Signer()
KEYS = Answer(status=200, body=json.dumps(SIGNER.certs()))


def word(*, host: str = PLEX, team: str = "example", aud: str = AUD, by: Signer = SIGNER) -> Answer:
    return Answer(status=302, guard=by.metadata(host, team=team, audience=aud))


def found(site: Site, answer: Answer, keys: Answer | None = KEYS) -> tuple[Status, str]:
    """What is found of Plex, whose AUD tag is known, on an edge that is well."""
    site.change("services", "services.plex.audience", AUD)
    survey = Edge(load_catalogue(site.config)).survey()
    asked = replace(survey, guards={"plex": answer}, keys=keys)
    findings = diagnose(judge(asked, CHECKS))
    (told,) = [f for f in findings if f.subject == f"the application at {PLEX}"]
    assert all(told in fault.findings for fault in faults(findings)), "and nothing else"
    return told.status, told.seen


def test_the_application_whose_token_the_ingress_demands_is_right(site: Site):
    assert found(site, word()) == (Status.OK, "AUD aaaaaaaa…")


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (word(aud=OTHER), "another one, AUD bbbbbbbb… of team example"),
        (word(team="another"), "another one, AUD aaaaaaaa… of team another"),
        (word(host="sonarr.home.example"), "its word is of another name"),
        (word(by=STRANGER), "its word is not signed by the team"),
        (Answer(status=302, guard="no.such.word"), "its word cannot be read"),
        (Answer(status=302, guard="rubbish"), "its word cannot be read"),
    ],
)
def test_any_other_word_is_a_failure_that_says_what_it_is(site: Site, answer: Answer, seen: str):
    status, told = found(site, answer)
    assert status is Status.FAILED and told.startswith(seen)


def test_an_edge_that_names_no_application_is_a_warning(site: Site):
    status, told = found(site, Answer(status=403))
    assert (status, told) == (Status.WARN, "Cloudflare's edge names no application (403)")


@pytest.mark.parametrize("keys", [None, Answer(status=None, error="no answer within 5 s")])
def test_without_the_teams_keys_nothing_is_concluded(site: Site, keys: Answer | None):
    status, told = found(site, word(), keys)
    assert status is Status.SKIPPED and "example.cloudflareaccess.com cannot be had" in told


def test_keys_that_cannot_be_read_are_told(site: Site):
    assert found(site, word(), Answer(status=200, body="<html>"))[1] == (
        "the team's keys cannot be read"
    )
