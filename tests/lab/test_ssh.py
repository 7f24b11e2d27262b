"""SSH against real hosts: what OpenSSH takes we take, and one bad host ends no other's run."""

from subprocess import CompletedProcess

import pytest

from lab.api import Lab
from tests.lab import sites
from tests.lab.conftest import shell

HOME = "/root/ssh-home"
SITE = "/root/ssh-site"
VPS1, VPS2, UNRAID = "100.67.88.109", "100.102.55.88", "100.76.168.116"

NOISE = r"""
@cert-authority *.elsewhere.example ssh-ed25519 %(client)s
@revoked old.elsewhere.example ssh-ed25519 %(client)s
elsewhere.example ssh-ed25519 AAAAC3NzaC1lZDI1
elsewhere.example
"""
CONFIG = r"""Include config.d/*
Host 100.67.88.109
  HostName 100.102.55.88
Host 100.76.*
  ProxyJump first.example,second.example
Host 100.102.*
  ProxyCommand none
Match host 100.* exec "true"
  Port 2222
"""


@pytest.fixture
def keys(lab: Lab) -> dict[str, str]:
    """The lab's host keys by name; an operator's home of its own is made from them."""
    text = shell(lab, "vps2", f"rm -rf {HOME} {SITE}; mkdir -p {HOME}/.ssh; "
                 f"cp /root/.ssh/id_ed25519 {HOME}/.ssh; cat /root/.ssh/known_hosts")  # fmt: skip
    return {line.split(",")[0]: line.split()[2] for line in text.splitlines()}


def status(lab: Lab, *options: str, before: str = "") -> "CompletedProcess[str]":
    """status.py with the operator's home."""
    command = f'export HOME={HOME}; {before} exec python runbooks/status.py "$@"'
    return lab.run("vps2", ["sh", "-c", command, "sh", *options])


def known_hosts(lab: Lab, *lines: str) -> None:
    text = "\n".join(lines)
    # printf for a byte that is no UTF-8: a comment in Latin-1
    shell(lab, "vps2", f"{{ printf '# caf\\351\\n'; cat <<'END'\n{text}\nEND\n}} "
          f"> {HOME}/.ssh/known_hosts")  # fmt: skip


def recorded(address: str, key: str) -> str:
    return f"{address} ssh-ed25519 {key}"


def stands(done: "CompletedProcess[str]", *hosts: str) -> bool:
    """Did each of `hosts` tell its release?"""
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
    return all(rows.get(host, [""] * 2)[1].startswith("20") for host in hosts)


def test_what_openssh_takes_we_take_and_the_operators_own_settings_steer_nothing(
    lab: Lab, keys: dict[str, str]
):
    known_hosts(
        lab,
        NOISE % keys,
        recorded(VPS1, keys["client"]),  # an old key
        recorded("100.67.88.*", keys["vps1"]),
        recorded(UNRAID, keys["unraid"]),
    )
    shell(lab, "vps2", f"ssh-keygen -q -H -f {HOME}/.ssh/known_hosts 2>/dev/null || true; "
          f"echo '{recorded(VPS2, keys['vps2'])}' > /etc/ssh/ssh_known_hosts; "
          f"cat > {HOME}/.ssh/config <<'END'\n{CONFIG}END\n"
          f"printf '# caf\\351\\n' >> {HOME}/.ssh/config; cp -r {HOME} {HOME}-before")  # fmt: skip
    # A shell that says something first, and is slow, does no harm.
    shell(lab, "unraid", "cp -p /root/.bashrc /root/.bashrc.away 2>/dev/null; "
          "echo 'echo Welcome; sleep 0.5' > /root/.bashrc")  # fmt: skip
    try:
        done = status(lab)
        assert stands(done, "vps1", "vps2", "unraid"), done.stdout + done.stderr
        assert done.returncode == 0 and "Welcome" not in done.stdout
        shell(lab, "vps2", f"diff -r {HOME} {HOME}-before; rm -r {HOME}-before")
    finally:
        shell(lab, "vps2", "rm -f /etc/ssh/ssh_known_hosts")
        shell(lab, "unraid", "rm /root/.bashrc; "
              "[ ! -e /root/.bashrc.away ] || mv /root/.bashrc.away /root/.bashrc")  # fmt: skip


def test_a_bad_host_key_on_one_host_is_told_and_the_others_stand(lab: Lab, keys: dict[str, str]):
    known_hosts(
        lab,
        recorded(VPS1, keys["vps1"]),
        f"@revoked {recorded(VPS1, keys['vps1'])}",
        recorded(VPS2, keys["vps2"]),
        recorded(UNRAID, keys["unraid"])[:-9],
    )
    done = status(lab)
    assert done.returncode == 1 and stands(done, "vps2"), done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "vps1 shows an SSH host key that ~/.ssh/known_hosts:3 marks as @revoked" in said
    assert "unraid its SSH host key is not recorded yet: ssh root@100.76.168.116 true" in said
    assert "~/.ssh/known_hosts:5 is cut off or broken" in said
    assert "in twinedge itself" not in done.stderr


def site(lab: Lab, hosts: dict[str, dict[str, object]]) -> str:
    """The lab's site with these additions to its hosts, on vps2; its Nornir settings."""
    config = sites.scheduled(lab, "vps2", SITE, {"hosts": []})
    content = sites.read(lab, "hosts")
    for name, added in hosts.items():
        content[name] |= added
    sites.write(lab, "vps2", SITE, {"hosts.yaml": content})
    return config


def extras(**options: object) -> dict[str, object]:
    return {"connection_options": {"netmiko": {"extras": options}}}


def test_a_wrong_host_and_a_locked_key_are_told_and_the_others_stand(
    lab: Lab, keys: dict[str, str]
):
    known_hosts(lab, *(recorded(a, keys[n]) for n, a in
                       {"vps1": VPS1, "vps2": VPS2, "unraid": UNRAID}.items()))  # fmt: skip
    shell(lab, "vps2", f"cd {HOME}/.ssh; printf 'Host {UNRAID}\\n  HostName {VPS1}\\n' > config; "
          "cp id_ed25519 locked; ssh-keygen -q -p -N secret -f locked")  # fmt: skip
    locked = extras(key_file="~/.ssh/locked", use_keys=False)
    config = site(lab, {"vps1": locked, "unraid": {"data": {"ssh": {"config": "~/.ssh/config"}}}})
    done = status(lab, "--config", config)
    said = " ".join(done.stdout.split())
    assert done.returncode == 1 and stands(done, "vps2"), done.stdout + done.stderr
    assert "key_file ~/.ssh/locked has a passphrase, and no agent holds it: ssh-add it" in said
    assert f"unraid what answers at {UNRAID} is vps1: its addresses are" in said

    # The same with an agent that holds the key; and unraid through vps1, which goes that way, too.
    config = site(lab, {"vps1": locked, "unraid": {"data": {"ssh": {"jump": "vps1"}}}})
    agent = (
        "eval $(ssh-agent) >/dev/null; trap 'kill $SSH_AGENT_PID' EXIT; "
        "printf '#!/bin/sh\\necho secret\\n' > $HOME/ask; chmod 700 $HOME/ask; "
        "SSH_ASKPASS=$HOME/ask SSH_ASKPASS_REQUIRE=force ssh-add -q $HOME/.ssh/locked || exit 9; "
        'python runbooks/status.py "$@"; exit $?;'
    )
    done = status(lab, "--config", config, before=agent)
    assert done.returncode == 0 and stands(done, "vps1", "vps2", "unraid"), done.stdout
    met = "journalctl -u ssh --since -5min | grep 'Accepted publickey' | tail -1"
    assert f"from {VPS1}" in shell(lab, "unraid", met)

    # And by the operator's settings, where the site says that they count.
    shell(lab, "vps2", f"printf 'Host {UNRAID}\\n  ProxyJump root@{VPS1}\\n' > {HOME}/.ssh/config; "
          f"cp {HOME}/.ssh/known_hosts /etc/ssh/ssh_known_hosts")  # fmt: skip
    config = site(lab, {"unraid": {"data": {"ssh": {"config": "~/.ssh/config"}}}})
    done = status(lab, "--config", config)
    shell(lab, "vps2", "rm /etc/ssh/ssh_known_hosts")
    assert done.returncode == 0 and stands(done, "vps1", "vps2", "unraid"), done.stdout
    assert f"from {VPS1}" in shell(lab, "unraid", met)


def test_too_many_keys_and_a_shell_that_ends_are_told_and_the_others_stand(
    lab: Lab, keys: dict[str, str]
):
    known_hosts(lab, *(recorded(a, keys[n]) for n, a in
                       {"vps1": VPS1, "vps2": VPS2, "unraid": UNRAID}.items()))  # fmt: skip
    config = site(lab, {"vps1": extras(key_file="~/none", allow_agent=True, use_keys=False)})
    shell(lab, "unraid", "mv /root/.bashrc /root/.bashrc.away 2>/dev/null; "
          "echo 'exit 0' > /root/.bashrc")  # fmt: skip
    agent = (
        "eval $(ssh-agent) >/dev/null; trap 'kill $SSH_AGENT_PID' EXIT; "
        "for n in 1 2 3 4 5 6 7 8; do ssh-keygen -q -t ed25519 -N '' -f $HOME/k$n <<NO\nn\nNO\n"
        'ssh-add -q $HOME/k$n; done; python runbooks/status.py "$@"; exit $?;'
    )
    try:
        done = status(lab, "--config", config, before=agent)
    finally:
        shell(lab, "unraid", "rm /root/.bashrc; "
              "[ ! -e /root/.bashrc.away ] || mv /root/.bashrc.away /root/.bashrc")  # fmt: skip
    said = " ".join(done.stdout.split())
    assert done.returncode == 1 and stands(done, "vps2"), done.stdout + done.stderr
    assert "closed the connection after 6 keys for user root (its MaxAuthTries)" in said
    assert "key_file ~/none does not exist" in said
    assert "unraid the login as root there ends with exit status 0 before it runs" in said
