"""Rules of the places that twinedge writes to: each a place of its own, and nobody else's."""

import re
from collections.abc import Iterator, Mapping

from inventory.catalogue import Catalogue, Host
from inventory.rules.syncs import HOME, OBEYED_FOLDERS, SYSTEM_FOLDERS
from inventory.rules.words import nested, within

FOLDERS = ("units", "state")  # of `paths`; all others are files
UNITS = {"units", "lsyncd_unit"}  # a unit lies among the units, and the system has its own there
# What a host has of its own, and a file of ours would replace: accounts, logins, programs.
SYSTEM_FILES = (
    *("/etc/crontab", "/etc/environment", "/etc/fstab", "/etc/group", "/etc/gshadow"),
    *("/etc/hostname", "/etc/hosts", "/etc/ld.so.conf", "/etc/ld.so.preload", "/etc/machine-id"),
    *("/etc/nsswitch.conf", "/etc/passwd", "/etc/profile", "/etc/resolv.conf", "/etc/shadow"),
    *("/etc/sudoers", "/etc/sysctl.conf"),
)
SYSTEM_PLACES = (
    *("/bin", "/dev", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr/bin", "/usr/lib"),
    *("/usr/libexec", "/usr/sbin", "/etc/cron.d", "/etc/pam.d", "/etc/profile.d", "/etc/ssh"),
    *("/etc/sudoers.d", "/etc/udev", "/var/lib/dpkg", "/var/spool"),
)
LOGIN_FILE = re.compile(r"(/root|/home/[^/]+)/\.(bash\w*|forward|gitconfig|k?shrc|profile|zsh\w*)")
OURS = {"state", "look"}  # by default, on a host without systemd
UNSERVED = (
    *("/dev", "/etc", "/proc", "/root", "/sys", "/var/backups", "/var/lib/caddy"),
    *("/var/lib/twinedge", "/var/log"),
)


def managed_files(host: Host, catalogue: Catalogue) -> Mapping[str, str]:
    """Path by key, of all that a deploy writes on `host`."""
    return {
        **host.places,
        "cloudflared's credentials": host.tunnel_credentials(catalogue.site.tunnel.id),
        "cloudflared's hosts": host.tunnel_hosts,
    }


def managed_files_are_apart(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for host in catalogue.hosts.values():
        for (outer, _), (inner, path) in nested(managed_files(host, catalogue).items()):
            if {outer, inner} not in ([UNITS] if host.paths.look else [UNITS, OURS]):
                yield f"{host.name}.data.paths.{inner}", f"{path} is at or below {outer}'s"


def nothing_of_the_systems_is_replaced(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for host in catalogue.hosts.values():
        for key, path in managed_files(host, catalogue).items():
            if key not in UNITS and is_the_systems(path):
                yield f"{host.name}.data.paths.{key}", f"{path} is the system's own"


def is_the_systems(path: str) -> bool:
    """Would a file of ours there replace one that the host itself obeys?"""
    return (
        path in SYSTEM_FILES
        or within(path, SYSTEM_PLACES) is not None
        or LOGIN_FILE.fullmatch(path) is not None
        or "/.ssh/" in path
    )


def the_files_of_clients_are_apart(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    clients = catalogue.mcp.clients
    for name, client in clients.items():
        if within(client.path, OBEYED_FOLDERS) or is_the_systems(client.path):
            yield f"clients.{name}.path", f"{client.path} lies in a folder that the host obeys"
    for host in catalogue.hosts.values():
        theirs = {f"client {n}": c.path for n, c in clients.items() if c.is_on(host.name)}
        for (outer, _), (inner, path) in nested(
            {**managed_files(host, catalogue), **theirs}.items()
        ):
            for name in {outer, inner} & theirs.keys():
                other = outer if name == inner else inner
                key = f"clients.{name.removeprefix('client ')}.path"
                yield key, f"overlaps on {host.name} with {other} at {path}"


def the_page_is_alone(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Caddy serves all that lies in its folder."""
    site = catalogue.site
    control = catalogue.hosts.get(site.control)
    if site.page is None or control is None:
        return
    problem = unservable(catalogue, control, site.page.directory)
    if problem:
        yield "data.page.directory", problem


def unservable(catalogue: Catalogue, host: Host, folder: str, *, but: str = "") -> str:
    """Why `host` may not serve all that lies in `folder`, or nothing. The trees that are synced
    for a service are its own: those of `but` and those of nobody may be shown.
    """
    if any(within(system, (folder,)) for system in SYSTEM_FOLDERS):
        return f"{folder} belongs to the system, and all that lies in it would be served"
    if within(folder, (*UNSERVED, *OBEYED_FOLDERS)) or HOME.fullmatch(folder):
        return f"{folder} is no place to serve: name a folder of its own, such as /srv/twinedge"
    trees = [
        (f"sync {sync.name}", sync.directory)
        for sync in catalogue.syncs_of(host.name)
        if not but or sync.service not in (None, but)
    ]
    page = catalogue.site.page
    pages = [("the page", page.directory)] if but and page else []
    for outer, inner in nested(
        [("", folder), *managed_files(host, catalogue).items(), *trees, *pages]
    ):
        if "" in (outer[0], inner[0]):
            return f"{folder} overlaps with {outer[0] or inner[0]} ({outer[1]}, {inner[1]})"
    return ""


def what_is_written_here_is_ours(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """The journal and the metrics, on the control node."""
    site = catalogue.site
    control = catalogue.hosts.get(site.control)
    owned = managed_files(control, catalogue) if control else {}
    written = {"data.journal.file": site.journal.file}
    if site.metrics:
        written["data.metrics.file"] = site.metrics.file
    for key, path in written.items():
        owner = next((name for name, other in owned.items() if path == other), None)
        if owner:
            yield key, f"{path} is where the deploy writes {owner}"
        elif within(path, ("/etc", *OBEYED_FOLDERS)) or is_the_systems(path):
            yield key, f"{path} lies in a folder that the host itself obeys"


SITE_RULES = (the_page_is_alone, what_is_written_here_is_ours)
HOST_RULES = (managed_files_are_apart, nothing_of_the_systems_is_replaced)
MCP_RULES = (the_files_of_clients_are_apart,)
