"""A past for an edge, as 0.1.0 leaves one, and what an operator can see of it afterwards."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lab.api import Lab
from tests.lab import released
from tests.lab.conftest import shell
from tests.lab.released import Operator
from tests.lab.test_schedule import lend_secrets, runs
from tests.lab.test_sync import TREE, meanwhile, until, until_alike
from tests.soak.transaction import HOSTS

EDGES = ("vps1", "vps2")
PORT, HEARD = 8099, "/root/heard"
METRICS = "/root/twinedge.prom"
SCHEDULE = {
    "hosts": [released.CONTROL, released.STAND_IN],
    "checkout": released.CHECKOUT,
    "settings": released.CONFIG,
    "verify": {"every": "1h", "jitter": "1h"},  # none by itself in the middle of a test
    "sync": {"every": "1h", "jitter": "1h"},
    "readiness": {"at": "05:30"},
}
LENT = "id_ed25519 known_hosts"
SEEN = (0, 1)  # exit statuses of a look that reached every host
PATIENT = ("--timeout", "60")  # seconds
SYNC = "/var/lib/twinedge/sync"
MANIFEST = "/var/lib/twinedge/releases/$(cat /var/lib/twinedge/current)/manifest"
# What any release of a host speaks of and is there; not the commit in the headers.
WRITTEN = """\
cat /var/lib/twinedge/releases/*/manifest | cut -d ' ' -f 8- | sort -u | while read -r path; do
    [ ! -e "$path" ] || echo "$path $(stat -c '%a %U:%G' "$path")" \
        "$(sed '/Made by twinedge/d' "$path" | sha256sum)"
done
"""
# So that each transaction has every file to replace and every program to activate.
EDIT_ALL = (
    f"while read -r _ _ _ _ _ _ _ path; do [ ! -e $path ] || echo >> $path; done < {MANIFEST}"
)
DRILL = """\
import os
from datetime import UTC, datetime
from pathlib import Path
from inventory.load import load_catalogue
from journal.history import History
from tests.unit.histories import run_drill
catalogue = load_catalogue(Path(os.environ["TWINEDGE_CONFIG"]))
history = History(Path(catalogue.site.journal.file).expanduser())
run_drill(catalogue, history, datetime.now(UTC))
"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What an operator can see of the edge and of its past."""

    files: Mapping[str, str]
    releases: Mapping[str, set[str]]
    joined: Mapping[str, str]
    timers: Mapping[str, set[str]]
    keys: Mapping[str, str]
    told: Mapping[str, Any]
    metrics: set[str]


@contextmanager
def listening(lab: Lab) -> Iterator[None]:
    address = lab.machines["client"].tailnet
    ear = lab.popen("client", ["python", "-m", "tests.lab.listen", str(address), str(PORT), HEARD])
    until(lab, "client", f"test -e {HEARD}")
    try:
        yield
    finally:
        ear.terminate()
        ear.communicate()


def write_site(operator: Operator, looks: int) -> None:
    lab = operator.lab
    shell(lab, released.CONTROL, f"echo json://{lab.machines['client'].tailnet}:{PORT} > /root/url")
    operator.write_site(
        alerts={"urls": ["file:/root/url"], "looks": looks, "settle": "1s"},
        schedule=SCHEDULE,
        metrics={"file": METRICS},
    )


def edit(lab: Lab) -> None:
    for host in HOSTS:
        shell(lab, host, EDIT_ALL)


def make(operator: Operator) -> None:
    """Three releases with a stand-in, then synced trees with a conflict, a drill, a trouble and a
    silence, and a stand-in that has looked.
    """
    lab = operator.lab
    lend_secrets(lab)
    lend_key(lab)
    for looks in (2, 1):  # a release needs a change
        write_site(operator, looks)
        operator.told("deploy", "--apply")
        edit(lab)
    operator.told("deploy", "--apply")
    shell(lab, "vps1", f"cd {TREE} && for n in 1 2 3 both; do echo first > test-$n; done")
    until_alike(lab)
    meanwhile(lab, {"vps1": "echo older > test-both; touch -d -1min test-both",
                    "vps2": "echo newer > test-both"})  # fmt: skip
    until(lab, "vps1", f"grep -qx newer {TREE}/test-both")
    operator.python(DRILL)
    lab.fault("stop", "plex@unraid")
    silence = ("--silence", "12h", "--reason", "0.2.0 comes")
    assert operator.run("verify", *PATIENT, *silence).returncode == 1
    lab.heal()
    operator.run("verify", *PATIENT)
    assert stood_in(operator) in SEEN


def see(operator: Operator) -> Seen:
    lab = operator.lab
    return Seen(
        files=written(lab),
        releases={h: set(shell(lab, h, "ls /var/lib/twinedge/releases").split()) for h in HOSTS},
        joined=joined(lab),
        timers=timers(lab),
        keys=keys(lab),
        told={
            "conflicts": conflicts(operator),
            "syncs": shown(operator, "sync", "status"),
            "report": shown(operator, "report", "--all"),
            "verify": shown(operator, "verify", *PATIENT),
        },
        metrics=set(shell(lab, released.CONTROL, f"sed 's/[ {{].*//' {METRICS}").split()),
    )


def timers(lab: Lab) -> dict[str, set[str]]:
    """Those that are armed on each edge."""
    listed = "systemctl list-units --plain --no-legend --state active 'twinedge-*.timer'"
    return {host: set(shell(lab, host, f"{listed} | awk '{{print $1}}'").split()) for host in EDGES}


def keys(lab: Lab) -> dict[str, str]:
    """On each host: whom it lets in, and the keys of ours that lie there."""
    script = "cat /root/.ssh/authorized_keys; find /etc/twinedge -name 'key*' | sort"
    return {host: shell(lab, host, script) for host in HOSTS}


def lend_key(lab: Lab) -> None:
    """The operator's key and known hosts on the stand-in, without which 0.1.0's cannot look."""
    lent = shell(lab, released.CONTROL, f"tar -C /root/.ssh -c {LENT} | base64")
    lab.run(released.STAND_IN, ["sh", "-c", "base64 -d | tar -C /root/.ssh -x"], input=lent,
            check=True)  # fmt: skip


def take_key_away(lab: Lab) -> None:
    shell(lab, released.STAND_IN, f"cd /root/.ssh && rm {LENT}")


def stood_in(operator: Operator) -> int:
    """The exit status of the look that the stand-in's own job makes when nobody is heard."""
    lab = operator.lab
    shell(lab, released.STAND_IN, f"touch -d '1 day ago' /run/twinedge/heard/{released.CONTROL}")
    before = runs(lab, released.STAND_IN, "verify")
    shell(lab, released.STAND_IN, "systemctl start twinedge-verify || :")  # 1: it has findings
    (made,) = runs(lab, released.STAND_IN, "verify")[len(before) :]
    return int(made["status"])


def written(lab: Lab) -> dict[str, str]:
    return {host: shell(lab, host, WRITTEN) for host in HOSTS}


def conflicts(operator: Operator) -> Any:
    """What is kept of each sync; 0.1.0's JSON had no key `schema`."""
    told = shown(operator, "sync", "conflicts")
    return [{key: value for key, value in sync.items() if key != "schema"} for sync in told]


def shown(operator: Operator, *words: str) -> Any:
    """What a runbook says as JSON, be all well or not: a busy machine may miss an answer."""
    return json.loads(operator.run(*words, "--json").stdout)


def joined(lab: Lab) -> dict[str, str]:
    return {
        host: shell(lab, host, f"grep -c 'joined anew' {SYNC}/*/history || :") for host in EDGES
    }


def noticed(trouble: Mapping[str, Any]) -> tuple[str, ...]:
    """What does not change while a trouble lasts."""
    return trouble["hop"], trouble["status"], trouble["since"]


def shape(told: Any, at: str = "") -> set[str]:
    """Every key of a JSON document, by its path."""
    if isinstance(told, dict):
        return {f"{at}.{key}" for key in told}.union(
            *(shape(v, f"{at}.{k}") for k, v in told.items())
        )
    return (
        set[str]().union(*(shape(each, f"{at}[]") for each in told))
        if isinstance(told, list)
        else set()
    )
