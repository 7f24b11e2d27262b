"""The error tree: every error that is told has its exit status, and stands in the picture."""

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module

import inventory
import journal
import operations
import outside
import runbooks
import tasks
from inventory import errors
from inventory.errors import Exit, TwinedgeError

ROOMS = (inventory, tasks, journal, outside, operations, runbooks)


def tree(of: type[TwinedgeError] = TwinedgeError) -> Iterator[tuple[str, int, str]]:
    """(name, status, its parent's name), of `of` and of all below it."""
    yield of.__name__, of.status, of.__base__.__name__ if of.__base__ else ""
    for below in of.__subclasses__():
        yield from tree(below)


def test_the_picture_at_the_top_of_errors_py_is_the_tree():
    for room in ROOMS:
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            import_module(module.name)
    drawn = re.findall(r"^    ([│├└─ ]*)(\w+) +(\d)", errors.__doc__ or "", re.MULTILINE)
    depths = {name: len(branch) // 4 for branch, name, _ in drawn}
    names = list(depths)
    parents = {
        name: next(
            (up for up in reversed(names[:n]) if depths[up] == depths[name] - 1), "Exception"
        )
        for n, name in enumerate(names)
    }
    picture = {(name, int(status), parents[name]) for _, name, status in drawn}
    assert picture == set(tree())


def test_an_error_that_nobody_foresaw_has_a_status_too():
    assert TwinedgeError("").status is Exit.FAILED
