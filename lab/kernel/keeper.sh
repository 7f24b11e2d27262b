#!/bin/sh
# The keeper: the process whose mount and network namespaces are the lab's ground.
# All mounts and links of the lab are in them, so that they end with their processes
# and the machine never sees one. Runs inside the new namespaces.
# usage: keeper.sh STATE LAYER DISK_SIZE HOST...
set -eu
state=$1 layer=$2 size=$3
shift 3
mkdir -p "$state/layer" "$state/net"
mount -t overlay lab-layer -o "ro,lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$state/layer"
ip link set lo up
for bridge in tailnet internet; do
	ip link add "$bridge" type bridge
	ip link set "$bridge" up
done
for host; do
	disk=$state/disks/$host
	mkdir -p "$disk" "$state/roots/$host"
	mount -t tmpfs -o "size=$size,mode=755" "lab-disk" "$disk"
	mkdir "$disk/upper" "$disk/work"
	mount -t overlay "lab-$host" \
		-o "lowerdir=$state/layer,upperdir=$disk/upper,workdir=$disk/work" "$state/roots/$host"
	: >"$state/net/$host"
	unshare --net="$state/net/$host" ip link set lo up
done
echo $$ >"$state/keeper.tmp"
mv "$state/keeper.tmp" "$state/keeper.pid"
exec sleep infinity
