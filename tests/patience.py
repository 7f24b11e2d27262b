"""Waiting for something to come true, for as long as it takes.

How long it takes is the machine's affair: no test fails for it. What never comes true is
ended by pytest's own timeout, whose traceback names the line that waits.
"""

import time
from collections.abc import Callable


def until(true: Callable[[], object], every: float = 0.1) -> None:
    """Ask every so many seconds."""
    while not true():
        time.sleep(every)
