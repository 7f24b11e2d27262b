"""Whether the machine has inotify instances left: all lab hosts share root's."""

from pathlib import Path

from lab.errors import LabError

LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
PER_HOST = 6  # measured: 4; lsyncd and a runbook come on top


def check_room(hosts: int) -> None:
    """Raises LabError when the hosts would run out; the lab changes no setting itself."""
    limit, used = int(LIMIT.read_text()), _used()
    if limit - used < hosts * PER_HOST:
        raise LabError(
            f"{used} of the machine's {limit} inotify instances are in use and {hosts} hosts need "
            f"{hosts * PER_HOST}; `sysctl fs.inotify.max_user_instances={2 * limit}`"
        )


def _used() -> int:
    """The inotify instances of root's processes."""
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid == 0:
                found += sum(
                    str(link.readlink()) == "anon_inode:inotify" for link in process.glob("fd/*")
                )
        except OSError:  # gone, or not ours to look into
            continue
    return found
