"""rsync, called by lsyncd, but without what the peer itself has just delivered.

    python -m tests.soak.sync.echo_filter PEER RSYNC-ARGUMENTS...

A candidate that the product does not use (docs/sync.md). Each push leaves receipts at the
peer: path, size and time of what was delivered. A push of just that is an echo, and is
dropped. Death by a signal becomes exit 30, which lsyncd tries again.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

RECEIPTS = Path("/var/lib/soak-receipts")


def main(peer: str, arguments: list[str]) -> int:
    source = arguments[-2]
    log = RECEIPTS / f"{source.strip('/').replace('/', '-')}.json"
    if "--include-from=-" not in arguments:
        return _rsync(arguments, b"")
    listed = [entry for entry in sys.stdin.buffer.read().split(b"\0") if entry]
    received = json.loads(log.read_text()) if log.exists() else {}
    wanted = [e for e in listed if _state(source, e) != received.get(os.fsdecode(e), "none")]
    if not any(_is_leaf(entry) for entry in wanted):
        return 0
    status = _rsync(arguments, b"\0".join(wanted) + b"\0")
    if status == 0:
        _leave_receipts(peer, log, {os.fsdecode(e): _state(source, e) for e in wanted})
    return status


def _is_leaf(entry: bytes) -> bool:
    return not entry.endswith(b"/")


def _state(source: str, entry: bytes) -> str:
    if not _is_leaf(entry) or entry.endswith(b"***"):
        return "folder"
    try:
        found = os.lstat(os.fsencode(source) + entry.lstrip(b"/"))
    except FileNotFoundError:
        return "gone"
    return f"{found.st_size} {found.st_mtime_ns} {found.st_mode}"


def _rsync(arguments: list[str], given: bytes) -> int:
    status = subprocess.run(["/usr/bin/rsync", *arguments], input=given).returncode
    return 30 if status < 0 else status


def _leave_receipts(peer: str, log: Path, states: dict[str, str]) -> None:
    script = (
        "import json,pathlib,sys; p=pathlib.Path(sys.argv[1]); p.parent.mkdir(exist_ok=True); "
        "d=json.loads(p.read_text()) if p.exists() else {}; d.update(json.load(sys.stdin)); "
        "p.with_suffix('.next').write_text(json.dumps(d)); p.with_suffix('.next').rename(p)"
    )
    command = ["ssh", "-o", "BatchMode=yes", f"root@{peer}", "python3", "-c", f"'{script}'"]
    subprocess.run([*command, f"'{log}'"], input=json.dumps(states).encode(), timeout=10)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
