"""Which placement each Caddy asks: what it holds for healthy, and what it learns on the way."""

from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab import sites
from tests.lab.conftest import DEPLOY, EDGES, FALLBACK, PRIMARY, served_by
from tests.patience import until

LOGIN = {
    "path": "/answer?status=401&body=%28%22%7B%24HOME%7D%60%5Cx",
    "status": 401,
    "body": '("{$HOME}`\\x',
}


def test_a_primary_whose_health_page_says_something_else_loses_its_traffic(steady: Lab):
    steady.fault("error-page", "organizr@vps2")  # a 200 that says `database is locked`
    until(lambda: {served_by(steady, edge) for edge in EDGES} == {FALLBACK})


@pytest.fixture
def asking_for_a_login(lab: Lab) -> Iterator[Lab]:
    """The lab with an organizr whose health page is a 401, with a text full of marks."""
    config = sites.with_service(lab, "vps2", "/root/sites/login", "organizr", health=LOGIN)
    done = lab.run("vps2", [*DEPLOY, "--config", config])
    assert done.returncode == 0, done.stdout + done.stderr
    yield lab
    done = lab.run("vps2", DEPLOY)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_service_whose_health_page_asks_for_a_login_is_served(asking_for_a_login: Lab):
    seen = [served_by(asking_for_a_login, edge) for _ in range(5) for edge in EDGES]
    assert set(seen) == {PRIMARY}
