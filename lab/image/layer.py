"""The software layers: the hosts' packages, over the machine's root or in one of their own."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.image.cache import Entry

SCRIPT = Path(__file__).with_name("layer.sh")
PYTHON_SCRIPT = Path(__file__).with_name("python.sh")
INSTALLED = (Path("/var/lib/dpkg/status"), Path("/etc/os-release"))
# What the machine's user keeps in these is not the hosts': they start empty.
EMPTIED = ("root", "var/lib/docker", "var/lib/containerd")
MACHINE = "machine"  # the hosts are copies of the machine that the lab runs on
DISTRIBUTIONS = (MACHINE, "trixie")
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "lsyncd",
    "rsync",
    "unison",
    "unbound",
    "iproute2",
    "iputils-ping",
    "curl",
    "bind9-dnsutils",
    "sudo",
    "busybox",
    "procps",
    "nftables",
    "faketime",
)
# What a root needs that is no copy of a machine with a checkout.
OF_A_WHOLE_ROOT = ("adduser", "ca-certificates", "git", "openssh-client", "python3")


@dataclass(frozen=True, kw_only=True)
class Software:
    """What is installed on a host: a distribution, and packages beside the usual ones."""

    distribution: str = MACHINE
    beside: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """A root file system of its own, not a view of the machine's."""
        return self.distribution != MACHINE

    @property
    def packages(self) -> tuple[str, ...]:
        return PACKAGES + self.beside + (OF_A_WHOLE_ROOT if self.is_whole else ())

    @property
    def kind(self) -> str:
        return "+".join((f"root-{self.distribution}" if self.is_whole else "layer", *self.beside))


def layer(software: Software) -> Entry:
    """The layer that fits what the machine has installed now, or another Debian's root."""
    digest = hashlib.sha256(" ".join(software.packages).encode() + SCRIPT.read_bytes())
    if not software.is_whole:
        digest.update(_installed())
    return Entry(
        kind=software.kind,
        digest=digest.hexdigest()[:12],
        title=f"the packages of the lab's {software.kind}",
        build=("sh", str(SCRIPT), software.distribution, " ".join(software.packages)),
        emptied=() if software.is_whole else EMPTIED,
    )


def python(checkout: Path, root: Entry) -> Entry:
    """A virtual environment for hosts whose Python is not the checkout's."""
    wanted = [checkout / "requirements.txt", checkout / "requirements-dev.txt", PYTHON_SCRIPT]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in wanted) + root.digest.encode())
    return Entry(
        kind=f"python-{root.kind}",
        digest=digest.hexdigest()[:12],
        title=f"what the product needs of PyPI into the lab's {root.kind}",
        build=("sh", str(PYTHON_SCRIPT), str(root.folder / "root"), str(checkout)),
    )


def _installed() -> bytes:
    try:
        return b"".join(path.read_bytes() for path in INSTALLED)
    except FileNotFoundError as error:
        raise LabError(f"no {error.filename}: the lab needs Debian or Ubuntu") from error
