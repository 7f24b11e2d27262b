"""Rules of inventory/hosts.yaml: there are hosts, each at an address of its own on the tailnet.

An appliance may be anywhere, but not where Caddy is: it would be asked by itself.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address

from inventory.catalogue import Catalogue
from inventory.levels import EXTRAS
from inventory.rules.words import unknown_host

TAILNET = IPv4Network("100.64.0.0/10")  # Tailscale and Headscale give their hosts these
MAGIC_DNS = IPv4Address("100.100.100.100")  # answered by every host's own tailscaled
NOBODYS = IPv4Network("0.0.0.0/8")


def something_exists(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    if not catalogue.hosts:
        yield "the file", "holds no host"
    if not catalogue.edges:
        yield "the file", "holds no host with role edge (data.role, usually from group edge)"


def addresses_are_unique(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    owner: dict[object, str] = {}
    addresses: dict[str, object] = {host.name: host.address for host in catalogue.hosts.values()}
    addresses |= {one.name: one.address for one in catalogue.appliances.values()}
    for name, address in addresses.items():
        first = owner.setdefault(address, name)
        if first != name:
            yield f"{name}.hostname", f"{address} is the address of {first} too"


def addresses_are_on_the_tailnet(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for host in catalogue.hosts.values():
        problem = _no_host_has(host.address)
        if problem:
            yield f"{host.name}.hostname", f"{host.address} {problem}"
        elif host.tailnet and host.address not in TAILNET:
            yield (
                f"{host.name}.hostname",
                f"{host.address} is not on the tailnet ({TAILNET}): `tailscale ip -4` on the host "
                "prints its address there; data.tailnet: false says that it is meant so",
            )


def own_addresses_tell_hosts_apart(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """By it a host is known to be the right one."""
    for host in catalogue.hosts.values():
        problem = _no_host_has(host.own_address) if host.ssh.own_address else None
        if problem:
            yield f"{host.name}.data.ssh.own_address", f"{host.own_address} {problem}"


def appliances_are_elsewhere(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    ours = {
        name: service.name
        for service in catalogue.services.values()
        for name in (*service.https_names, *service.http_names)
    }
    if catalogue.site.page_name:
        ours[catalogue.site.page_name] = "the page"
    for one in catalogue.appliances.values():
        key, address = f"{one.name}.hostname", one.address
        problem = None if isinstance(address, str) else _no_host_has(address)
        if address == "localhost":
            problem = "leads to every host itself, so not to this one"
        if address in ours:
            problem = f"is the name of {ours[str(address)]}: Caddy would ask itself"
        if problem:
            yield key, f"{address} {problem}"


def _no_host_has(address: IPv4Address | IPv6Address) -> str | None:
    if address in NOBODYS or address.is_multicast or address.is_reserved:
        return "is no address of a host"
    if address.is_loopback or address.is_link_local:
        return "leads to every host itself, so not to this one"
    if address == MAGIC_DNS:
        return "is Tailscale's own resolver on every host"
    return None


def hosts_can_be_logged_in_to(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for name, host in catalogue.hosts.items():
        login = host.login
        if login.alt_host_keys and login.alt_key_file is None:
            yield f"{name}.{EXTRAS}.alt_key_file", "is missing; alt_host_keys needs it"
        if not login.system_host_keys and not login.alt_host_keys:
            yield f"{name}.{EXTRAS}.system_host_keys", "false leaves no host key to know it by"
        if login.key_file is None and not (login.use_keys or login.allow_agent):
            yield f"{name}.{EXTRAS}.key_file", "is missing, and use_keys and allow_agent are false"
        for hop in host.ssh.jump:
            if hop.address in catalogue.appliances:
                yield f"{name}.data.ssh.jump", f"{unknown_host(catalogue, hop.address)}"
        try:
            catalogue.way_to(name)
        except ValueError as error:
            yield f"{name}.data.ssh.jump", str(error)


RULES = (
    something_exists,
    addresses_are_unique,
    addresses_are_on_the_tailnet,
    own_addresses_tell_hosts_apart,
    appliances_are_elsewhere,
    hosts_can_be_logged_in_to,
)
