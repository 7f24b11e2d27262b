"""One run at a time: a lock that ends with the process that holds it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AGAIN = 0.05  # seconds until it is tried again


@contextmanager
def turn(folder: Path, patience: float) -> Iterator[bool]:
    """Is it our turn, within `patience` seconds? The lock is on the folder itself, so that it
    takes no room on a full disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield _locked(descriptor, time.monotonic() + patience)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, end: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(AGAIN)
        else:
            return True
