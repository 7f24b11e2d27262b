"""An operator's YAML is never test data: the suites are the same with any of it."""

import pytest

from inventory.load import read_yaml
from tests.operators import OWN


@pytest.mark.parametrize("path", [OWN[0] / "services.yaml", OWN[1]], ids=lambda path: path.name)
def test_a_test_that_reads_the_operators_yaml_fails(path):
    with pytest.raises(AssertionError, match="a test reads the operator's"):
        read_yaml(path)
