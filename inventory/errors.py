"""Every error that a runbook tells in its own words, with the exit status that goes with it.

    TwinedgeError                  1
    ├── InventoryError             2
    ├── UsageError                 2
    │   └── InitRefused            2   operations/init.py
    ├── CloudError                 1   outside/client.py
    │   ├── NotAnswered            1
    │   ├── LimitReached           1
    │   ├── NotPermitted           1
    │   ├── Rejected               1
    │   ├── OutcomeUnknown         1
    │   ├── NoZone                 1   outside/look.py
    │   ├── Stale                  1   outside/apply.py
    │   └── NotDone                1
    ├── JournalError               1   journal/store.py
    └── HostError                  1   tasks/shell.py
        ├── WrongHost              1
        ├── Unreachable            1
        ├── Busy                   1   tasks/release.py
        ├── Refused                1
        ├── DrillRefused           1   tasks/drill/restore.py
        ├── NotRestored            1
        ├── NotUndone              4
        ├── NotParted              1   runbooks/transaction/introduce.py
        ├── NotRetired             1   operations/retire.py
        ├── RolloutFailed          1   runbooks/transaction/rollout.py
        └── NotReverted            1

The text of each says what is wrong, and the way out. Anything else that is raised is an error
in twinedge itself, and told as one.
"""

from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """The exit statuses of every runbook."""

    OK = 0  # all that was asked is true
    FAILED = 1  # something failed
    USAGE = 2  # nothing was touched: usage or inventory
    UNREACHABLE = 3  # some host could not be reached, and nothing worse
    NOT_UNDONE = 4  # a drill's fault may still be there
    INTERRUPTED = 130  # Ctrl-C; what was begun has been undone


class TwinedgeError(Exception):
    """Something failed; what was begun has been undone."""

    status: ClassVar[Exit] = Exit.FAILED


class InventoryError(TwinedgeError):
    """The inventory is wrong; nothing was touched. One problem a line."""

    status = Exit.USAGE


class UsageError(TwinedgeError):
    """What was asked makes no sense; nothing was touched."""

    status = Exit.USAGE
