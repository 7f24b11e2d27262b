#!/bin/sh
# nornir-jinja2's template_file ignores its required argument `path` beside an own jinja_env.
#
# with      nornir-jinja2 1.0.0, nornir 3.6.0, jinja2 3.1.6 (PyPI)
# input     router.j2 in two folders; path names one, the environment's loader the other (a common
#           way to get StrictUndefined or filters into a runbook)
# guessed   path is where the template is looked for, the environment gives filters and undefined
# seen      the environment's loader alone decides; path is taken and not looked at, even when it
#           does not exist. The wrong folder's template is rendered without a word.
# output    path=site, own environment: from the vendor
#           path=nowhere, own environment: from the vendor
#           path=site, no environment: from the site
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install \
    nornir==3.6.0 nornir-jinja2==1.0.0 jinja2==3.1.6

mkdir site vendor
echo "from the site" > site/router.j2
echo "from the vendor" > vendor/router.j2
cat > try.py <<'END'
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nornir.core import Nornir
from nornir.core.inventory import Defaults, Groups, Host, Hosts, Inventory
from nornir.plugins.runners import SerialRunner
from nornir_jinja2.plugins.tasks import template_file

hosts = Hosts({"r1": Host(name="r1")})
one = Nornir(
    inventory=Inventory(hosts=hosts, groups=Groups(), defaults=Defaults()), runner=SerialRunner()
)
own = Environment(loader=FileSystemLoader("vendor"), undefined=StrictUndefined)
found = []
for path, environment in (("site", own), ("nowhere", own), ("site", None)):
    done = one.run(task=template_file, template="router.j2", path=path, jinja_env=environment)
    found.append(done["r1"].result)
    words = "own environment" if environment else "no environment"
    print(f"path={path}, {words}: {found[-1]}")
raise SystemExit(found != ["from the vendor", "from the vendor", "from the site"])
END
env/bin/python try.py || { echo "changed: path counts beside an own environment"; exit 1; }
