"""Who gets nothing from an edge: a neighbour on the internet side, a client that forges names."""

import json
from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab.conftest import Answer, get, runbook, shell
from tests.patience import until

EDGES = {"vps1": ("100.67.88.109", "203.0.113.11"), "vps2": ("100.102.55.88", "203.0.113.12")}
NAMES = ("radarr.edge.test", "organizr.edge.test", "status.edge.test")
MARK = "forged-198.51.100.66"
CLOUDFLARES = (  # names that it sets itself, whatever a visitor says
    *("Cf-Connecting-Ip", "Cf-Ray", "Cf-Visitor", "X-Forwarded-Proto"),
    *("Cf-Access-Jwt-Assertion", "Cf-Access-Authenticated-User-Email"),
)
VISITORS = (
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-User", "Forwarded", "X-Real-Ip"),
    *("X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip"),
    *("CF_Access_Jwt_Assertion", "Cf-Connecting_Ip", "X_Forwarded_For", "X-Forwarded_For"),
)
SAID = {  # what Cloudflare says of a visitor, and Access of who it is
    "Cf-Connecting-Ip": "198.51.100.9",
    "Cf-Ray": "said-by-cloudflare",
    "Cf-Access-Jwt-Assertion": "said-by-access",
    "Cf-Access-Authenticated-User-Email": "said-by-access@example.com",
}


@pytest.fixture
def neighbour(lab: Lab) -> Iterator[str]:
    """A host of the provider's network that sends packets for the tailnet to the edges."""
    for tailnet, internet in EDGES.values():
        shell(lab, "cloudflare", f"ip route replace {tailnet}/32 via {internet}")
    yield "cloudflare"
    for tailnet, _ in EDGES.values():
        shell(lab, "cloudflare", f"ip route del {tailnet}/32")


def test_a_neighbour_who_can_route_to_the_tailnet_address_gets_nothing(lab: Lab, neighbour: str):
    for tailnet, _ in EDGES.values():
        for name in (*NAMES, "unknown.edge.test"):
            tls_name = name if name in NAMES[:2] else NAMES[0]
            way = (
                "--connect-to",
                f"::{tailnet}:443",
                "-H",
                f"Host: {name}",
                *forged(*CLOUDFLARES, *VISITORS),
            )
            url = f"https://{tls_name}/"
            assert get(lab, "client", url, *way).status != 0, "who may come in is answered"
            answer = get(lab, neighbour, url, *way)
            assert (answer.status, answer.headers) == (0, {}), f"{name} at {tailnet}"
        for port in (2019, 8081, 20241):
            assert get(lab, neighbour, f"http://{tailnet}:{port}/").status == 0
        ask = f"dig +time=2 +tries=1 @{tailnet} plex.edge.test"
        for transport in ("+notcp", "+tcp"):
            assert "status: NOERROR" in shell(lab, "client", f"{ask} {transport}")
            told = lab.run(neighbour, [*ask.split(), transport]).stdout
            assert "status: REFUSED" in told and "ANSWER: 0" in told


def forged(*names: str) -> list[str]:
    return [word for name in names for word in ("-H", f"{name}: {MARK}")]


def headers_at(lab: Lab, host: str, url: str, *options: str) -> dict[str, str]:
    """What a service was sent, as soon as one answers."""
    answers: list[Answer] = []

    def is_answered() -> bool:
        answers.append(get(lab, host, url, *options))
        return answers[-1].status == 200

    until(is_answered)
    answer = answers[-1]
    return {name.lower(): value for name, value in json.loads(answer.body).items()}


@pytest.mark.parametrize("marked_down", [False, True], ids=["healthy", "after-an-error"])
@pytest.mark.parametrize("name", ["radarr", "organizr"], ids=["plain", "with-failover"])
def test_no_client_says_who_it_is_or_whence_it_comes(lab: Lab, name: str, marked_down: bool):
    """Also where the last try answers, after both placements were marked down."""
    hostname, tailnet = f"{name}.edge.test", EDGES["vps1"][0]
    there = ("--resolve", f"{hostname}:443:{tailnet}")
    if marked_down and name == "organizr":
        for placement in ("organizr@vps1", "organizr@vps2"):
            lab.fault("5xx", placement)
        ask = f"curl -sk -o /dev/null --resolve {hostname}:443:{tailnet} https://{hostname}/"
        here = f"curl -s -o /dev/null -H 'Host: {hostname}' http://127.0.0.1:8081/"
        shell(lab, "client", f"for _ in 1 2 3 4; do {ask}; done")
        shell(lab, "vps1", f"for _ in 1 2 3 4; do {here}; done")
        lab.heal()
    forgery = forged(*CLOUDFLARES, *VISITORS)
    direct = headers_at(lab, "client", f"https://{hostname}/headers", *forgery, *there)
    assert MARK not in json.dumps(direct)
    assert not [name for name in direct if name.startswith("cf") or "_" in name]
    assert direct["x-forwarded-for"] == "100.110.0.10"
    assert (direct["x-forwarded-proto"], direct["x-forwarded-host"]) == ("https", hostname)

    said = [w for name, value in SAID.items() for w in ("-H", f"{name}: {value}")]
    url, host = "http://127.0.0.1:8081/headers", ("-H", f"Host: {hostname}")
    tunnel = headers_at(lab, "vps1", url, *forged(*VISITORS), *said, *host)
    assert MARK not in json.dumps(tunnel)
    assert {name: tunnel[name.lower()] for name in SAID} == SAID
    assert tunnel["x-forwarded-for"] == SAID["Cf-Connecting-Ip"]
    assert (tunnel["x-forwarded-proto"], tunnel["x-forwarded-host"]) == ("https", hostname)


SOCKET = "/run/twinedge-caddy/admin.sock"
# As docker does it for a container on a bridge.
MASQUERADE = (
    "nft 'table ip around { chain out { type nat hook postrouting priority 100; masquerade; }; }'"
)
NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups"
AS_CLOUDFLARE = "-H 'Host: radarr.edge.test' -H 'Cf-Connecting-Ip: 198.51.100.9'"
LOCAL_DOORS = (
    f"--unix-socket {SOCKET} http://127.0.0.1/config/",
    "http://localhost:2019/config/",
    f"http://127.0.0.1:8081/ {AS_CLOUDFLARE}",
    f"http://{EDGES['vps2'][0]}:8081/ {AS_CLOUDFLARE}",
)


def test_the_tunnels_listener_on_the_tailnet_serves_the_other_edges_alone(lab: Lab):
    """Nobody else on the tailnet, and nothing that an edge passes on with its own address."""
    ask = "curl -s -m 5 -o /dev/null -w '%{http_code}' "
    doors = [f"{ask} http://{tailnet}:8081/ {AS_CLOUDFLARE}" for tailnet, _ in EDGES.values()]
    for host, answers in (("vps1", ["000", "200"]), ("vps2", ["200", "000"])):
        assert [shell(lab, host, f"{door} || :") for door in doors] == answers, host
    for host in ("client", "unraid"):
        assert [shell(lab, host, f"{door} || :") for door in doors] == ["000", "000"], host
    around = f"ip route replace {EDGES['vps1'][0]}/32 via {EDGES['vps2'][1]}"
    try:
        shell(lab, "vps2", f"sysctl -qw net.ipv4.ip_forward=1; {MASQUERADE}")
        shell(lab, "client", around)
        known = f"{ask} -k --resolve radarr.edge.test:443:{EDGES['vps1'][0]}"
        assert shell(lab, "client", f"{known} https://radarr.edge.test/") == "200", "a way around"
        assert shell(lab, "client", f"{doors[0]} || :") == "000"
    finally:
        shell(lab, "client", around.replace("replace", "del"))
        shell(lab, "vps2", "nft delete table ip around; sysctl -qw net.ipv4.ip_forward=0")


@pytest.mark.parametrize("after", ["true", "systemctl restart caddy cloudflared"])
def test_a_local_user_can_neither_change_caddy_nor_pose_as_cloudflare(lab: Lab, after: str):
    """Neither while Caddy runs as a deploy reloaded it, nor as its unit starts it."""
    shell(lab, "vps1", after)
    for door in LOCAL_DOORS:
        ask = f"curl -s -m 5 -o /dev/null -w '%{{http_code}}' {door}"
        tried = lab.run("vps1", ["sh", "-c", f"{NOBODY} {ask}"])
        assert (tried.returncode != 0, tried.stdout) == (True, "000"), door
        if "2019" not in door:
            assert shell(lab, "vps1", f"for _ in $(seq 50); do {ask} && break; done") == "200"
    assert shell(lab, "vps1", f"stat -c %a,%U {SOCKET}").strip() == "600,caddy"


def test_an_operators_own_reload_finds_the_running_caddy_whatever_the_file_says(lab: Lab):
    """As a rollback to 0.1.0 does, whose Caddy listens at localhost:2019."""
    config = "/etc/caddy/Caddyfile"
    ask = "curl -s -o /dev/null -w '%{http_code}'"
    old = f"sed -i 's|admin unix.*|admin localhost:2019|' {config}"
    try:
        shell(lab, "vps1", f"cp -p {config} /run/kept && {old} && systemctl reload caddy")
        assert shell(lab, "vps1", f"{ask} localhost:2019/config/") == "200"
    finally:
        shell(lab, "vps1", f"mv /run/kept {config} && systemctl reload caddy")
    assert shell(lab, "vps1", f"{ask} --unix-socket {SOCKET} http://127.0.0.1/config/") == "200"


def test_a_service_on_a_public_address_is_told_loudly_and_tried_from_outside(lab: Lab):
    serve = "systemd-run -q --unit=beside -p WorkingDirectory=/run/lab python3 -m http.server"
    shell(lab, "unraid", f"{serve} --bind 203.0.113.13 7878")
    try:
        shell(lab, "unraid", "until curl -so /dev/null 203.0.113.13:7878; do sleep 0.1; done")
        verified = runbook(lab, "verify", "--only", "host")
        planned = runbook(lab, "deploy")
    finally:
        shell(lab, "unraid", "systemctl stop beside")
    assert verified.returncode == 1
    found = "FAILED doors of radarr@unraid – from unraid – ANYBODY MAY ENTER, tried from vps2"
    assert f"{found}, at 203.0.113.13" in verified.stdout
    assert "radarr listens on 203.0.113.13:7878 too: ANYBODY reaches it" in planned.stdout
    assert "ANYBODY" not in runbook(lab, "verify", "--only", "host").stdout


def test_verify_says_when_tailscales_own_filter_is_off(lab: Lab):
    shell(lab, "vps1", "tailscale set --netfilter-mode=off")
    try:
        told = runbook(lab, "verify", "--only", "mesh").stdout
    finally:
        shell(lab, "vps1", "tailscale set --netfilter-mode=on")
    assert "tailscale's filter on vps1 – from vps1 – off" in told
