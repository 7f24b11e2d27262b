"""The site's hosts, as a release lists them: who vanished from the inventory is known by it."""

from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from inventory.catalogue import Host, Manager, Paths, Role
from inventory.ssh import Ssh


@dataclass(frozen=True, kw_only=True)
class Member:
    """Enough of a host to log in to it once it is in no inventory any more. `state` is where it
    keeps what twinedge writes down."""

    name: str
    user: str
    address: str
    port: int
    sudo: bool
    role: Role
    manager: Manager
    state: str

    @classmethod
    def of(cls, host: Host) -> "Member":
        return cls(
            name=host.name,
            user=host.user,
            address=str(host.address),
            port=host.port,
            sudo=host.sudo,
            role=host.role,
            manager=host.manager,
            state=host.paths.state,
        )

    @classmethod
    def parse(cls, line: str) -> "Member":
        name, login, rights, role, manager, state = line.split(" ", 5)
        user, _, at = login.partition("@")
        address, _, port = at.rpartition(":")
        return cls(
            name=name,
            user=user,
            address=address,
            port=int(port),
            sudo=rights == "sudo",
            role="edge" if role == "edge" else "media",
            manager="unraid" if manager == "unraid" else "systemd",
            state=state,
        )

    @property
    def line(self) -> str:
        """As it stands behind `host ` in a release's meta."""
        rights = "sudo" if self.sudo else "root"
        login = f"{self.user}@{self.address}:{self.port}"
        return f"{self.name} {login} {rights} {self.role} {self.manager} {self.state}"

    def as_host(self, like: Host) -> Host:
        """The host that it was, logged in to as `like` is, and without a jump."""
        return replace(
            like,
            name=self.name,
            address=IPv4Address(self.address),
            user=self.user,
            port=self.port,
            sudo=self.sudo,
            role=self.role,
            manager=self.manager,
            paths=Paths(state=self.state),
            ssh=Ssh(),
        )
