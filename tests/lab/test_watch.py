"""Alerts and the page on the lab: a power cut is one message, and so is its end."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.api import Lab
from tests.lab.conftest import get, runbook, shell, through_caddy
from tests.patience import until

PAGE = "status.edge.test"
PORT, HEARD, FOLDER = 8099, "/root/heard", "/root/watched"


class Watched:
    """The lab, with a site that sends its alerts to a service on the client."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def look(self, *arguments: str) -> int:
        config = ("--config", f"{FOLDER}/config.yaml")
        done = runbook(self.lab, "verify", "--quiet", *config, *arguments)
        assert "alert" not in done.stderr and "page" not in done.stderr, done.stderr
        return done.returncode

    @property
    def heard(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in shell(self.lab, "client", f"cat {HEARD}").splitlines()]

    @property
    def titles(self) -> list[str]:
        return [said["title"].removeprefix("edge.test: ") for said in self.heard]

    @property
    def page(self) -> list[str]:
        """The verdict and the headings, as the control node's Caddy serves them."""
        served = through_caddy(self.lab, "vps2", PAGE)
        assert served.status == 200, served
        lines = re.findall(r'<p class="verdict[^>]*>(.*?)</p>|<h3>(.*?)</h3>', served.body)
        return [re.sub(r"<[^>]*>", "", verdict or heading) for verdict, heading in lines]

    def kept(self, words: str) -> int:
        """In how many lines of what remains on the control node `words` stand."""
        files = f"{FOLDER}/journal.db* /srv/twinedge/status/index.html"
        return int(shell(self.lab, "vps2", f"cat {files} | grep -ac '{words}' || true"))

    def await_health(self) -> None:
        """Looks until all is well. A busy machine may miss a login in one look."""
        until(lambda: self.look() == 0)


def settle(lab: Lab) -> None:
    """Until nothing is left to be said, by looks that tell nobody."""
    until(lambda: runbook(lab, "verify", "--quiet", "--strict").returncode == 0, every=1)


@pytest.fixture
def watched(lab: Lab) -> Iterator[Watched]:
    address = lab.machines["client"].tailnet
    shell(lab, "client", f"rm -f {HEARD}")
    ear = lab.popen("client", ["python", "-m", "tests.lab.listen", str(address), str(PORT), HEARD])
    install(lab, f"json://{address}:{PORT}/TOKEN")
    shell(lab, "client", f"until [ -e {HEARD} ]; do sleep 0.1; done")
    settle(lab)
    yield Watched(lab)
    ear.terminate()
    ear.communicate()


def install(lab: Lab, url: str) -> None:
    """The lab's own site, with alerts and a journal of its own."""
    site = lab.state.checkout / "lab" / "site"
    settings = yaml.safe_load((site / "config.yaml").read_text("utf-8"))
    options, extra = settings["inventory"]["options"], settings["user_defined"]
    for part in (options, extra):
        part |= {k: str((site / v).resolve()) for k, v in part.items()}
    options["defaults_file"] = f"{FOLDER}/defaults.yaml"
    defaults = yaml.safe_load((site / "defaults.yaml").read_text("utf-8"))
    defaults["data"]["alerts"] = {"urls": [f"file:{FOLDER}/url"]}
    defaults["data"]["journal"] = {"file": f"{FOLDER}/journal.db"}
    script = [f"rm -rf {FOLDER}; mkdir -m 700 {FOLDER}", f"echo '{url}' > {FOLDER}/url"]
    for name, content in (("config", settings), ("defaults", defaults)):
        text = yaml.safe_dump(content, sort_keys=False)
        script.append(f"cat > {FOLDER}/{name}.yaml <<'END'\n{text}END")
    shell(lab, "vps2", "\n".join(script))


TOLD = " down: new: host unraid is unreachable", ": recovered: host unraid"


def test_a_power_cut_is_one_message_one_page_and_one_message_when_it_is_over(watched: Watched):
    lab = watched.lab
    watched.await_health()
    lab.power_cut("unraid")
    assert [watched.look() for _ in range(3)] == [3, 3, 3]
    cut, back = (f"plex, radarr, sonarr and 2 more{words}" for words in TOLD)
    assert watched.titles == [cut]
    assert "touches plex, radarr, sonarr, tautulli, sabnzbd" in watched.heard[0]["message"]
    assert watched.page[0].startswith("✗") and "✗ host unraid" in watched.page
    assert f"edge.test: {cut}" in watched.page
    lab.power_on("unraid")
    settle(lab)
    watched.await_health()
    assert watched.titles == [cut, back]
    assert watched.kept("host unraid") > 0 and watched.kept("TOKEN") == 0
    assert watched.page[0] == "✓ All is well"


def test_the_page_has_its_name_on_the_tailnet_and_nowhere_else(watched: Watched):
    lab = watched.lab
    watched.await_health()
    named = get(lab, "client", f"https://{PAGE}/")
    assert named.status == 200 and named.headers["content-type"].startswith("text/html")
    assert named.headers["cache-control"] == "no-cache"
    assert not Path("/srv/twinedge").exists(), "the lab's files are the lab's"
    through_tunnel = get(lab, "vps2", "http://127.0.0.1:8081/", "-H", f"Host: {PAGE}")
    assert through_tunnel.status == 404
    assert through_caddy(lab, "vps1", PAGE).status == 0, "no certificate, no site"
    outside = lab.machines["cloudflare"].internet
    public = get(lab, "cloudflare", f"https://{PAGE}/", "--resolve", f"{PAGE}:443:{outside}")
    assert public.status not in (200, 0)
