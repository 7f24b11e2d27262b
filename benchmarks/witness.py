"""Writes a file, or waits for what the other side wrote: one end of benchmarks/sync.py.

python benchmarks/witness.py FILE   on a lab host. Lab hosts share one monotonic clock.
"""

import sys
import time
from pathlib import Path

STEP = 0.001  # seconds between two looks


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main(path: Path) -> None:
    for line in sys.stdin:
        if line.strip() == "write":
            path.write_text(str(time.monotonic_ns()), encoding="utf-8")
            print("written", flush=True)
            continue
        before = read(path)
        print("waiting", flush=True)
        while (written := read(path)) == before:
            time.sleep(STEP)
        print(time.monotonic_ns() - int(written), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
