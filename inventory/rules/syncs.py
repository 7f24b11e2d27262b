"""Rules of the syncs in inventory/services.yaml: whose trees they are, and that they are apart."""

import re
from collections.abc import Iterator

from inventory.catalogue import Catalogue
from inventory.rules.words import nested, unknown_host, within

SYSTEM_FOLDERS = (
    *("/bin", "/boot", "/dev", "/etc/ssh", "/home", "/lib", "/opt", "/proc", "/root/.ssh"),
    *("/run", "/sbin", "/srv", "/sys", "/tmp", "/usr/bin", "/usr/local", "/var/lib", "/var/log"),
)
PASSING_FOLDERS = ("/dev", "/proc", "/run", "/sys", "/tmp", "/var/cache", "/var/log", "/var/tmp")

# What a host itself obeys as root: who may write there on one edge would own the other.
OBEYED_FOLDERS = (
    *("/bin", "/boot", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr"),
    *("/etc/alternatives", "/etc/apparmor.d", "/etc/apt", "/etc/bash_completion.d"),
    *("/etc/cloud", "/etc/containerd", "/etc/cron.d", "/etc/cron.daily", "/etc/cron.hourly"),
    *("/etc/cron.monthly", "/etc/cron.weekly", "/etc/cron.yearly", "/etc/dbus-1", "/etc/default"),
    *("/etc/dhcp", "/etc/docker", "/etc/dpkg", "/etc/grub.d", "/etc/init.d"),
    *("/etc/initramfs-tools", "/etc/iproute2", "/etc/kernel", "/etc/ld.so.conf.d"),
    *("/etc/logrotate.d", "/etc/modprobe.d"),
    *("/etc/modules-load.d", "/etc/needrestart", "/etc/netplan", "/etc/network"),
    *("/etc/networkd-dispatcher", "/etc/NetworkManager", "/etc/pam.d", "/etc/polkit-1"),
    *("/etc/ppp", "/etc/profile.d", "/etc/rc.d", "/etc/security", "/etc/skel", "/etc/ssh"),
    *("/etc/ssl", "/etc/sudoers.d", "/etc/sysctl.d", "/etc/systemd", "/etc/tmpfiles.d"),
    *("/etc/twinedge/look", "/etc/udev", "/etc/update-motd.d", "/etc/X11", "/etc/xdg"),
    *("/root/.config/systemd",),
    *("/var/lib/dpkg", "/var/lib/systemd", "/var/lib/tailscale", "/var/spool"),
    *(f"/etc/rc{level}.d" for level in "0123456S"),
)
OBEYED_NAMES = (".ssh", ".gnupg")  # in anybody's home
HOME = re.compile(r"/home/[^/]+")  # of somebody who logs in, maybe with sudo


def syncs_join_two_edges(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    edges = {host.name for host in catalogue.edges}
    for sync in catalogue.syncs.values():
        for index, host in enumerate(sync.hosts):
            problem = unknown_host(catalogue, host)
            if not problem and host not in edges:
                problem = f"{host!r} is no edge; lsyncd runs on {', '.join(sorted(edges))}"
            if problem:
                yield f"{sync.name}.hosts.{index}", problem
        if len(set(sync.hosts)) < len(sync.hosts):
            yield f"{sync.name}.hosts", "names a host twice"
        if sync.service and sync.service not in catalogue.services:
            yield f"{sync.name}.service", f"no service {sync.service!r}"
        if sync.acts_on_service and not sync.service:
            yield f"{sync.name}.after", f"{sync.after!r} needs a service; or say a command"


def what_syncs_do_is_known_to_the_manager(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for sync in catalogue.syncs.values():
        service = catalogue.services.get(sync.service or "")
        if service is None or not sync.acts_on_service:
            continue
        for host in (name for name in sync.hosts if name in catalogue.hosts):
            if catalogue.manager_of(service, host) == "unraid":
                yield (
                    f"{sync.name}.after",
                    f"{service.name} on {host} has manager unraid, which knows no {sync.after}: "
                    "say a command",
                )


def synced_trees_are_nobody_elses(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for sync in catalogue.syncs.values():
        tree = sync.directory
        if any(within(folder, (tree,)) for folder in SYSTEM_FOLDERS):
            yield f"{sync.name}.directory", f"{tree} belongs to the system: name a folder in it"
        elif within(tree, PASSING_FOLDERS):
            yield f"{sync.name}.directory", f"{tree} holds what is not meant to stay, or logs"
        elif within(tree, OBEYED_FOLDERS) or set(tree.split("/")) & set(OBEYED_NAMES):
            yield (
                f"{sync.name}.directory",
                f"{tree} is obeyed by the host itself: whoever breaks into one edge would own both",
            )
        elif obeyed := _obeyed_below(tree):
            yield (
                f"{sync.name}.directory",
                f"{tree} holds {obeyed}, which the host itself obeys: whoever breaks into one edge "
                "would own both",
            )


def _obeyed_below(tree: str) -> str | None:
    if HOME.fullmatch(tree):
        return f"{tree}/.ssh"
    return next((folder for folder in OBEYED_FOLDERS if within(folder, (tree,))), None)


def synced_trees_are_apart(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    told: set[str] = set()
    for host in catalogue.hosts:
        trees = [(sync.name, sync.directory) for sync in catalogue.syncs_of(host)]
        for (outer, _), (name, tree) in nested(trees):
            if name not in told:
                yield f"{name}.directory", f"{tree} overlaps with {outer}"
            told.add(name)


def no_managed_file_is_synced(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for host in catalogue.hosts.values():
        trees = [(sync.name, sync.directory) for sync in catalogue.syncs_of(host.name)]
        files = [("", path) for path in host.places.values()]
        for outer, inner in nested([*trees, *files]):
            (name, tree), (other, path) = sorted((outer, inner), reverse=True)
            if name and not other:
                yield (
                    f"{name}.directory",
                    f"{tree} on {host.name} holds {path}, which the deploy writes",
                )


RULES = (
    syncs_join_two_edges,
    what_syncs_do_is_known_to_the_manager,
    synced_trees_are_nobody_elses,
    synced_trees_are_apart,
    no_managed_file_is_synced,
)
