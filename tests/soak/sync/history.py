"""What happens to one tree: operations on both sides, all from one seed, and their shrinking."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

SIDES = ("vps1", "vps2")
PHASES = 5
PHASE_SECONDS = 4.0
OPERATIONS = 30

NAMES = (
    *("plain", "with space", "it's", 'say "so"', "new\nline", "tab\there", "ünïcode-日本"),
    *("-dash", "*star?", "back\\slash", "$HOME", ".hidden", "#hash", "{a,b}", "[x]", "trail "),
)
FOLDERS = ("", "", "dir/", "dir dir/", "dir/in\nner/", "ü/")
KINDS = (
    *("write",) * 7, *("replace",) * 5, *("delete",) * 4, *("rename",) * 3,
    *("mkdir",) * 2, *("chmod",) * 2, "rmtree", "append",
)  # fmt: skip
MODES = (0o600, 0o640, 0o644, 0o755, 0o700)


@dataclass(frozen=True, kw_only=True)
class Op:
    """One operation: `at` is in seconds from the start of its phase."""

    number: int
    side: str
    phase: int
    at: float
    kind: str
    path: str
    other: str = ""
    size: int = 0
    mode: int = 0


def history(seed: int, operations: int = OPERATIONS) -> tuple[Op, ...]:
    """The same for the same seed. Few names, so that both sides meet on them."""
    rng = random.Random(f"history {seed}")
    names = rng.sample(NAMES, 5)
    folders = rng.sample(FOLDERS, 3)

    def path() -> str:
        return rng.choice(folders) + rng.choice(names)

    ops = []
    for number in range(operations):
        kind = rng.choice(KINDS)
        folder = kind in ("mkdir", "rmtree")
        ops.append(
            Op(
                number=number,
                side=rng.choice(SIDES),
                phase=rng.randrange(PHASES),
                at=round(rng.uniform(0, PHASE_SECONDS), 3),
                kind=kind,
                path=(rng.choice([f for f in folders if f] or ["dir/"]) if folder else path()),
                other=path(),
                size=rng.choice((24, 24, 24, 60, 4000, 200_000)),
                mode=rng.choice(MODES),
            )
        )
    return tuple(sorted(ops, key=lambda op: (op.phase, op.at)))


def shrink(
    ops: Sequence[Op], fails: Callable[[Sequence[Sequence[Op]]], Sequence[bool]], width: int = 8
) -> tuple[Op, ...]:
    """Fewer operations that still fail (delta debugging).

    `fails` tries several lists at once, at most `width`, and says of each whether it failed.
    """
    kept, pieces = tuple(ops), 2
    while len(kept) > 1:
        pieces = min(pieces, len(kept))
        cuts = [round(i * len(kept) / pieces) for i in range(pieces + 1)]
        less = [kept[:a] + kept[b:] for a, b in pairwise(cuts)]
        failing = next(
            (
                tries[verdicts.index(True)]
                for start in range(0, len(less), width)
                for tries in [less[start : start + width]]
                for verdicts in [list(fails(tries))]
                if True in verdicts
            ),
            None,
        )
        if failing is not None:
            kept, pieces = failing, max(pieces - 1, 2)
        elif pieces == len(kept):
            break
        else:
            pieces *= 2
    return kept
