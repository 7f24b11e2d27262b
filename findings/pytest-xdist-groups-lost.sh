#!/bin/sh
# pytest-xdist's groups are no groups any more under pytest 9.2, and nobody says so.
#
# with      pytest-xdist 3.8.0 under pytest 9.1.1 and 9.2.0 (PyPI)
# input     twelve tests with the mark xdist_group("one"), run with `-n 2 --dist loadgroup`
# guessed   one worker runs them all, as the mark promises, or a version that cannot do it refuses
# seen      under 9.2.0 both workers run some: a resource that the group was to keep to itself is
#           shared. The run ends with success, and still says "scheduling tests via
#           LoadGroupScheduling".
# output    pytest 9.1.1: 1 worker ran the group
#           pytest 9.2.0: 2 workers ran the group
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env

cat > test_group.py <<'END'
import time
from pathlib import Path

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("n", range(12))
def test_it(n, worker_id):
    Path(f"ran-by-{worker_id}").touch()
    time.sleep(0.1)
END

workers() { # VERSION of pytest: prints how many workers ran the group
    env/bin/pip -q --disable-pip-version-check install pytest=="$1" pytest-xdist==3.8.0
    rm -f ran-by-*
    env/bin/python -m pytest -q -n 2 --dist loadgroup test_group.py >said 2>&1 || { cat said; exit 1; }
    set -- ran-by-*
    echo $#
}

before=$(workers 9.1.1)
after=$(workers 9.2.0)
echo "pytest 9.1.1: $before worker(s) ran the group"
echo "pytest 9.2.0: $after worker(s) ran the group"
[ "$before" = 1 ] && [ "$after" = 2 ] || { echo "changed: groups are kept, or lost earlier"; exit 1; }
