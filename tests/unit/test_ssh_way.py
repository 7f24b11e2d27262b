"""The way to a host: nobody's ~/.ssh/config, unless the site says so; then as OpenSSH means it."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from inventory.ssh import Login, Stop
from tasks.ssh import config
from tasks.ssh.login import log_in
from tasks.ssh.refused import LoginRefused
from tests.runbook import Runbook
from tests.site import Site
from tests.unit.fakehosts import FakeHosts

needs_openssh = pytest.mark.skipif(not shutil.which("ssh"), reason="needs the ssh command")

CASES: dict[str, bytes] = {
    "include and match": b'Include config.d/*\nMatch host 100.* exec "true"\n  Port 2222\n',
    "latin-1": b"# caf\xe9\nHost other\n  User somebody\n",
    "proxycommand none": b"Host 100.*\n  ProxyCommand none\n",
    "proxyjump none": b"Host 100.*\n  ProxyJump none\n",
    "stale hostname": b"Host 100.67.88.109\n  HostName 100.102.55.88\n",
    "two jumps": b"Host 100.*\n  ProxyJump first.example,second.example\n",
    "nonsense": b"\0\xff\nFoo\n",
}


def settings(tmp_path: Path, text: bytes) -> Stop:
    (tmp_path / "ssh config").write_bytes(text)
    where = str(tmp_path / "ssh config")
    return Stop(address="100.67.88.109", port=2022, user="ops", login=Login(), config=where)


@pytest.mark.parametrize("case", CASES)
def test_nothing_of_the_operators_own_settings_counts(
    case: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_process: Callable[[str], Runbook],
    hosts: FakeHosts,
):
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_bytes(CASES[case])
    monkeypatch.setenv("HOME", str(tmp_path))
    asked: list[dict[str, object]] = []
    connect = hosts.connect

    def note(**parameters: object) -> object:
        asked.append(parameters)
        return connect(**parameters)

    monkeypatch.setattr("nornir_netmiko.connections.netmiko.ConnectHandler", note)
    done = in_process("status")()
    assert done.status == 0, done.err
    assert {p["host"] for p in asked} == {"100.67.88.109", "100.102.55.88", "100.76.168.116"}
    assert all(p["ssh_config_file"] is None and p["port"] == 22 for p in asked)
    assert all(p["ssh_strict"] is True and p["auto_connect"] is False for p in asked)


def test_every_host_is_strict_in_what_nornir_is_given(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    in_process: Callable[[str], Runbook],
    hosts: FakeHosts,
):
    extras = "connection_options.netmiko.extras"
    site.change("hosts", f"vps1.{extras}", {"conn_timeout": 30})
    site.change("groups", f"media.{extras}", {"allow_agent": False})
    asked: dict[str, dict[str, object]] = {}
    connect = hosts.connect

    def note(**parameters: object) -> object:
        asked[str(parameters["host"])] = parameters
        return connect(**parameters)

    monkeypatch.setattr("nornir_netmiko.connections.netmiko.ConnectHandler", note)
    assert in_process("status")().status == 0
    assert len(asked) == 3
    assert all(p["ssh_strict"] is True and p["auto_connect"] is False for p in asked.values())


@needs_openssh
@pytest.mark.parametrize(
    ("case", "address", "command"),
    [
        ("include and match", "100.67.88.109", None),
        ("latin-1", "100.67.88.109", None),
        ("proxycommand none", "100.67.88.109", None),
        ("proxyjump none", "100.67.88.109", None),
        ("stale hostname", "100.102.55.88", None),
        (
            "two jumps",
            "100.67.88.109",
            "exec ssh -F 'CONFIG' -o BatchMode=yes -o StrictHostKeyChecking=yes "
            "-W '[100.67.88.109]:2022' -J first.example -- second.example",
        ),
    ],
)
def test_declared_settings_count_as_openssh_means_them(
    tmp_path: Path, case: str, address: str, command: str | None
):
    stop = settings(tmp_path, CASES[case])
    way = config.way_to(stop)
    assert way.address == address
    assert way.command == (command and command.replace("CONFIG", str(stop.config)))


@needs_openssh
@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("ProxyCommand nc %h %p # 100%%", "exec nc 100.67.88.109 2022 # 100%"),
        ("ProxyCommand gate %r@%n %%h", "exec gate ops@100.67.88.109 %h"),
        ("ProxyJump ops@b.example:2222", "-W '[100.67.88.109]:2022' -l ops -p 2222 -- b.example"),
        ("ProxyJump ssh://b.example", "-W '[100.67.88.109]:2022' -- b.example"),
    ],
)
def test_a_proxy_is_given_the_inventorys_port_and_user(tmp_path: Path, line: str, command: str):
    stop = settings(tmp_path, f"Host 100.*\n  Port 9\n  User x\n  {line}\n".encode())
    made = config.way_to(stop).command
    assert made is not None and made.endswith(command)


@needs_openssh
def test_settings_that_openssh_refuses_are_told_with_their_line(tmp_path: Path):
    with pytest.raises(LoginRefused, match="line 1: Bad configuration option: foo"):
        config.way_to(settings(tmp_path, b"Foo bar\n"))
    with pytest.raises(LoginRefused, match="No such file or directory"):
        config.way_to(
            Stop(address="a", port=22, user="root", login=Login(), config="/nowhere/config")
        )


@needs_openssh
@pytest.mark.parametrize("command", ["false", "true", "echo no ssh server here", "cat", "/nowhere"])
def test_a_proxy_that_ends_or_leads_nowhere_is_told(tmp_path: Path, command: str):
    stop = settings(tmp_path, f"Host 100.*\n  ProxyCommand {command}\n".encode())
    brief = replace(stop.login, conn_timeout=0.5, auth_timeout=0.5, banner_timeout=0.5)
    with pytest.raises(
        LoginRefused, match=r"cannot be reached over SSH at 100\.67\.88\.109 port 2022"
    ):
        log_in((replace(stop, login=brief),))
