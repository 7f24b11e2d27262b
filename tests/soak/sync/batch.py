"""Eight histories at once on the lab: their operations, the faults in between, the end."""

import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.api import Lab
from tests.lab import sites
from tests.lab.conftest import shell
from tests.soak.sync.candidates import STATE, TREES, Candidate, root
from tests.soak.sync.history import PHASE_SECONDS, PHASES, SIDES, Op
from tests.soak.sync.judge import judge, record

FAULTS = ("none", "partition", "kill", "down", "power-cut")
QUIET = 30.0  # seconds without a transfer, once the sides are alike
PATIENCE = 900.0  # seconds until they have to be, on a machine however busy
STABLE = 4.0
JOINED = "cat /var/lib/twinedge/sync/soak-*/history 2>/dev/null | grep -c 'joined anew' || :"

Answer = dict[str, Any]


@dataclass(frozen=True)
class Blow:
    """One phase's fault: on which side, when in the phase."""

    kind: str
    side: str
    at: float


def blows(seed: int) -> tuple[Blow, ...]:
    """Every fault once, in an order of the seed's."""
    rng = random.Random(f"faults {seed}")
    kinds = rng.sample(FAULTS, PHASES)
    return tuple(
        Blow(kind, rng.choice(SIDES), rng.uniform(0, PHASE_SECONDS * 0.8)) for kind in kinds
    )


class SyncBench:
    """The lab with eight empty synced trees."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        sites.install(lab, "vps2")
        script = (
            "import sys, yaml; p = sys.argv[1]; c = yaml.safe_load(open(p)); "
            "c['syncs'] = yaml.safe_load(sys.stdin); open(p, 'w').write(yaml.safe_dump(c))"
        )
        syncs = {f"soak-{n}": {"hosts": list(SIDES), "directory": root(n)} for n in range(TREES)}
        services = sites.config("a").replace("config.yaml", "services.yaml")
        self.lab.run(
            "vps2", ["python", "-c", script, services], input=yaml.safe_dump(syncs), check=True
        )
        flags = ["--apply", "--allow-dirty", "--allow-older", "--config", sites.config("a")]
        done = lab.run("vps2", ["python", "runbooks/deploy.py", *flags], timeout=300)
        assert done.returncode == 0, done.stderr

    def run(
        self, candidate: Candidate, histories: Mapping[str, Sequence[Op]], faults: Sequence[Blow]
    ) -> Answer:
        """`histories`: a label of each tree's own, and its operations."""
        began = time.monotonic()
        self._begin(candidate)
        trees = [
            {"root": root(n), "seed": label, "ops": [vars(op) for op in ops]}
            for n, (label, ops) in enumerate(histories.items())
        ]
        for phase, blow in enumerate(faults):
            self._play(trees, phase, blow)
        settled, unsettled = self._settle()
        before = candidate.transfers(self.lab)
        time.sleep(QUIET)
        late = candidate.transfers(self.lab) - before
        ends = {side: self._look(side, candidate) for side in SIDES}
        wrong = {label: self._judge(ends, root(n)) for n, label in enumerate(histories)}
        self._keep_evidence(wrong, ends)
        if late:
            wrong["all"] = [f"restless: {late} transfers in {QUIET:.0f} quiet seconds"]
        return {
            "candidate": candidate.name,
            "faults": [f"{b.kind} {b.side}" for b in faults],
            "histories": len(histories),
            "operations": sum(
                self._record(ends, root(n)).operations for n in range(len(histories))
            ),
            "settled": round(settled, 1),
            "unsettled": unsettled,
            "joined": int(shell(self.lab, "vps1", JOINED)),
            "seconds": round(time.monotonic() - began, 1),
            "wrong": [f"{label}: {text}" for label, texts in wrong.items() for text in texts],
        }

    def _keep_evidence(self, wrong: Mapping[str, list[str]], ends: Mapping[str, Answer]) -> None:
        """What unison and the players wrote of a wrong history, in .soak/wrong-LABEL.txt."""
        for n, (label, texts) in enumerate(wrong.items()):
            if texts:
                script = f"cd {STATE}/soak-{n} && tail -n +1 log history conflicts/*.txt || :"
                told = [shell(self.lab, side, script) for side in SIDES]
                told += [
                    json.dumps(e) for s in SIDES for e in ends[s]["journal"] if root(n) in str(e)
                ]
                Path(f".soak/wrong-{label}.txt").write_text("\n".join(told), encoding="utf-8")

    def _begin(self, candidate: Candidate) -> None:
        self.lab.heal()
        roots = [root(n) for n in range(TREES)]
        for side in SIDES:
            shell(self.lab, side, "systemctl stop lsyncd")
        candidate.clean(self.lab)
        candidate.prepare(self.lab)
        for side in SIDES:
            self._player(side, "clear", {"roots": roots, "kept": candidate.kept})
            shell(self.lab, side, "systemctl reset-failed; systemctl start lsyncd")
        time.sleep(4)

    def _player(self, side: str, verb: str, asked: Answer) -> str:
        command = ["python", "-m", "tests.soak.sync.player", verb]
        done = self.lab.run(side, command, input=json.dumps(asked), timeout=120)
        assert done.returncode == 0, f"{side}: {done.stderr}"
        return done.stdout

    def _play(self, trees: list[Answer], phase: int, blow: Blow) -> None:
        start = time.time() + 0.7  # Python has to start on both sides
        players = {side: self._start(side, trees, phase, start) for side in SIDES}
        time.sleep(max(0.0, start + blow.at - time.time()))
        self._strike(blow)
        for player in players.values():
            player.communicate(timeout=PHASE_SECONDS + 30)
        self._end(blow)

    def _start(self, side: str, trees: list[Answer], phase: int, start: float) -> Any:
        mine = [
            tree | {"ops": [o for o in tree["ops"] if o["phase"] == phase and o["side"] == side]}
            for tree in trees
        ]
        shell(
            self.lab,
            side,
            "cat > /var/lib/soak-plan.json <<'END'\n"
            + json.dumps({"start": start, "trees": mine})
            + "\nEND",
        )
        words = "exec python -m tests.soak.sync.player play < /var/lib/soak-plan.json"
        return self.lab.popen(side, ["sh", "-c", words])

    def _strike(self, blow: Blow) -> None:
        if blow.kind == "partition":
            self.lab.fault("partition", blow.side)
        elif blow.kind == "kill":
            shell(self.lab, blow.side, "systemctl kill -s KILL lsyncd")
        elif blow.kind == "down":
            shell(self.lab, blow.side, "systemctl stop lsyncd")
        elif blow.kind == "power-cut":
            self.lab.power_cut(blow.side)

    def _end(self, blow: Blow) -> None:
        if blow.kind == "partition":
            self.lab.end_fault("partition", blow.side)
        elif blow.kind == "down":
            shell(self.lab, blow.side, "systemctl start lsyncd")
        elif blow.kind == "power-cut":
            self.lab.power_on(blow.side)

    def _settle(self) -> tuple[float, list[str]]:
        """Seconds until both sides are alike and stay so, or what is not when patience ends."""
        began = time.monotonic()
        alike_since: float | None = None
        last = ""
        while time.monotonic() - began < PATIENCE:
            one, other = (self._listing(side) for side in SIDES)
            now = time.monotonic()
            if one != other:
                alike_since = None
            elif alike_since is None or one != last:
                alike_since = now
            before, last = last, one
            if alike_since is not None and now - alike_since > STABLE:
                return alike_since - began, []
            time.sleep(1.0)
        unlike = set(one.splitlines()) ^ set((other if one != other else before).splitlines())
        return PATIENCE, sorted(unlike)[:6]

    def _listing(self, side: str) -> str:
        return shell(
            self.lab,
            side,
            "cd /srv/soak && find . -printf '%p %m %y\\n' | sort; "
            "find . -type f -exec sha256sum {} + | sort",
        )

    def _look(self, side: str, candidate: Candidate) -> Answer:
        roots = [root(n) for n in range(TREES)]
        asked = {"roots": roots, "kept": candidate.kept, "journal": True}
        found: Answer = json.loads(self._player(side, "look", asked))
        return found

    def _record(self, ends: Mapping[str, Answer], tree: str) -> Any:
        return record(
            {s: [e for e in end["journal"] if e["root"] == tree] for s, end in ends.items()}
        )

    def _judge(self, ends: Mapping[str, Answer], tree: str) -> list[str]:
        kept = {digest for end in ends.values() for digest in end["kept"][tree]}
        trees = {side: end["trees"][tree] for side, end in ends.items()}
        return list(judge(self._record(ends, tree), trees, kept))
