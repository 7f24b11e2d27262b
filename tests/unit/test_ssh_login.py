"""Logging in: which keys are offered, what is said when none opens, and who is there."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import paramiko
import pytest

from inventory.ssh import Login, Stop
from tasks.ssh import refused
from tasks.ssh.keys import Keys
from tasks.ssh.refused import LoginRefused
from tests.runbook import Runbook
from tests.site import Site
from tests.unit.fakehosts import FakeHosts


class Server:
    """As much of a paramiko.Transport as Keys uses; lets in by the keys that it `knows`."""

    def __init__(self, knows: str = "", tries: int = 6) -> None:
        self.knows, self.tries, self.offered = knows, tries, 0

    def auth_publickey(self, _: str, key: paramiko.PKey) -> list[str]:
        self.offered += 1
        if key.get_base64() in self.knows:
            return []
        raise paramiko.AuthenticationException("Authentication failed.")

    def is_active(self) -> bool:
        return self.offered < self.tries


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator's home without keys, and no agent."""
    (tmp_path / ".ssh").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path


def make(path: Path, *options: str, passphrase: str = "") -> str:
    """A key pair at `path`; its public half."""
    command = ["ssh-keygen", "-q", "-N", passphrase, "-f", str(path)]
    subprocess.run([*command, *(options or ("-t", "ed25519"))], check=True)
    return path.with_name(f"{path.name}.pub").read_text()


def stop(**login: object) -> Stop:
    return Stop(address="100.67.88.109", port=22, user="root", login=Login(**login))  # type: ignore[arg-type]


def refusal(server: Server, **login: object) -> str:
    with pytest.raises(LoginRefused) as caught:
        Keys(stop(**login)).authenticate(server)  # type: ignore[arg-type]
    return str(caught.value)


def enter(server: Server, **login: object) -> None:
    Keys(stop(**login)).authenticate(server)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        ("-t", "ed25519"),
        ("-t", "ecdsa"),
        ("-t", "rsa", "-b", "2048"),
        ("-t", "rsa", "-b", "2048", "-m", "PEM"),
        ("-t", "rsa", "-b", "2048", "-m", "PKCS8"),
    ],
)
def test_every_format_of_a_key_opens_with_and_without_a_passphrase(
    home: Path, options: tuple[str, ...]
):
    for passphrase in ("", "correct horse"):
        file = home / f"key{len(passphrase)}"
        public = make(file, *options, passphrase=passphrase)
        (home / "phrase").write_text(f"{passphrase}\n")
        reference = {"passphrase": f"file:{home}/phrase"} if passphrase else {}
        enter(Server(public), key_file=str(file), **reference)


def test_a_key_with_a_passphrase_opens_where_an_agent_holds_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    public = make(home / "key", passphrase="correct horse")
    server = Server(public)
    said = refusal(server, key_file="~/key")
    assert "key_file ~/key has a passphrase, and no agent holds it: ssh-add it" in said
    assert server.offered == 0
    held = paramiko.Ed25519Key.from_private_key_file(str(home / "key"), "correct horse")
    monkeypatch.setattr(held, "comment", "key", raising=False)
    monkeypatch.setattr("paramiko.Agent.get_keys", lambda _: (held,))
    enter(Server(public), key_file="~/key")
    (home / "key.pub").unlink()  # then the public half inside tells
    enter(Server(public), key_file="~/key")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda key: key.unlink(), "key_file ~/key does not exist"),
        (lambda key: (key.unlink(), key.mkdir()), "key_file ~/key cannot be read: Is a directory"),
        (lambda key: key.write_text("junk"), "key_file ~/key is no private key"),
        (lambda key: key.write_bytes(b""), "key_file ~/key is no private key"),
        (lambda key: key.write_text(key.read_text()[:200]), "key_file ~/key is no private key"),
        (lambda key: None, "key_file ~/key is not let in"),
    ],
)
def test_a_key_file_that_does_not_open_is_told_and_another_key_may(
    home: Path, spoil: Callable[[Path], object], words: str
):
    make(home / "key")
    other = make(home / ".ssh" / "id_ecdsa", "-t", "ecdsa")
    spoil(home / "key")
    assert words in refusal(Server(), key_file="~/key")
    enter(Server(other), key_file="~/key")


def test_a_wrong_passphrase_is_told_and_never_repeated(home: Path):
    make(home / "key", passphrase="correct horse")
    (home / "phrase").write_text("battery staple\n")
    said = refusal(Server(), key_file="~/key", passphrase=f"file:{home}/phrase")
    assert "is not opened by its passphrase" in said and "battery" not in said
    said = refusal(Server(), key_file="~/key", passphrase="file:/nowhere")
    assert "passphrase that cannot be had: file:/nowhere: No such file" in said


def test_too_many_keys_are_told_with_the_way_out(home: Path, monkeypatch: pytest.MonkeyPatch):
    names = [make(home / f"key{n}") and f"key{n}" for n in range(8)]
    held = [paramiko.Ed25519Key.from_private_key_file(str(home / name)) for name in names]
    for key, name in zip(held, names, strict=True):
        monkeypatch.setattr(key, "comment", name, raising=False)
    monkeypatch.setattr("paramiko.Agent.get_keys", lambda _: held)
    said = refusal(Server(tries=3), allow_agent=True)
    assert "closed the connection after 3 keys for user root (its MaxAuthTries)" in said
    assert "name the right one with key_file, and say allow_agent: false" in said
    public = make(home / "right")
    enter(Server(public, tries=3), allow_agent=True, key_file="~/right")


def test_a_key_in_two_places_is_offered_once(home: Path):
    make(home / ".ssh" / "id_ed25519")
    server = Server()
    refusal(server, key_file=str(home / ".ssh" / "id_ed25519"))
    assert server.offered == 1


def test_advised_commands_hold_the_port():
    other = Stop(address="100.67.88.109", port=2222, user="ops", login=Login())
    assert refused.by_hand(other) == "ssh -p 2222 ops@100.67.88.109 true"
    assert refused.forget(other) == "ssh-keygen -R '[100.67.88.109]:2222'"
    assert refused.by_hand(stop()) == "ssh root@100.67.88.109 true"


def test_nothing_is_done_on_a_host_that_is_another_one(
    deploy: Runbook, in_process: Callable[[str], Runbook], hosts: FakeHosts
):
    hosts["vps1"].is_at("100.102.55.88")
    done = deploy("--apply")
    assert done.status == 1
    assert (
        "vps1: what answers at 100.67.88.109 is vps2: its addresses are 100.102.55.88" in done.err
    )
    assert not any(hosts[name].state.exists() for name in ("vps1", "vps2", "unraid"))
    told = in_process("status")()
    assert told.status == 1 and "Traceback" not in told.out + told.err
    assert "vps2" in told.out and "unraid" in told.out


def test_a_host_that_turns_into_another_after_the_look_is_refused_before_it_is_written_to(
    deploy: Runbook, hosts: FakeHosts
):
    once = "[ -e /asked ] && address=100.9.9.9 || address=100.67.88.109; : > /asked"
    hosts["vps1"].stub("ip", f"{once}; echo inet $address/32")
    done = deploy("--apply")
    assert done.status == 1
    assert "what answers at 100.67.88.109 is another host: its addresses are 100.9.9.9" in done.err
    assert not hosts["vps1"].mcp.exists() and not hosts["vps1"].state.exists()


@pytest.mark.parametrize(
    ("ip", "others"),
    [
        ("exit 1", {"ifconfig": "echo '   inet addr:100.67.88.109  P-t-P:100.67.88.109'"}),
        ("exit 127", {"ifconfig": "exit 127", "hostname": "echo '10.0.0.5 100.67.88.109 '"}),
        ("echo inet 10.0.0.5/24", {"tailscale": "echo 100.67.88.109"}),
    ],
)
def test_a_host_is_known_by_whatever_tool_it_has(
    deploy: Runbook, hosts: FakeHosts, ip: str, others: dict[str, str]
):
    for tool, body in {"ip": ip, **others}.items():
        hosts["vps1"].stub(tool, f"{body}\n")
    assert deploy("--apply").status == 0


@pytest.mark.parametrize("near", ["1100.67.88.109", "100.67.88.1090", "100.67.88.10", "100.67.88"])
def test_an_address_that_only_looks_alike_is_another(
    in_process: Callable[[str], Runbook], hosts: FakeHosts, near: str
):
    hosts["vps1"].stub("ip", f"echo 'inet {near}/32'\n")
    assert "is another host" in in_process("status")("--host", "vps1").out


def test_a_host_behind_a_nat_is_known_by_its_own_address(
    deploy: Runbook, hosts: FakeHosts, site: Site
):
    hosts["unraid"].is_at("192.168.1.5")
    site.change("hosts", "unraid.data.ssh", {"own_address": "192.168.1.5"})
    assert deploy("--apply").status == 0


def test_what_a_login_shell_prints_first_is_no_answer(deploy: Runbook, hosts: FakeHosts):
    for name in ("vps1", "unraid"):
        hosts[name].login = "echo Welcome; echo now 0; echo 'locked somebody' >&2\n"
    assert deploy("--apply").status == 0
    again = deploy()
    assert again.status == 0 and "Welcome" not in again.out + again.err


@pytest.mark.parametrize("status", [0, 1, 3])
def test_a_login_shell_that_ends_first_is_told_and_the_others_stand(
    in_process: Callable[[str], Runbook], hosts: FakeHosts, status: int
):
    hosts["vps1"].login = f"echo This account is closed.\nexit {status}\n"
    done = in_process("status")()
    assert done.status == 1
    assert f"ends with exit status {status} before it runs what it is told" in done.out
    assert "(it says: This account is closed.)" in done.out and "~/.bashrc" in done.out
    assert "unraid  none" in done.out and "Traceback" not in done.out + done.err


@pytest.mark.parametrize(
    "error", [ValueError("odd"), RuntimeError(), KeyError("x"), OSError(5, "I")]
)
def test_whatever_ends_one_hosts_login_the_others_are_told_of(
    in_process: Callable[[str], Runbook], hosts: FakeHosts, error: Exception
):
    hosts["vps1"].refuses = error
    done = in_process("status")()
    assert done.status == 1
    assert "vps1      cannot be reached over SSH at 100.67.88.109: " in done.out
    assert "unraid  none" in done.out and "in twinedge itself" not in done.err
