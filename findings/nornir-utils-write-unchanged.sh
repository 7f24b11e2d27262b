#!/bin/sh
# nornir-utils' write_file rewrites a file and reports that nothing changed.
#
# with      nornir-utils 0.3.0, nornir 3.6.0 (PyPI)
# input     a file without the newline at its end; write_file with the same text and a newline
# guessed   changed says whether the bytes on the disk are others now, as in Ansible's copy; and
#           what is not changed is not written
# seen      the file is written anew, with other bytes, changed is False and the diff empty: lines
#           are compared, bytes are written. A handler that reloads a program on `changed` leaves
#           it with the old file; a tool that compares digests afterwards sees drift.
# output    changed False, diff ''; before b'listen 53', now b'listen 53\n'
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install nornir==3.6.0 nornir-utils==0.3.0

cat > try.py <<'END'
from pathlib import Path

from nornir.core import Nornir
from nornir.core.inventory import Defaults, Groups, Host, Hosts, Inventory
from nornir.plugins.runners import SerialRunner
from nornir_utils.plugins.tasks.files import write_file

hosts = Hosts({"r1": Host(name="r1")})
one = Nornir(
    inventory=Inventory(hosts=hosts, groups=Groups(), defaults=Defaults()), runner=SerialRunner()
)
file = Path("service.conf")
file.write_bytes(b"listen 53")
before = file.read_bytes()
done = one.run(task=write_file, filename=str(file), content="listen 53\n")["r1"]
now = file.read_bytes()
print(f"changed {done.changed}, diff {done.diff!r}; before {before!r}, now {now!r}")
raise SystemExit(done.changed or now == before)
END
env/bin/python try.py || { echo "changed: what is written is reported"; exit 1; }
