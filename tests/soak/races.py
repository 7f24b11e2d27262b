"""Two controllers at once: never interleaved, and the loser is told by whom it was beaten."""

from dataclasses import dataclass

from lab.api import Lab
from tests.lab.conftest import shell
from tests.soak.transaction import HOSTS, Bench


@dataclass(frozen=True)
class Race:
    """What one race came to. `wrong` is empty when all hosts are on one run's release."""

    winners: tuple[str, ...]
    losers_words: tuple[str, ...]
    wrong: tuple[str, ...]


def race(lab: Lab, bench: Bench) -> Race:
    """vps2 deploys a while client deploys b; each has something to change on every host."""
    for host in HOSTS:
        shell(lab, host, "echo >> /etc/mcp/mcp.json")
    runs = {
        version: lab.popen(controller, bench.command(version, 60))
        for version, controller in (("a", "vps2"), ("b", "client"))
    }
    ended = {
        version: (*run.communicate(timeout=120), run.returncode) for version, run in runs.items()
    }
    winners = tuple(version for version, (_, _, status) in ended.items() if status == 0)
    losers_words = tuple(err.strip() for _, err, status in ended.values() if status != 0)
    return Race(winners, losers_words, tuple(_wrong(lab, bench, losers_words)))


def _wrong(lab: Lab, bench: Bench, losers_words: tuple[str, ...]) -> list[str]:
    versions = {host: bench.left_on(host) for host in HOSTS}
    releases = {shell(lab, host, "cat /var/lib/twinedge/current").strip() for host in HOSTS}
    wrong = []
    if len(set(versions.values())) > 1 or "a mixture" in versions.values():
        wrong.append(f"interleaved: {versions}")
    if len(releases) > 1:
        wrong.append(f"on {len(releases)} releases")
    for words in losers_words:
        if "is at work on this host since" not in words and "the plan was made" not in words:
            wrong.append(f"the loser was told: {words}")
    for host in HOSTS:
        left = shell(lab, host, "cd /var/lib/twinedge; ls | grep -E '^(lock|pending)$' || true")
        if left.strip():
            wrong.append(f"{host} is left with {left.split()}")
    return wrong
