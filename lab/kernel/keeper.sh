#!/bin/sh
# The keeper: the process whose mount and network namespaces are the lab's ground.
# All mounts and links of the lab are in them, so that they end with their processes
# and the machine never sees one. Runs inside the new namespaces.
# usage: keeper.sh STATE DISK_SIZE LAYER... -- HOST=NAME-OF-LAYER...
set -eu
state=$1 size=$2
shift 2
mkdir -p "$state/net"
while [ "$1" != -- ]; do
	layer=$1 at=$state/layers/${1##*/}
	shift
	mkdir -p "$at"
	if [ -d "$layer/upper" ]; then    # over the machine's own root
		mount -t overlay lab-layer -o "ro,lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$at"
	else
		mount --bind "$layer/root" "$at"
	fi
done
shift
ip link set lo up
for bridge in tailnet internet; do
	ip link add "$bridge" type bridge
	ip link set "$bridge" up
done
for host; do
	layer=$state/layers/${host#*=} host=${host%%=*}
	disk=$state/disks/$host
	mkdir -p "$disk" "$state/roots/$host"
	mount -t tmpfs -o "size=$size,mode=755" "lab-disk" "$disk"
	mkdir "$disk/upper" "$disk/work" "$disk/boot" "$disk/array"
	ln -s "$layer" "$disk/layer"
	mount -t overlay "lab-$host" \
		-o "lowerdir=$layer,upperdir=$disk/upper,workdir=$disk/work" "$state/roots/$host"
	: >"$state/net/$host"
	unshare --net="$state/net/$host" ip link set lo up
done
echo $$ >"$state/keeper.tmp"
mv "$state/keeper.tmp" "$state/keeper.pid"
exec sleep infinity
