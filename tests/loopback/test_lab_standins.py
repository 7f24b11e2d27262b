"""The lab's stand-ins do what the facts say of cloudflared, Cloudflare's edge and tailscale."""

import asyncio
import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import httpx
import pytest
import yaml
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lab.standins import connector as cloudflared
from lab.standins import tailscale
from lab.standins.process import StartRefusedError
from lab.standins.tunnel.config import read_config
from lab.standins.tunnel.ingress import find_rule, read_rules
from lab.standins.tunnel.names import addresses
from lab.standins.tunnel.origins import Origins
from lab.standins.tunnel.wire import Request
from tasks import guard, probe
from tests.patience import until

ROOT = Path(__file__).resolve().parents[2]
TUNNEL = "6f1c2a34-0000-4000-8000-00000000beef"
SECRET = base64.b64encode(b"s" * 32).decode()
TOKEN = {"CF-Access-Client-Id": "lab.access", "CF-Access-Client-Secret": "let-me-in"}
CATCH_ALL = {"service": "http_status:404"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def certify(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "edge.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("edge.test")]), False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@contextmanager
def running(module: str, *flags: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh", sys.executable, "-m", module, *flags],
        cwd=ROOT,
        env={**os.environ, **env},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@dataclass(kw_only=True)
class Lab:
    folder: Path
    visitors: int = field(default_factory=free_port)
    tunnels: int = field(default_factory=free_port)
    origin: int = field(default_factory=free_port)

    def policy(self, *, opened: tuple[str, ...] = ("open.edge.test", "teapot.edge.test")) -> None:
        told = {
            "tunnel": {"id": TUNNEL, "secret": SECRET},
            "service_token": {"client_id": "lab.access", "client_secret": "let-me-in"},
            "protected": ["*"],
            "open": opened,
            "team": "labteam",
            "aud": {"app.edge.test": "app-aud", "other.edge.test": "other-aud"},
        }
        (self.folder / "policy.json").write_text(json.dumps(told))

    def edge(self):
        files = {"cert": "cert.pem", "key": "key.pem", "policy": "policy.json"}
        flags = [f"--{name}={self.folder / file}" for name, file in files.items()]
        where = f"--listen=127.0.0.1:{self.visitors}", f"--tunnels=127.0.0.1:{self.tunnels}"
        return running("lab.standins.edge", *where, *flags)

    def visit(self, host: str, path: str = "/", method: str = "GET", **more) -> httpx.Response:
        headers = {"Host": host, **TOKEN, **more.pop("headers", {})}
        url = f"https://127.0.0.1:{self.visitors}{path}"
        with httpx.Client(verify=VISITORS_TLS, timeout=None) as client:
            return client.request(method, url, headers=headers, **more)

    def connections(self) -> dict[str, int]:
        told = self.visit("x", "/cdn-cgi/lab/replicas").json()
        return {one["connectorId"]: one["connections"] for one in told["replicas"]}

    def ingress(self) -> list[dict]:
        service = f"http://127.0.0.1:{self.origin}"
        tls = {
            "service": f"https://127.0.0.1:{self.visitors}",
            "originRequest": {
                "originServerName": "edge.test",
                "caPool": str(self.folder / "cert.pem"),
                "httpHostHeader": "teapot.edge.test",
            },
        }
        untrusted = {"originServerName": "edge.test", "httpHostHeader": "teapot.edge.test"}
        access = {"access": {"required": True, "teamName": "labteam", "audTag": ["app-aud"]}}
        return [
            {"hostname": "app.edge.test", "path": "^/gone", "service": "http_status:410"},
            {"hostname": "app.edge.test", "service": service, "originRequest": access},
            {"hostname": "other.edge.test", "service": service, "originRequest": access},
            {"hostname": "open.edge.test", "service": service},
            {"hostname": "dead.edge.test", "service": f"http://127.0.0.1:{free_port()}"},
            {"hostname": "teapot.edge.test", "service": "http_status:418"},
            {"hostname": "tls.edge.test", **tls},
            {"hostname": "untrusted.edge.test", **tls, "originRequest": untrusted},
            CATCH_ALL,
        ]

    def connector(self, name: str, *, secret: str = SECRET, **changes) -> "Connector":
        metrics = free_port()
        credentials = self.folder / f"{name}.json"
        told = {"AccountTag": "lab", "TunnelSecret": secret, "TunnelID": TUNNEL}
        credentials.write_text(json.dumps(told))
        config = {
            "tunnel": TUNNEL,
            "credentials-file": str(credentials),
            "metrics": f"127.0.0.1:{metrics}",
            "grace-period": "3s",
            "ingress": self.ingress(),
            **changes,
        }
        path = self.folder / f"{name}.yml"
        path.write_text(yaml.safe_dump({k: v for k, v in config.items() if v is not None}))
        return Connector(path=path, edge=self.tunnels, metrics=metrics)


@dataclass(kw_only=True)
class Connector:
    path: Path
    edge: int
    metrics: int

    @contextmanager
    def started(self, **env: str) -> Iterator[subprocess.Popen[str]]:
        edge = f"127.0.0.1:{self.edge}"
        flags = ["--no-autoupdate", "--config", str(self.path), "tunnel", "run"]
        with running("lab.standins.connector", *flags, TUNNEL_EDGE=edge, **env) as process:
            yield process

    @contextmanager
    def connected(self, **env: str) -> Iterator[subprocess.Popen[str]]:
        with self.started(**env) as process:
            until(self.ready)
            yield process

    def get(self, path: str) -> httpx.Response:
        with httpx.Client(verify=VISITORS_TLS, timeout=None) as client:
            return client.get(f"http://127.0.0.1:{self.metrics}{path}")

    def ready(self) -> bool:
        try:
            return self.get("/ready").json()["readyConnections"] == 4
        except httpx.TransportError:
            return False

    def metric(self, name: str) -> int:
        lines = dict(line.rsplit(" ", 1) for line in self.get("/metrics").text.splitlines())
        return int(lines.get(f"cloudflared_tunnel_{name}", 0))

    def identity(self) -> str:
        return self.get("/ready").json()["connectorId"]


def _no_checks() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


VISITORS_TLS = _no_checks()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(folder=tmp_path_factory.mktemp("lab"))
    certify(lab.folder)
    lab.policy()
    folders = ["--control-dir", str(lab.folder), "--log-dir", str(lab.folder)]
    where = ["--listen", f"127.0.0.1:{lab.origin}", "--host", "vps1"]
    with (
        lab.edge() as edge,
        running("lab.origin", "--service", "uptime-kuma", *where, *folders) as origin,
    ):
        edge.stderr.readline()
        origin.stderr.readline()
        yield lab


@pytest.fixture(scope="module")
def shared(lab: Lab) -> Iterator[Connector]:
    """A replica that the tests may visit but not stop, and what it told systemd."""
    connector = lab.connector("shared")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(lab.folder / "notify"))
        with connector.connected(NOTIFY_SOCKET=str(lab.folder / "notify")):
            assert systemd.recv(100) == b"READY=1"
            yield connector


@pytest.fixture(scope="module")
def quiet(lab: Lab) -> Iterator[Lab]:
    """An edge without the shared replica, for tests that stop theirs."""
    quiet = Lab(folder=lab.folder, origin=lab.origin)
    with quiet.edge() as edge:
        edge.stderr.readline()
        yield quiet


# The connector's own configuration


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"credentials-file": "/nowhere/t.json"}, "credentials-file: /nowhere/t.json: No such"),
        ({"grace-period": "3m1s"}, "grace-period: 3m1s is over 3m"),
        ({"grace-period": 30}, "grace-period: 30 is not a duration"),
        ({"ingress": None}, "ingress: missing"),
        ({"ingress": [{"hostname": "a.test", "service": "http://a:1"}]}, "must match all"),
        ({"ingress": [CATCH_ALL, CATCH_ALL]}, "matches all but is not the last"),
        ({"protocol": "carrier-pigeon"}, "protocol: 'carrier-pigeon' is none of"),
        ({"edge-ip-version": 4}, "edge-ip-version: 4 is none of"),
        ({"tunnel": None}, "tunnel: missing"),
    ],
)
def test_a_config_that_cloudflared_would_not_run_is_refused(tmp_path, changes, reason):
    connector = Lab(folder=tmp_path).connector("bad", **changes)
    with pytest.raises(StartRefusedError, match=r"bad\.yml: ") as refused:
        read_config(connector.path)
    assert reason in str(refused.value)


def test_broken_yaml_is_refused_in_one_line(tmp_path):
    (tmp_path / "config.yml").write_text("tunnel: [\ningress: }\n")
    with pytest.raises(StartRefusedError, match=r"broken YAML: .* line 2, column") as refused:
        read_config(tmp_path / "config.yml")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("host", "path", "service"),
    [
        ("a.test", "/", "http://exact:1"),
        ("a.test:443", "/", "http://exact:1"),
        ("a.test", "/api/x", "http://api:1"),
        ("b.a.test", "/", "http://wild:1"),
        ("c.b.a.test", "/", "http://wild:1"),
        ("A.test", "/", "http_status:404"),
        ("a.test.", "/", "http_status:404"),
        ("test", "/", "http_status:404"),
    ],
)
def test_a_request_falls_under_the_rule_that_cloudflared_would_take(host, path, service):
    told = [
        {"hostname": "a.test", "path": "^/api", "service": "http://api:1"},
        {"hostname": "a.test", "service": "http://exact:1"},
        {"hostname": "*.a.test", "service": "http://wild:1"},
        CATCH_ALL,
    ]
    assert find_rule(read_rules(told, {}), host, path).service == service


def test_access_at_the_top_level_is_not_enforced_and_the_rest_is_inherited():
    common = {"connectTimeout": "1m30s", "access": {"required": True, "audTag": ["x"]}}
    (rule,) = read_rules([CATCH_ALL], common)
    assert (rule.origin.audiences, rule.origin.connect_timeout) == (None, 90.0)


# Its start


def test_without_a_replica_a_visitor_gets_530_and_error_1033(quiet):
    answer = quiet.visit("app.edge.test")
    assert answer.status_code == 530
    assert "Error 1033" in answer.text


def test_a_taken_metrics_port_is_one_clear_line_and_exit_1(lab, monkeypatch, caplog):
    taken = lab.connector("taken", metrics=f"127.0.0.1:{lab.tunnels}")
    monkeypatch.setenv("TUNNEL_EDGE", f"127.0.0.1:{lab.tunnels}")
    monkeypatch.setattr(sys, "argv", ["cloudflared", "--config", str(taken.path)])
    caplog.set_level("INFO", logger="lab")
    assert cloudflared.main() == 1
    first, second = caplog.messages
    assert first == "twinedge's lab stand-in for cloudflared; it validates nothing"
    assert second.startswith(f"cannot listen on 127.0.0.1:{lab.tunnels}")


def test_a_wrong_secret_is_refused_and_never_shown(lab):
    connector = lab.connector("wrong", secret=base64.b64encode(b"x" * 32).decode())
    with connector.started() as process:
        lines = [process.stderr.readline() for _ in range(5)]
        assert "the edge refused: wrong tunnel secret" in lines[-1]
        answer = connector.get("/ready")
    assert (answer.status_code, answer.json()["readyConnections"]) == (503, 0)
    assert SECRET not in "".join(lines)


def test_it_runs_nothing_but_tunnel_run_and_never_validates(monkeypatch, capsys):
    command = ["tunnel", "--config", "config.yml", "ingress", "validate"]
    monkeypatch.setattr(sys, "argv", ["cloudflared", *command])
    with pytest.raises(SystemExit) as refused:
        cloudflared.main()
    told = capsys.readouterr()
    assert (refused.value.code, told.out) == (2, "")
    assert "validates nothing" in told.err


def test_a_replica_connects_again_when_the_edge_comes_back(lab):
    other = Lab(folder=lab.folder)
    connector = other.connector("again")
    with connector.started():
        with other.edge():
            until(connector.ready)
        until(lambda: connector.get("/ready").status_code == 503)
        with other.edge():
            until(connector.ready)


# Its end


class Held:
    """An origin that holds what it is asked until it is told to answer."""

    def __init__(self) -> None:
        self.asked, self.answer = 0, threading.Event()
        asking, origin = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with asking:
                    origin.asked += 1
                origin.answer.wait()
                with suppress(ConnectionError):  # its replica may be gone by now
                    self.send_response(200)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            do_POST = do_GET

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def ingress(self) -> list[dict]:
        """Of a replica with this origin behind it."""
        service = f"http://127.0.0.1:{self.server.server_port}"
        return [{"hostname": "open.edge.test", "service": service}, CATCH_ALL]

    def visits(self, lab: Lab, pool: ThreadPoolExecutor, count: int = 1, method: str = "GET"):
        """So many more visits, all of which have reached the origin."""
        goal = self.asked + count
        visits = [pool.submit(lab.visit, "open.edge.test", "/", method) for _ in range(count)]
        until(lambda: self.asked == goal)
        return visits


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held()
    yield made
    made.answer.set()
    made.server.shutdown()
    made.server.server_close()


def test_sigterm_turns_ready_503_before_what_is_in_flight_is_finished(quiet, held):
    connector = quiet.connector("drained", ingress=held.ingress, **{"grace-period": "3m"})
    with connector.connected() as process, ThreadPoolExecutor() as pool:
        (visit,) = held.visits(quiet, pool)
        process.send_signal(signal.SIGTERM)
        until(lambda: connector.get("/ready").status_code == 503)
        until(lambda: quiet.connections() == {})
        assert quiet.visit("open.edge.test").status_code == 530
        assert not visit.done()
        held.answer.set()
        assert visit.result().status_code == 200
        assert process.wait() == 0


def test_what_is_left_after_the_grace_period_is_cut(quiet, held):
    connector = quiet.connector("cut", ingress=held.ingress, **{"grace-period": "100ms"})
    with connector.connected() as process, ThreadPoolExecutor() as pool:
        (visit,) = held.visits(quiet, pool)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        assert visit.result().status_code == 502


def test_sighup_kills_it_at_once_even_where_its_parent_ignores_it(quiet, held):
    connector = quiet.connector("hung-up", ingress=held.ingress)
    with connector.connected() as process, ThreadPoolExecutor() as pool:
        (visit,) = held.visits(quiet, pool)
        process.send_signal(signal.SIGHUP)
        assert process.wait() == -signal.SIGHUP
        assert visit.result().status_code == 502


def test_a_post_in_flight_on_a_killed_replica_is_a_502_and_ran_once(quiet, held):
    doomed, other = (quiet.connector(name, ingress=held.ingress) for name in ("doomed", "other"))
    with (
        other.connected(),
        doomed.connected() as process,
        ThreadPoolExecutor(50) as pool,
    ):
        visits = []
        while doomed.metric("total_requests") == 0:
            visits += held.visits(quiet, pool, 1, "POST")
        process.kill()
        until(visits[-1].done)
        held.answer.set()
        statuses = [visit.result().status_code for visit in visits]
    assert statuses == [200] * (len(visits) - 1) + [502]
    assert held.asked == len(visits)


# What it tells and does


def test_ready_and_metrics_have_cloudflareds_shape(lab, shared):
    until(lambda: len(lab.connections()) == 1)
    before = shared.metric('response_by_code{status_code="410"}'), shared.metric("total_requests")
    assert lab.visit("app.edge.test", "/gone").status_code == 410
    ready = shared.get("/ready")
    assert ready.status_code == 200
    assert ready.json() == {
        "status": 200,
        "readyConnections": 4,
        "connectorId": next(iter(lab.connections())),
    }
    assert shared.metric("ha_connections") == lab.connections()[shared.identity()] == 4
    assert shared.metric("total_requests") == before[1] + 1
    assert shared.metric('response_by_code{status_code="410"}') == before[0] + 1


def test_an_origin_that_is_not_there_is_a_502_and_counted_as_an_error(lab, shared):
    before = shared.metric("request_errors")
    answer = lab.visit("dead.edge.test")
    assert (answer.status_code, answer.headers["X-Lab-Replica"]) == (502, shared.identity())
    assert shared.metric("request_errors") == before + 1


def test_a_name_is_asked_at_its_next_address_the_moment_that_one_refuses(lab, tmp_path):
    """As Go dials: loopback first, wherever it stands in the hosts file that the process sees."""
    text = "# 127.0.0.9 caddy\n100.64.0.1 caddy\n127.0.0.3 caddy spare\n127.0.0.1 Caddy\n"
    assert addresses(text, "caddy") == ["127.0.0.3", "127.0.0.1", "100.64.0.1"]
    (tmp_path / "hosts").write_text(text)
    rules = read_rules([{"service": f"http://caddy:{lab.origin}"}], {})
    visit = Request(
        id="1",
        method="GET",
        target="/",
        host="open.edge.test",
        client="192.0.2.1",
        headers=(),
        upgrade=False,
        body=b"",
    )

    async def ask() -> int:
        async with Origins(rules, tmp_path / "hosts") as origins:
            return (await origins.ask(rules[0], visit)).status

    assert asyncio.run(ask()) == 200


def test_the_origin_sees_the_host_the_visitor_and_the_access_token(lab, shared):
    forged = {"X-Forwarded-For": "192.0.2.66", "Cf-Connecting-Ip": "192.0.2.66"}
    answer = lab.visit("app.edge.test", "/headers", headers=forged)
    assert answer.headers["X-Origin"] == "uptime-kuma@vps1"
    assert answer.headers["Cf-Ray"].endswith("-LAB")
    seen = {name.lower(): value for name, value in answer.json().items()}
    assert seen["host"] == "app.edge.test"
    assert seen["cf-connecting-ip"] == "127.0.0.1"
    assert seen["x-forwarded-for"] == "192.0.2.66, 127.0.0.1"
    assert seen["x-forwarded-proto"] == "https"
    assert seen["cf-access-jwt-assertion"] == "standin:app-aud"
    assert "cf-access-client-secret" not in seen


def test_a_rule_that_requires_access_refuses_another_audience(lab, shared):
    assert lab.visit("app.edge.test").status_code == 200
    assert lab.visit("other.edge.test").status_code == 403


def test_a_rule_that_requires_access_refuses_who_came_through_an_open_edge(lab, shared):
    lab.policy(opened=("app.edge.test",))
    forged = {"Cf-Access-Jwt-Assertion": "standin:app-aud"}
    answer = lab.visit("app.edge.test", headers=forged)
    lab.policy()
    assert answer.status_code == 403


def test_many_requests_are_in_flight_on_one_connection(quiet, held):
    connector = quiet.connector("wide", ingress=held.ingress)
    with connector.connected(), ThreadPoolExecutor(40) as pool:
        visits = held.visits(quiet, pool, count=40)  # more than a replica has connections
        assert not any(visit.done() for visit in visits)
        held.answer.set()
        assert {visit.result().status_code for visit in visits} == {200}


def test_a_large_body_arrives_whole(lab, shared):
    assert lab.visit("open.edge.test", "/large?bytes=3000000").content == b"0" * 3_000_000
    answer = lab.visit("open.edge.test", "/echo", "POST", content="x" * 1_000_000)
    assert len(answer.json()["body"]) == 1_000_000


def test_an_https_origin_needs_the_right_name_and_ca(lab, shared):
    assert lab.visit("tls.edge.test").status_code == 418
    assert lab.visit("untrusted.edge.test").status_code == 502


def test_a_websocket_goes_through_the_tunnel(lab, shared):
    url = f"https://127.0.0.1:{lab.visitors}/socket.io/"

    async def talk():
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, ssl=VISITORS_TLS, headers={"Host": "open.edge.test"}) as wire,
        ):
            await wire.send_str("hello")
            text = await wire.receive_str()
            await wire.send_bytes(b"\0\1")
            return text, await wire.receive_bytes()

    async def talk_and_let_tls_close():
        heard = await talk()
        await asyncio.sleep(0.05)
        return heard

    assert asyncio.run(talk_and_let_tls_close()) == ("hello", b"\0\1")


def test_who_gives_a_sign_of_life_through_the_tunnel_is_the_origin(quiet):
    port = free_port()
    rule = {"hostname": "open.edge.test", "service": f"http://127.0.0.1:{port}"}

    async def answer(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        assert (await socket.receive()).data == b"are you there?"
        await socket.pong(b"yes")
        await socket.receive()
        return socket

    async def ask() -> object:
        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        url, host = f"https://127.0.0.1:{quiet.visitors}/", {"Host": "open.edge.test"}
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, ssl=VISITORS_TLS, headers=host, autoping=False) as wire,
        ):
            await wire.ping(b"are you there?")
            heard = (await wire.receive()).data
        await runner.cleanup()
        return heard

    with quiet.connector("alive", ingress=[rule, CATCH_ALL]).connected():
        assert asyncio.run(ask()) == b"yes"


def test_each_replica_routes_by_its_own_file(lab, shared):
    differing = lab.connector("differing", ingress=[{"service": "http_status:451"}])
    with differing.connected():
        until(lambda: lab.connections().get(differing.identity()) == 4)
        answers = [lab.visit("open.edge.test") for _ in range(20)]
        got = {(a.status_code, a.headers["X-Lab-Replica"]) for a in answers}
        assert got == {(200, shared.identity()), (451, differing.identity())}
    until(lambda: len(lab.connections()) == 1)


# Access


def test_a_stranger_is_sent_to_the_login_and_a_wrong_token_is_403(lab):
    nobody = dict.fromkeys(TOKEN, "")
    url = f"https://127.0.0.1:{lab.visitors}/"
    with httpx.Client(verify=VISITORS_TLS) as client:
        stranger = client.get(url, headers={"Host": "app.edge.test"})
    assert stranger.status_code == 302
    assert (
        stranger.headers["Location"]
        == "https://labteam.cloudflareaccess.com/cdn-cgi/access/login/app.edge.test"
    )
    assert lab.visit("APP.edge.test", headers=nobody).status_code == 403
    wrong = {"CF-Access-Client-Secret": "guess"}
    assert lab.visit("app.edge.test", headers=wrong).status_code == 403


def test_access_is_switched_off_for_one_name_while_the_edge_runs(lab, shared):
    url = f"https://127.0.0.1:{lab.visitors}/"
    with httpx.Client(verify=VISITORS_TLS) as client:
        closed = client.get(url, headers={"Host": "dead.edge.test"}).status_code
        lab.policy(opened=("dead.edge.test",))
        opened = client.get(url, headers={"Host": "dead.edge.test"}).status_code
        lab.policy()
    assert (closed, opened) == (302, 502)


def test_the_edge_tells_which_application_is_in_front_signed_by_the_team(lab):
    tls, here = VISITORS_TLS, ("127.0.0.1", lab.visitors)
    team = guard.login_of("labteam")
    keys = probe.ask(*here, guard.CERTS, hostname=team, tls=tls)
    told = probe.ask(*here, "/", hostname="app.edge.test", tls=tls, headers=guard.ASK)
    assert guard.read(told.guard, guard.read_keys(keys.body), "app.edge.test").team == "labteam"
    opened = probe.ask(*here, "/", hostname="open.edge.test", tls=tls, headers=guard.ASK)
    assert opened.guard == ""


# tailscale


@dataclass(kw_only=True)
class Tailnet:
    file: Path
    patch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def told(self, **changes: dict) -> None:
        hosts = {
            name: {"address": f"127.0.0.{number}", "port_up": True, **changes.get(name, {})}
            for number, name in enumerate(("vps1", "vps2", "unraid"), start=1)
        }
        mesh = {"domain": "edge.test", "resolvers": ["127.0.0.1", "127.0.0.2"], "hosts": hosts}
        self.file.write_text(json.dumps(mesh))

    def run(self, *command: str) -> tuple[int, str]:
        self.patch.setattr(sys, "argv", ["tailscale", *command])
        status = tailscale.main()
        told = self.capsys.readouterr()
        return status, told.out + told.err

    def peers(self) -> dict[str, dict]:
        told = json.loads(self.run("status", "--json")[1])
        assert all(key.startswith("nodekey:") for key in told["Peer"])
        return {peer["HostName"]: peer for peer in told["Peer"].values()}


@pytest.fixture
def tailnet(tmp_path, monkeypatch, capsys) -> Tailnet:
    tailnet = Tailnet(file=tmp_path / "mesh.json", patch=monkeypatch, capsys=capsys)
    monkeypatch.setenv("LAB_MESH_FILE", str(tailnet.file))
    monkeypatch.setenv("LAB_MESH_SELF", "vps2")
    tailnet.told()
    return tailnet


def test_status_tells_the_mesh_as_tailscale_does(tailnet):
    told = json.loads(tailnet.run("status", "--json")[1])
    me = told["Self"]
    assert (told["BackendState"], told["Health"]) == ("Running", [])
    assert (me["HostName"], me["TailscaleIPs"], me["Online"]) == ("vps2", ["127.0.0.2"], True)
    peer = tailnet.peers()["vps1"]
    assert (peer["Online"], peer["CurAddr"]) == (True, "127.0.0.1:41641")
    left = datetime.fromisoformat(peer["KeyExpiry"]) - datetime.now(UTC)
    assert (left.days, peer["Expired"]) == (149, False)


def test_a_peer_whose_port_is_down_is_offline(tailnet):
    tailnet.told(vps1={"port_up": False})
    peers = tailnet.peers()
    assert (peers["vps1"]["Online"], peers["vps1"]["CurAddr"]) == (False, "")
    assert peers["unraid"]["Online"]
    assert "offline" in tailnet.run("status")[1]


def test_a_host_whose_own_port_is_down_sees_no_peer_online(tailnet):
    tailnet.told(vps2={"port_up": False})
    told = json.loads(tailnet.run("status", "--json")[1])
    assert told["Health"]
    assert not any(node["Online"] for node in [told["Self"], *told["Peer"].values()])


def test_a_relayed_peer_is_online_without_a_direct_address(tailnet):
    tailnet.told(vps1={"relayed": True}, unraid={"key_expiry": "2020-01-01T00:00:00Z"})
    peers = tailnet.peers()
    assert (peers["vps1"]["Online"], peers["vps1"]["CurAddr"]) == (True, "")
    assert peers["unraid"]["Expired"]


def test_ping_names_the_direct_route(tailnet):
    pong = "pong from vps1 (127.0.0.1) via 127.0.0.1:41641 in 1ms\n"
    assert tailnet.run("ping", "-c", "3", "127.0.0.1") == (0, pong)
    assert tailnet.run("ping", "vps1") == (0, pong)


def test_ping_tolerates_a_relay_only_when_told_so(tailnet):
    tailnet.told(vps1={"relayed": True})
    status, text = tailnet.run("ping", "-c", "1", "vps1")
    assert (status, "via DERP(lab)" in text) == (1, True)
    assert "direct connection not established" in text
    assert tailnet.run("ping", "-c", "1", "--until-direct=false", "vps1")[0] == 0


def test_a_ping_without_an_answer_is_exit_1(tailnet):
    tailnet.told(vps1={"address": "255.255.255.255"})  # refused by ping itself: nothing is sent
    status, text = tailnet.run("ping", "-c", "2", "--timeout", "200ms", "vps1")
    assert (status, text.count("timed out")) == (1, 2)


def test_dns_status_names_both_resolvers_of_the_domain(tailnet):
    told = json.loads(tailnet.run("dns", "status", "--json")[1])
    routes = {"edge.test": [{"Addr": "127.0.0.1"}, {"Addr": "127.0.0.2"}]}
    assert (told["TailscaleDNS"], told["SplitDNSRoutes"]) == (True, routes)


def test_ip_is_the_own_address_and_version_says_what_it_is(tailnet):
    assert tailnet.run("ip", "-4") == (0, "127.0.0.2\n")
    assert "twinedge lab stand-in" in tailnet.run("version")[1]


def test_an_unknown_host_and_a_missing_mesh_are_one_clear_line(tailnet):
    assert tailnet.run("ping", "vps9") == (1, "lookup vps9: no such host on the lab's mesh\n")
    tailnet.file.unlink()
    status, text = tailnet.run("ip")
    assert (status, len(text.splitlines())) == (1, 1)
