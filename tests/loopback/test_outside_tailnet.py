"""Split DNS of the tailnet, against the stand-in of Tailscale's API over loopback."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.standins.cloudflare.answer import Ask
from lab.standins.cloudflare.faults import Fault
from lab.standins.cloudflare.server import serving
from lab.standins.tailnet import TailnetApi
from tests.runbook import Runbook
from tests.site import Site

TOKEN, READS, SECRET = (f"tskey-{kind}-{'k' * 20}" for kind in ("api", "api-r", "client"))
DOMAIN, BOTH = "home.example", {"100.67.88.109", "100.102.55.88"}
OTHERS = {"work.example": ["10.0.0.53"]}


@pytest.fixture
def tailnet() -> TailnetApi:
    return TailnetApi(
        split_dns={domain: list(there) for domain, there in OTHERS.items()},
        tokens={TOKEN: "dns", READS: "dns:read"},
        clients={"k123": SECRET},
    )


@pytest.fixture
def asked(tailnet: TailnetApi) -> list[Ask]:
    made: list[Ask] = []
    tailnet.seen = made.append
    return made


@pytest.fixture
def use(site: Site, tailnet: TailnetApi) -> Iterator[Callable[..., None]]:
    with serving(tailnet, prefix="/api/v2") as base:

        def of(text: str, **more: Any) -> None:
            (site.folder / "tailscale-token").write_text(text)
            told = {"token": f"file:{site.folder / 'tailscale-token'}", "api": base, **more}
            site.change("defaults", "data.tailscale", told)

        of(TOKEN)
        yield of


@pytest.fixture
def run(use: object, asked: object, in_process: Callable[[str], Runbook]) -> Runbook:
    return in_process("outside")


def test_a_look_shows_whom_the_tailnet_asks_and_changes_nothing(run: Runbook, asked: list[Ask]):
    done = run()
    assert done.status == 0
    assert f"split DNS of {DOMAIN}: nobody → 100.102.55.88, 100.67.88.109" in done.out
    assert [ask.method for ask in asked] == ["GET"]


def test_apply_patches_our_domain_alone_and_the_next_look_has_nothing_to_do(
    run: Runbook, tailnet: TailnetApi, asked: list[Ask]
):
    assert run("--apply").status == 0
    assert set(tailnet.split_dns[DOMAIN]) == BOTH
    assert tailnet.split_dns["work.example"] == OTHERS["work.example"]
    assert [ask.method for ask in asked if ask.method != "GET"] == ["PATCH"]
    asked.clear()
    assert "as wanted" in run("--apply").out and [ask.method for ask in asked] == ["GET"]


def test_one_resolver_alone_is_shown_and_mended(run: Runbook, tailnet: TailnetApi):
    tailnet.split_dns[DOMAIN] = ["100.67.88.109"]
    assert f"{DOMAIN}: 100.67.88.109 → 100.102.55.88, 100.67.88.109" in run().out
    assert run("--apply").status == 0
    assert set(tailnet.split_dns[DOMAIN]) == BOTH


def test_resolvers_of_somebody_else_are_replaced_on_request_alone(
    run: Runbook, tailnet: TailnetApi
):
    tailnet.split_dns[DOMAIN] = ["10.0.0.53"]
    done = run("--apply")
    assert done.status == 1 and f"--adopt {DOMAIN}" in done.out
    assert tailnet.split_dns[DOMAIN] == ["10.0.0.53"]
    assert run("--apply", "--adopt", DOMAIN).status == 0
    assert set(tailnet.split_dns[DOMAIN]) == BOTH


def test_an_oauth_client_logs_in_and_a_credential_that_may_only_read_suffices_to_look(
    run: Runbook, use: Callable[..., None], tailnet: TailnetApi
):
    use(READS)
    assert run().status == 0
    done = run("--apply")
    assert done.status == 1 and "it lacks scope dns" in done.err
    use(SECRET, client="k123")
    assert run("--apply").status == 0
    assert set(tailnet.split_dns[DOMAIN]) == BOTH


@pytest.mark.parametrize("kind", ["cut", "lost", "error", "no-json"])
def test_a_patch_is_sent_once_and_where_its_answer_is_lost_it_is_read_what_came_of_it(
    run: Runbook, tailnet: TailnetApi, asked: list[Ask], kind: Any
):
    tailnet.faults.append(Fault(kind=kind, where="^PATCH"))
    done = run("--apply")
    assert [ask.method for ask in asked].count("PATCH") == 1
    assert done.status == (0 if kind == "cut" else 1)
    assert (DOMAIN in tailnet.split_dns) == (kind == "cut")


@pytest.mark.parametrize("kind", ["no-json", "lost", "limit", "revoked"])
def test_an_api_that_does_not_answer_is_told_in_words(run: Runbook, tailnet: TailnetApi, kind: Any):
    tailnet.faults.append(Fault(kind=kind, times=9))
    done = run("--apply")
    assert done.status == 1 and "error in twinedge" not in done.err
    assert TOKEN not in done.err + done.out


@pytest.mark.parametrize("text", ["tskey-auth-" + "k" * 20, "no-credential-at-all"])
def test_what_is_no_credential_of_the_api_is_refused_and_not_repeated(
    run: Runbook, use: Callable[..., None], text: str
):
    use(text)
    done = run()
    assert done.status == 2 and "is no tskey-api-" in done.err and text not in done.err


def test_without_a_credential_it_is_listed_what_to_set(run: Runbook, site: Site):
    site.change("defaults", "data.tailscale", None)
    assert f"{DOMAIN} Tailscale > DNS: split DNS to 100.102.55.88, 100.67.88.109" in run().out
