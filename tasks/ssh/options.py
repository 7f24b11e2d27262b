"""What Nornir is told of each host's connection, in place of what it would merge by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nornir.core.inventory import ConnectionOptions, Host, Inventory

from inventory.catalogue import Catalogue
from inventory.ssh import Stop

KEY = "twinedge"  # where a Nornir host's data holds its Reach


@dataclass(frozen=True, kw_only=True)
class Reach:
    """The way to a host, its last stop; and by what address it knows itself.

    `names` are the inventory's hosts by such an address.
    """

    way: tuple[Stop, ...]
    own_address: str
    names: Mapping[str, str]

    @property
    def stop(self) -> Stop:
        return self.way[-1]


def settle(inventory: Inventory, catalogue: Catalogue) -> None:
    """Give every Nornir host the options of its Host, and nothing else.

    netmiko keeps the connection; it opens none, and reads nobody's ~/.ssh/config.
    """
    names = {str(host.own_address): host.name for host in catalogue.hosts.values()}
    for name, known in inventory.hosts.items():
        host = catalogue.hosts[name]
        known.data[KEY] = Reach(
            way=catalogue.way_to(name), own_address=str(host.own_address), names=names
        )
        extras: dict[str, Any] = {
            "auto_connect": False,
            "ssh_strict": True,
            "system_host_keys": True,
            "ssh_config_file": None,
            "conn_timeout": host.login.conn_timeout,
        }
        known.connection_options["netmiko"] = ConnectionOptions(
            port=host.port,
            username=host.user,
            platform="linux",
            password=known.get_connection_parameters("netmiko").password,
            extras=extras,
        )


def reach_of(host: Host) -> Reach:
    found: Reach = host.data[KEY]
    return found


def be_patient(inventory: Inventory, seconds: float) -> None:
    """A login may take `seconds`, whatever the inventory says."""
    for host in inventory.hosts.values():
        reach = reach_of(host)
        way = tuple(
            replace(
                stop,
                login=replace(
                    stop.login,
                    conn_timeout=seconds,
                    auth_timeout=seconds,
                    banner_timeout=seconds,
                ),
            )
            for stop in reach.way
        )
        host.data[KEY] = replace(reach, way=way)
