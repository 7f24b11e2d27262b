"""A lab of unlike hosts: Debian 13 beside the machine's own system, a packaged Caddy."""

from collections.abc import Iterator

import pytest

from lab.api import Lab
from lab.options import Options
from lab.state import CHECKOUT, State
from tests.lab.conftest import DEPLOY, beside, runbook, shell
from tests.patience import until

KINDS = {"distribution": "vps2=trixie", "package": "vps1=caddy"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab of this module's own, up and deployed; the control node is the one on Debian 13."""
    own = Lab(state=State(id=beside("kinds"), checkout=CHECKOUT))
    own.up(options=Options.asked(own.state, **KINDS))
    deploy = own.run("vps2", DEPLOY)
    assert deploy.returncode == 0, deploy.stderr
    yield own
    own.down()


def is_silent(lab: Lab) -> bool:
    """Nothing is left to be said; what was started a moment ago may be late at first."""
    verify = runbook(lab, "verify", "--quiet", "--timeout", "20")
    return (verify.returncode, verify.stdout, verify.stderr) == (0, "", "")


def test_all_is_well_as_seen_by_python_3_13_on_debian_13(lab: Lab):
    assert shell(lab, "vps2", "python --version").startswith("Python 3.13")
    assert shell(lab, "vps2", ". /etc/os-release; echo $VERSION_CODENAME") == "trixie\n"
    until(lambda: is_silent(lab), every=1)


def test_unison_of_debian_12_and_of_debian_13_bring_files_both_ways(lab: Lab):
    assert shell(lab, "vps1", "unison -version") != shell(lab, "vps2", "unison -version")
    for here, there in (("vps1", "vps2"), ("vps2", "vps1")):
        shell(lab, here, f"echo hello > /var/lib/antigravity/from-{here}")
        shell(lab, there, f"until [ -e /var/lib/antigravity/from-{here} ]; do sleep 0.1; done")


def test_a_host_that_has_debians_package_of_caddy_serves_what_the_deploy_brought(lab: Lab):
    assert "install ok installed" in shell(lab, "vps1", "dpkg -s caddy")
    assert shell(lab, "vps1", "stat -c %U /var/lib/caddy /var/lib/caddy/.local") == "caddy\n" * 2
    assert "twinedge" in shell(lab, "vps1", "head -n 1 /etc/caddy/Caddyfile")
    assert "100.67.88.109:80" in shell(lab, "vps1", "ss -H -ltn sport = :80")  # the service's own
