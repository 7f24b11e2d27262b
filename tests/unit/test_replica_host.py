"""When an edge's replica leaves the tunnel, and comes back: the watch is real, in three shells."""

import pytest

from tasks.host import host_side
from tests.unit.fakehosts import SHELLS, FakeHost

FRONT = (
    "address=192.0.2.1 port=8081 others='192.0.2.2 192.0.2.3' left=/run/left leaving=/run/leaving\n"
)
# What Caddy here, and those of the other edges, answer: a line each time, the last one for ever.
CURL = """\
for url; do :; done
case $url in *127.0.0.1*) at=/own ;; *) at=/others ;; esac
said=$(head -n 1 $at)
[ "$(wc -l < $at)" -le 1 ] || sed -i 1d $at
case $said in
silent) exit 28 ;;
refused) printf 'HTTP/ 000'; exit 7 ;;
*) printf 'HTTP/ %s' "$said" ;;
esac
"""
SYSTEMCTL = """\
case "$*" in
*is-active*) [ ! -e /stopped ] ;;
*'stop cloudflared') true > /stopped ;;
*'start cloudflared') rm -f /stopped ;;
esac
"""
STOPS = "systemctl --no-block stop cloudflared"
STARTS = "systemctl --no-block --job-mode=ignore-dependencies start cloudflared"
KILLS = "systemctl kill -s KILL caddy"


class Edge:
    """An edge in the tunnel, whose watch looks as often as it is told to."""

    def __init__(self, host: FakeHost) -> None:
        self.host = host
        host.stub("curl", CURL)
        host.stub("systemctl", SYSTEMCTL)
        host.stub("nft", "[ -e /hold ]\n")
        self.answers(own="404", others="404")

    def answers(self, **told: str) -> None:
        for who, what in told.items():
            self.host.path(f"/{who}").write_text("".join(f"{word}\n" for word in what.split()))

    def run(self, words: str) -> list[str]:
        """What is done to units meanwhile."""
        before = len(self.host.calls)
        script = FRONT + host_side("address.sh", "replica.sh")
        there = "has_address() { [ ! -e /gone ]; }\n"
        done = self.host.root.run(["sh", "-c", f"set -u\n{script}\n{there}{words}"])
        assert done.stderr == b""
        calls = self.host.calls[before:]
        return [call for call in calls if call.startswith("systemctl") and "is-active" not in call]

    def look(self, times: int) -> list[str]:
        return self.run("look; " * times)

    @property
    def left(self) -> str | None:
        path = self.host.path("/run/left")
        return path.read_text().strip() if path.exists() else None


@pytest.fixture(params=SHELLS)
def edge(request: pytest.FixtureRequest, host: FakeHost) -> Edge:
    host.use_shell(request.param)
    return Edge(host)


def test_a_caddy_that_is_silent_twice_takes_its_replica_out_of_the_tunnel(edge: Edge):
    edge.answers(own="silent 404 silent silent")
    assert edge.look(3) == [] and edge.left is None
    assert edge.look(2) == [STOPS]
    assert edge.left == "its Caddy did not answer"


@pytest.mark.parametrize(
    ("wget", "said"),
    [
        ("echo '  HTTP/1.1 404 Not Found' >&2; exit 8", "answered"),
        ("echo '  HTTP/1.1 503 Service Unavailable' >&2; exit 8", "503"),
        ("echo 'failed: Connection refused.' >&2; exit 4", ""),
        ("exec /bin/sleep 60", "silent"),
    ],
)
def test_a_host_without_curl_asks_with_wget(edge: Edge, wget: str, said: str):
    edge.host.stub("wget", f"{wget}\n")
    edge.run('command() { [ "$2" != curl ]; }; ask http://127.0.0.1:8081/; echo "$said" > /said')
    assert edge.host.path("/said").read_text() == f"{said}\n"


def test_it_comes_back_after_four_answers_one_after_the_other(edge: Edge):
    edge.answers(own="silent silent 404 404 404 silent 404 404 404 404")
    assert edge.look(9) == [STOPS]
    edge.answers(own="silent silent 404 404 404 503")
    assert edge.run("look; " * 6) == [STARTS]
    assert edge.left is None


def test_a_caddy_that_refuses_or_answers_anything_is_no_reason(edge: Edge):
    edge.answers(own="refused refused refused 502 500 silent refused silent refused")
    assert edge.look(10) == []


@pytest.mark.parametrize("others", ["silent", "refused", "503", "503 silent 503 refused"])
def test_it_stays_where_no_other_edge_can_serve(edge: Edge, others: str):
    edge.answers(own="silent", others=others)
    assert edge.look(4) == []
    assert edge.left is None


def test_it_leaves_where_one_of_the_others_serves(edge: Edge):
    edge.answers(own="silent", others="refused 404")
    assert edge.look(2) == [STOPS]


def test_it_says_that_it_leaves_before_it_asks_whether_another_serves(edge: Edge):
    """So of two that are about to leave at once each sees the other, and both stay."""
    edge.answers(own="silent silent 404")
    edge.host.stub("curl", f'case "$*" in *192.*) cp /run/leaving /seen ;; esac\n{CURL}')
    edge.look(2)
    assert edge.host.path("/seen").exists()
    assert not edge.host.path("/run/leaving").exists()


def test_an_own_caddy_that_answers_again_when_the_others_do_keeps_it(edge: Edge):
    edge.answers(own="silent silent silent 404", others="silent silent silent silent 404")
    assert edge.look(6) == []


def test_a_caddy_that_goes_on_hanging_is_killed(edge: Edge):
    edge.answers(own="silent")
    assert edge.look(4) == [STOPS, KILLS]
    edge.answers(own="silent", others="silent")
    edge.run("come_back")
    assert edge.look(6) == [], "not where it is all that there is"


def test_a_reload_that_holds_connections_back_is_no_silence(edge: Edge):
    edge.answers(own="silent")
    edge.host.path("/hold").touch()
    assert edge.look(4) == []


def test_it_leaves_when_its_tailnet_address_is_gone_and_comes_back_with_it(edge: Edge):
    edge.host.path("/gone").touch()
    edge.answers(others="silent")
    assert edge.look(3) == []
    assert edge.look(8) == [STOPS]
    assert edge.left == "its tailnet address 192.0.2.1 is gone"
    edge.host.path("/gone").unlink()
    assert edge.look(3) == []
    assert edge.look(4) == [STARTS]


def test_a_cloudflared_that_somebody_stopped_stays_stopped(edge: Edge):
    edge.answers(own="silent silent silent 404")
    edge.host.path("/stopped").touch()
    assert edge.look(8) == []
    assert edge.run("come_back") == []


def test_a_watch_that_ends_leaves_nobody_out_of_the_tunnel(edge: Edge):
    edge.answers(own="silent")
    assert edge.run("look; look; come_back") == [STOPS, STARTS]


def test_an_address_is_there_when_the_kernel_has_it(edge: Edge):
    script = host_side("address.sh")
    for address, status in (("127.0.0.1", 0), ("192.0.2.1", 1), ("27.0.0.1", 1)):
        done = edge.host.root.run(["sh", "-c", f"address={address}\n{script}\nhas_address"])
        assert done.returncode == status, address
