"""Docker on a lab host, and the containers that the catalogue's services are there.

The image is empty: what a container runs is the host's own /usr and the checkout, mounted
read-only. So it needs no registry and costs a host nothing.
"""

import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab.image.root import UNITS, Root
from lab.topology import Origin

PACKAGES = ("docker.io",)
IMAGE = "lab/origin"
SCRIPT = "/usr/local/lib/lab/containers.sh"
# vfs: a host's disk is an overlay already, and the kernel allows no third one over it.
DAEMON = {"storage-driver": "vfs"}
UNIT = f"""\
[Unit]
Description=The containers of the lab's services
Requires=docker.service
After=docker.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh {SCRIPT}

[Install]
WantedBy=multi-user.target
"""
HEAD = f"""\
#!/bin/sh
# Makes the containers that are not there yet; those that are, docker starts itself.
set -eu
image() {{
	mkdir -p usr etc tmp proc sys dev run/origin var/lib/origin
	for link in bin sbin lib lib64; do ln -s "usr/$link" "$link"; done
	echo root:x:0:0:root:/root:/bin/sh >etc/passwd
	tar -c . | docker import -c 'ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin' - {IMAGE} >/dev/null
}}
made() {{ docker inspect "$1" >/dev/null 2>&1; }}
made {IMAGE} || ( cd "$(mktemp -d)" && image )
"""


def provision(
    root: Root, origins: Iterable[Origin], *, address: str, python: Path, seen: Sequence[Path]
) -> None:
    """Docker and its containers, started at boot; `seen` are folders that they run from."""
    root.write("/etc/docker/daemon.json", json.dumps(DAEMON))
    # A machine's own client, perhaps of another version, would be found first.
    root.link("/usr/local/bin/docker", "/usr/bin/docker")
    for unit in ("containerd.service", "docker.service"):
        root.enable(unit)
    lines = [create(each, address=address, python=python, seen=seen) for each in origins]
    root.write(SCRIPT, HEAD + "".join(lines) + "wait\n", mode=0o755)
    root.write(f"{UNITS}/lab-containers.service", UNIT)
    root.enable("lab-containers.service")


def create(origin: Origin, *, address: str, python: Path, seen: Sequence[Path]) -> str:
    """The line of sh that makes one container, unless it is there."""
    bridged, port = origin.runs.network == "bridge", origin.port
    outside = {"tailnet": address, "loopback": "127.0.0.1", "all": "0.0.0.0"}[origin.runs.listen]
    inside = "0.0.0.0" if bridged else outside
    mounts = [f"{path}:{path}:ro" for path in (Path("/usr"), *seen)]
    mounts += [f"{path}:{path}" for path in ("/run/origin", "/var/lib/origin")]
    words = [
        *("docker", "run", "-d", "--name", origin.unit, "--hostname", origin.service),
        *("--restart", origin.runs.restart, "--stop-timeout", str(origin.runs.stop_timeout)),
        *(("-p", f"{outside}:{port}:{port}") if bridged else ("--network", "host")),
        *(word for mount in mounts for word in ("-v", mount)),
        *_health(origin, "127.0.0.1" if bridged else inside),
        *("-w", str(seen[0]), IMAGE, str(python), "-m", "lab.origin"),
        *("--service", origin.service, "--host", origin.host, "--listen", f"{inside}:{port}"),
    ]
    return f"made {shlex.quote(origin.unit)} || {shlex.join(words)} >/dev/null &\n"


def _health(origin: Origin, at: str) -> tuple[str, ...]:
    if not origin.runs.health_interval:
        return ()
    asking = f"curl -fsS -m 2 {shlex.quote(f'http://{at}:{origin.port}{origin.health}')}"
    return ("--health-cmd", asking, "--health-interval", f"{origin.runs.health_interval}s")
