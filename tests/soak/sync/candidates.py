"""The three ways to carry changes that were put through the same histories.

`unison` is the product as it is deployed. The other two replace lsyncd's config on the
lab's hosts: rsync as facts had it safest, and the same behind an echo filter.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from lab.api import Lab
from tasks.quote import lua_string
from tests.lab.conftest import shell

TREES = 8
STATE = "/var/lib/twinedge/sync"
BESIDE = "/srv/soak-beside"
LOG = "/var/lib/soak-rsync.log"

SETTINGS = 'settings { nodaemon = true, insist = true, statusFile = "/run/lsyncd.status" }\n'
SYNC = """\
sync {{
	default.rsync,
	source = "{root}/",
	target = "root@{address}:{root}/",
	delay = 1,
	delete = "running",
	exclude = {{ "*.tmp", ".twinedge-sync" }},
	rsync = {{
		binary = {binary},
		archive = true,
		update = true,
		temp_dir = "{beside}/tmp",
		rsh = "ssh -o BatchMode=yes -o ConnectTimeout=5 -o ServerAliveInterval=5 -o ControlMaster=auto -o ControlPath=/run/lsyncd-%C -o ControlPersist=60",
		_extra = {{ "--backup", "--backup-dir={beside}/backup", "--modify-window=-1", "--timeout=30", "--log-file={log}" }},
	}},
}}
"""  # noqa: E501
FILTER = """\
#!/bin/sh
cd '{checkout}' && exec '{python}' -m tests.soak.sync.echo_filter {peer} "$@"
"""


def root(tree: int) -> str:
    return f"/srv/soak/{tree}"


def lend_key(lab: Lab) -> None:
    """The two others log in as the operator, from either host."""
    key = shell(lab, "vps2", "tar -C /root -c .ssh | base64")
    lab.run("vps1", ["sh", "-c", "base64 -d | tar -C /root -x"], input=key, check=True)


@dataclass(frozen=True)
class Candidate:
    """One way: how it is set up on both hosts, where it keeps copies, what it has carried."""

    name: str

    @property
    def kept(self) -> Mapping[str, list[str]]:
        """Tree -> the folders with copies of what was overwritten or deleted in it."""
        if self.name == "unison":
            state = {root(n): f"{STATE}/soak-{n}" for n in range(TREES)}
            return {r: [f"{s}/backup", f"{s}/conflicts"] for r, s in state.items()}
        return {root(n): [f"{BESIDE}/{n}/backup"] for n in range(TREES)}

    def transfers(self, lab: Lab) -> int:
        """How many items have been carried over, in both directions, ever."""
        if self.name == "unison":
            script = f"cat {STATE}/soak-*/history 2>/dev/null | wc -l"
            return int(shell(lab, "vps1", script))
        count = f"cat {LOG} 2>/dev/null | grep -c -e ' [<>c.*][fdLD*]' || :"
        return sum(int(shell(lab, host, count)) for host in ("vps1", "vps2"))

    def prepare(self, lab: Lab) -> None:
        """On both hosts; the product itself is deployed already."""
        if self.name != "unison":
            lend_key(lab)
        for host, peer in (("vps1", "vps2"), ("vps2", "vps1")):
            keep = "cp -n /etc/lsyncd/lsyncd.conf.lua /root/lsyncd.product"
            script = [keep]
            if self.name == "unison":
                script.append("cp /root/lsyncd.product /etc/lsyncd/lsyncd.conf.lua")
            else:
                config = self._config(lab, peer)
                wrapper = FILTER.format(
                    checkout=lab.state.checkout, python=lab.state.python, peer=peer
                )
                script.append(f"cat > /etc/lsyncd/lsyncd.conf.lua <<'END'\n{config}END")
                script.append(f"cat > /usr/local/bin/soak-rsync <<'END'\n{wrapper}END")
                script.append("chmod 755 /usr/local/bin/soak-rsync")
            shell(lab, host, "\n".join(script))

    def clean(self, lab: Lab) -> None:
        """Forget everything about the trees; lsyncd is stopped."""
        tools = f"rm -rf {STATE}/soak-* {BESIDE} {LOG} /var/lib/soak-receipts"
        folders = " ".join(f"{BESIDE}/{n}/tmp {BESIDE}/{n}/backup" for n in range(TREES))
        for host in ("vps1", "vps2"):
            shell(lab, host, f"{tools}; mkdir -p {folders}")

    def _config(self, lab: Lab, peer: str) -> str:
        binary = "/usr/local/bin/soak-rsync" if self.name == "filter" else "/usr/bin/rsync"
        return SETTINGS + "".join(
            SYNC.format(
                root=root(n),
                address=lab.machines[peer].tailnet,
                binary=lua_string(binary),
                beside=f"{BESIDE}/{n}",
                log=LOG,
            )
            for n in range(TREES)
        )


CANDIDATES = {name: Candidate(name) for name in ("unison", "safe", "filter")}
