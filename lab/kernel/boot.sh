#!/bin/sh
# Boots one lab host: from a process in the keeper's namespaces to its init as PID 1.
# Runs as PID 1 of a new PID namespace, with its own mount, UTS and IPC namespaces.
# usage: boot.sh ROOT CGROUP_PROCS NAME SHARED CHECKOUT INIT [FILE=AT]...
# With the INIT of an Unraid-like host, its root is in memory and as it was made.
set -eu
if [ "$1" != inside ]; then
	echo 0 >"$2"
	exec unshare --cgroup sh "$0" inside "$@"
fi
root=$2 name=$4 shared=$5 checkout=$6 init=$7
shift 7
disk=${root%/roots/*}/disks/$name

if [ "$init" = /sbin/init ]; then
	mount -t tmpfs -o mode=755 lab-memory "$root"
	mkdir "$root/upper" "$root/work" "$root/root"
	mount -t overlay "lab-$name" -o \
		"lowerdir=$disk/upper:$disk/layer,upperdir=$root/upper,workdir=$root/work" "$root/root"
	root=$root/root
	[ -e "$disk/boot/config" ] || cp -Rp "$root/boot/config" "$disk/boot"    # a new flash drive
fi

# A bind of its own: the root must be a mount point of this namespace to be pivoted to.
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
for part in sys sysrq-trigger; do    # the machine's settings are not the host's to change
	[ -e "proc/$part" ] || continue
	mount --bind "proc/$part" "proc/$part"
	mount -o remount,bind,ro "proc/$part"
done
mount --bind proc/sys/net proc/sys/net    # but those of its own network are
mount -o remount,bind,rw proc/sys/net
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do
	: >"dev/$node"
	mount --bind "/dev/$node" "dev/$node"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr

if [ "$init" = /sbin/init ]; then
	mkdir run/array
	mount --bind "$disk/boot" boot
	mount --bind "$disk/array" run/array
fi
mkdir -p run/lab "./$checkout"
mount --bind "$shared" run/lab
mount -o remount,bind,ro run/lab
mount --bind "$checkout" "./$checkout"
for bind; do
	from=${bind%%=*} at=${bind#*=}
	if [ -d "$from" ]; then mkdir -p "./$at"; else : >>"./$at"; fi
	mount --bind "$from" "./$at"
	mount -o remount,bind,ro "./$at"
done

hostname "$name"
mkdir -p mnt
pivot_root . mnt
cd /
umount -l /mnt
exec env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	"$init"
