#!/bin/sh
# Installs the hosts' packages into an overlay over the machine's root, never into the
# machine. Runs in mount and PID namespaces of its own; the machine's network is used
# here and nowhere else in the lab.
# usage: layer.sh LAYER PACKAGE...
set -eu
layer=$1
shift
root=$layer/root
mkdir -p "$layer/work" "$root"
mount -t overlay lab-layer -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
resolver=$(readlink -m /etc/resolv.conf)    # on Ubuntu a link into /run, which is not in the overlay
mkdir -p "$root${resolver%/*}"
[ -e "$root$resolver" ] || cp "$resolver" "$root$resolver"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"    # no daemon is started in here
chmod 755 "$root/usr/sbin/policy-rc.d"

inside() {
	chroot "$root" env -i DEBIAN_FRONTEND=noninteractive HOME=/root LC_ALL=C.UTF-8 \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" "$@"
}
install() {
	inside apt-get install -q -y --no-install-recommends "$@" </dev/null
}
install -s "$@" >/dev/null 2>&1 || inside apt-get update -q
install "$@" || { inside apt-get update -q && install "$@"; }
inside apt-get clean

rm -f "$root/usr/sbin/policy-rc.d" "$root"/etc/ssh/ssh_host_*
rm -rf "$root/etc/update-motd.d" "$root/etc/motd" "$root/etc/init.d/lsyncd"
for user in caddy ops; do
	inside id "$user" >/dev/null 2>&1 && inside userdel "$user"
done
inside useradd --system --user-group --home-dir /var/lib/caddy --create-home \
	--shell /usr/sbin/nologin caddy
inside useradd --create-home --shell /bin/bash ops
echo 'ops ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/ops"
chmod 440 "$root/etc/sudoers.d/ops"
sync -f "$layer/upper"
: >"$layer/complete"
