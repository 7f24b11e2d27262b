"""What runs on a host: programs in POSIX sh, sent over the session or laid beside a release."""

from functools import cache
from pathlib import Path

EOF = "end-of-what-runs-in-the-box"


@cache
def host_side(*names: str) -> str:
    """The text of these of them, such as `release.sh`, one behind the other."""
    folder = Path(__file__).parent
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def in_trees() -> str:
    """sync_box.sh with what its `in_tree` runs: how a script looks at what a peer can write."""
    inside = f"trees() {{ cat <<'{EOF}'\n{host_side('sync_trees.sh')}{EOF}\n}}\n"
    return host_side("sync_box.sh") + inside
