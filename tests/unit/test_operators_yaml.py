"""An operator's YAML is never test data: the suites say the same with any of it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inventory.load import load_catalogue
from inventory.yaml_file import read_yaml
from tests.operators import OWN
from tests.site import ROOT, Site

NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "reports")
SAMPLE = (
    "tests/unit/test_inventory.py",
    "tests/unit/test_verify.py",
    "-k",
    "labs_site or all_well",
)
ELSEWHERE = "import sys, lab.topology as t; print(*t.of_site(t.CHECKOUT / sys.argv[1]).machines)"


@pytest.mark.parametrize("path", [OWN[0] / "services.yaml", OWN[1]], ids=lambda path: path.name)
def test_a_test_that_reads_the_operators_yaml_fails(path):
    with pytest.raises(AssertionError, match="a test reads the operator's"):
        read_yaml(path)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A checkout elsewhere, in which an operator has broken every file."""
    folder = tmp_path / "a checkout"
    own = (OWN[1], *OWN[0].glob("*.yaml"))

    def not_copied(parent: str, names: list[str]) -> set[str]:
        return {*NOT_COPIED(parent, names), *(p.name for p in own if str(p.parent) == parent)}

    shutil.copytree(ROOT, folder, ignore=not_copied)
    for path in own:
        (folder / path.relative_to(ROOT)).write_text("{")
    return folder


def test_a_checkout_with_broken_yaml_tests_as_any_other(broken: Path):
    tests = [sys.executable, "-m", "pytest", "-q", *SAMPLE, "-p", "no:cacheprovider"]
    done = subprocess.run(tests, cwd=broken, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    made = [sys.executable, "-c", ELSEWHERE, "lab/site/config.yaml"]
    done = subprocess.run(made, cwd=broken, capture_output=True, text=True)
    assert done.stdout == "vps1 vps2 unraid client cloudflare\n", done.stderr


def test_the_readmes_example_of_a_service_is_one(site: Site):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    _, _, rest = readme.partition("## Add a service")
    example = rest.split("```yaml\n")[1].split("```")[0]
    services = (site.folder / "services.yaml").read_text(encoding="utf-8")
    site.write("services", services.replace("services:\n", f"services:\n{example}", 1))
    assert load_catalogue(site.config).services["grafana"].placements == ("vps1", "vps2")
