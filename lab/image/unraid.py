"""An Unraid-like host: no systemd, its root in memory, an array that is started, a web GUI.

As on Unraid: /boot is the flash drive and stays, as the array does; all else is as it was
made at each boot (lab/kernel/boot.sh). root's keys lie on the flash drive. /mnt/user is
there while the array is started, and docker runs as long as it is.
"""

from pathlib import Path

from lab.image.containers import SCRIPT
from lab.image.root import Root

BOOTED = "/run/booted"  # rc.S has come to its end
ARRAY = "/etc/rc.d/rc.array"
KEYS = "/boot/config/ssh/root"
OF_SYSTEMD = (
    *("systemctl", "systemd-run", "systemd-analyze", "systemd-cat", "systemd-notify"),
    *("journalctl", "loginctl", "hostnamectl", "timedatectl", "busctl"),
)
INITTAB = """\
::sysinit:/etc/rc.d/rc.S
::respawn:/usr/sbin/sshd -D
::respawn:/etc/rc.d/rc.nginx
"""
# Processes move out of the top control group: docker hands out controllers below it.
BOOT = f"""\
#!/bin/bash
exec >/var/log/syslog 2>&1
mkdir -p /run/sshd /sys/fs/cgroup/init
echo 1 >/sys/fs/cgroup/init/cgroup.procs
echo $$ >/sys/fs/cgroup/init/cgroup.procs
bash /boot/config/go
. /boot/config/disk.cfg
[ "$startArray" = no ] || {ARRAY} start
: >{BOOTED}
"""
ARRAY_SCRIPT = """\
#!/bin/bash
# The array of the lab: start or stop, now and at the boots to come.
set -e
case $1 in start) at_boot=yes ;; *) at_boot=no ;; esac
sed -i "s/^startArray=.*/startArray=$at_boot/" /boot/config/disk.cfg
mounted() { grep -q " $1 " /proc/mounts; }
case $1 in
start)
	mkdir -p /mnt/user
	mounted /mnt/user || mount --bind /run/array /mnt/user
	mkdir -p /mnt/user/appdata /mnt/user/system/docker
	/etc/rc.d/rc.docker start
	;;
stop)
	/etc/rc.d/rc.docker stop
	if mounted /mnt/user; then umount /mnt/user; fi
	rmdir /mnt/user 2>/dev/null || :
	;;
esac
"""
DOCKER = f"""\
#!/bin/bash
set -e
[ -e {SCRIPT} ] || exit 0    # the site has no containers here
pid=$(cat /run/docker.pid 2>/dev/null || :)
alive() {{ [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; }}
case $1 in
start)
	alive && exit 0
	rm -f /run/docker.pid
	mkdir -p /var/lib/docker
	mount --bind /mnt/user/system/docker /var/lib/docker
	setsid dockerd </dev/null >/var/log/docker.log 2>&1 &
	until docker info >/dev/null 2>&1; do sleep 0.2; done
	/bin/sh {SCRIPT}
	;;
stop)
	alive && kill "$pid"
	while alive; do sleep 0.2; done
	umount -l /var/lib/docker 2>/dev/null || :
	;;
esac
"""
GUI = """\
#!/bin/bash
cd '{checkout}' && exec '{python}' -m lab.standins.web_gui --name '{name}'
"""


def provision(root: Root, *, name: str, key: str, python: Path, checkout: Path) -> None:
    """Makes a host that is written otherwise into an Unraid-like one; `key` may log in."""
    for program in OF_SYSTEMD:
        root.remove(f"/usr/bin/{program}")
    root.link("/bin/sh", "bash")
    root.link("/sbin/init", "/bin/busybox")
    root.write("/etc/inittab", INITTAB)
    scripts = {
        "rc.S": BOOT,
        "rc.array": ARRAY_SCRIPT,
        "rc.docker": DOCKER,
        "rc.nginx": GUI.format(checkout=checkout, python=python, name=name),
    }
    for script, text in scripts.items():
        root.write(f"/etc/rc.d/{script}", text, mode=0o755)
    root.remove("/etc/ssh/authorized_keys")
    root.remove("/root/.ssh")
    root.link("/root/.ssh", KEYS)
    root.write(f"{KEYS}/authorized_keys", f"{key}\n", mode=0o600)
    root.write("/boot/config/disk.cfg", "startArray=yes\n")
    root.write("/boot/config/go", "#!/bin/bash\n# Unraid starts its web GUI here.\n")
