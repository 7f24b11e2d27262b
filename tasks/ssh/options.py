"""What Nornir is told of each host's connection, in place of what it would merge by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nornir.core.inventory import ConnectionOptions, Host, Inventory

from inventory.catalogue import Catalogue
from inventory.ssh import Stop

KEY = "twinedge"  # where a Nornir host's data holds its Reach
LOOK_FOLDER = "/etc/twinedge/look"  # on a stand-in: its key, and the hosts that it knows


@dataclass(frozen=True, kw_only=True)
class Reach:
    """The way to a host, its last stop; and by what address it knows itself.

    `names` are the inventory's hosts by such an address. Where it `only_looks`, the host
    runs nothing that it is told.
    """

    way: tuple[Stop, ...]
    own_address: str
    names: Mapping[str, str]
    only_looks: bool = False

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


def only_look(inventory: Inventory) -> None:
    """Log in as a stand-in does: straight, with the key that may only look, and no other."""
    for host in inventory.hosts.values():
        reach = reach_of(host)
        login = replace(
            reach.stop.login,
            key_file=f"{LOOK_FOLDER}/key",
            passphrase=None,
            use_keys=False,
            allow_agent=False,
            system_host_keys=False,
            alt_host_keys=True,
            alt_key_file=f"{LOOK_FOLDER}/known_hosts",
        )
        stop = replace(reach.stop, login=login, config=None)
        host.connection_options["netmiko"].password = None
        host.data[KEY] = replace(reach, way=(stop,), only_looks=True)


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
