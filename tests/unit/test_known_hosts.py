"""known_hosts is read as OpenSSH reads it, and one line's trouble is no other's."""

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.ssh.known_hosts import KnownHosts

ADDRESS = "100.67.88.109"
OURS = "AAAAC3NzaC1lZDI1NTE5AAAAIEOirrzUl0G4N7/hhHaGb/J50cbWE2dlSLNuN/RarrNN"
OTHER = "AAAAC3NzaC1lZDI1NTE5AAAAIGnAvkuB+twnIp/jkznIgisvNfKP9o/OuCfNmczzTxEl"


def verdict(tmp_path: Path, text: str | bytes, *names: str, key: str = OURS) -> str:
    path = tmp_path / "known_hosts"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return KnownHosts.read([str(path)]).judge(names or (ADDRESS,), base64.b64decode(key)).kind


def line(hosts: str, key: str = OURS, marker: str = "") -> str:
    return f"{marker} {hosts} ssh-ed25519 {key} a comment\n".lstrip()


MINE = line(ADDRESS)


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("an authority for others", line("*.elsewhere.example", OTHER, "@cert-authority") + MINE),
        ("a revoked key of others", line("old.example", OTHER, "@revoked") + MINE),
        ("a marker nobody knows", line("*", OTHER, "@new-marker") + MINE),
        ("a line that is cut off", "elsewhere.example ssh-ed25519 AAAAC3NzaC1lZDI1\n" + MINE),
        ("a line that ends early", "elsewhere.example ssh-ed25519\nelsewhere\n@revoked\n" + MINE),
        ("a comment in Latin-1", b"# caf\xe9\n" + MINE.encode()),
        ("a line in Latin-1", b"caf\xe9 ssh-ed25519 \xe9\n" + MINE.encode()),
        ("NUL bytes", b"\0\0\n" + MINE.encode()),
        ("Windows line ends", MINE.replace("\n", "\r\n")),
        ("tabs and blanks", f"  {ADDRESS}\t ssh-ed25519   {OURS}\n"),
        ("no line end", MINE.rstrip()),
        ("an old key first", line(ADDRESS, OTHER) + MINE),
        ("an old key last", MINE + line(ADDRESS, OTHER)),
        ("a star", line("100.67.88.*")),
        ("a question mark", line("100.67.88.10?")),
        ("a list with another refused", line("*,!100.67.88.110")),
        ("a name beside it", line(f"vps1,{ADDRESS}")),
        ("a kind that nobody knows", f"{ADDRESS} ssh-dss AAAA\n" + MINE),
    ],
)
def test_the_hosts_own_line_counts_whatever_others_say(
    tmp_path: Path, case: str, text: str | bytes
):
    assert verdict(tmp_path, text) == "known", case


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "new"),
        (line("100.67.88.110"), "new"),
        (line("*,!100.67.88.109"), "new"),
        (line(ADDRESS, OTHER), "changed"),
        (line("100.67.88.*", OTHER), "changed"),
        (line(ADDRESS, OURS, "@cert-authority"), "new"),
        (MINE + line(ADDRESS, OURS, "@revoked"), "revoked"),
        (line("*", OURS, "@revoked") + MINE, "revoked"),
        (line("old.example", OURS, "@revoked") + MINE, "known"),
        (f"{ADDRESS} ssh-ed25519 {OURS[:-8]}\n", "new"),
        (f"{ADDRESS} ssh-rsa {OURS}\n", "new"),
        (f"#{MINE}", "new"),
    ],
)
def test_a_key_that_is_not_the_recorded_one_is_refused(tmp_path: Path, text: str, kind: str):
    assert verdict(tmp_path, text) == kind


def test_another_port_has_keys_of_its_own_and_the_bare_line_only_where_it_has_none(tmp_path: Path):
    both = line(f"[{ADDRESS}]:2222") + line(ADDRESS, OTHER)
    on_2222 = (f"[{ADDRESS}]:2222", ADDRESS)
    assert verdict(tmp_path, both, *on_2222) == "known"
    assert verdict(tmp_path, both, *on_2222, key=OTHER) == "changed"
    assert verdict(tmp_path, both, key=OTHER) == "known"
    assert verdict(tmp_path, both) == "changed"
    assert verdict(tmp_path, MINE, *on_2222) == "known"
    assert verdict(tmp_path, line(ADDRESS, OTHER), *on_2222) == "new"
    assert verdict(tmp_path, line(f"[{ADDRESS}]:2022"), *on_2222) == "new"
    assert verdict(tmp_path, line("[100.67.88.*]:2222"), *on_2222) == "known"


def test_a_file_that_cannot_be_read_is_told_and_hides_no_other(tmp_path: Path):
    (tmp_path / "known_hosts").mkdir()
    (tmp_path / "second").write_text(MINE)
    paths = [str(tmp_path / name) for name in ("known_hosts", "second", "third")]
    known = KnownHosts.read(paths)
    assert known.judge((ADDRESS,), base64.b64decode(OURS)).kind == "known"
    assert known.unread == (f"{tmp_path}/known_hosts: Is a directory",)


needs_openssh = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen")


@needs_openssh
def test_a_hashed_name_is_found_as_openssh_hashes_it(tmp_path: Path):
    path = tmp_path / "known_hosts"
    path.write_text(MINE + line(f"[{ADDRESS}]:2222", OTHER))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(path)], check=True, capture_output=True)
    text = path.read_text()
    assert ADDRESS not in text and text.count("|1|") == 2
    assert verdict(tmp_path, text) == "known"
    assert verdict(tmp_path, text, f"[{ADDRESS}]:2222", key=OTHER) == "known"
    assert verdict(tmp_path, text, "100.67.88.110") == "new"


PIECES = ["*", "?", "!", ",", "100.67", ".88.", "109", "[", "]:2222", "-", "a", "A", "@", "|"]


@needs_openssh
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    fields=st.lists(
        st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join),
        min_size=1,
        max_size=8,
    ),
    name=st.sampled_from([ADDRESS, f"[{ADDRESS}]:2222", "a"]),
)
def test_a_pattern_means_to_us_what_it_means_to_openssh(
    tmp_path: Path, fields: list[str], name: str
):
    path = tmp_path / "known_hosts"
    path.write_text("".join(line(hosts) for hosts in fields))
    asked = ["ssh-keygen", "-F", name, "-f", str(path)]
    done = subprocess.run(asked, capture_output=True, text=True)
    theirs = [int(x.split()[-1]) for x in done.stdout.splitlines() if "found: line" in x]
    ours = [li.number for li in KnownHosts.read([str(path)]).of(name) if li.marker == ""]
    assert ours == theirs
