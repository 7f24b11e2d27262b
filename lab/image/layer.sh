#!/bin/sh
# Installs the hosts' packages: into an overlay over the machine's root, or into a whole
# root of another Debian. Never into the machine. Runs in mount and PID namespaces of its
# own; the machine's network is used here and nowhere else in the lab.
# usage: layer.sh machine|SUITE "PACKAGE..." LAYER
set -eu
distribution=$1 packages=$2 layer=$3
root=$layer/root

over_the_machine() { # UPPER WORK AT
	mkdir -p "$1" "$2" "$3"
	mount -t overlay lab-layer -o "lowerdir=/,upperdir=$1,workdir=$2" "$3"
	furnish "$3"
	resolver=$(readlink -m /etc/resolv.conf)    # on Ubuntu a link into /run, which is not in the overlay
	mkdir -p "$3${resolver%/*}"
	[ -e "$3$resolver" ] || cp "$resolver" "$3$resolver"
	printf '#!/bin/sh\nexit 101\n' >"$3/usr/sbin/policy-rc.d"    # no daemon is started in here
	chmod 755 "$3/usr/sbin/policy-rc.d"
}
furnish() { # ROOT
	mount -t proc proc "$1/proc"
	mount --rbind /dev "$1/dev"
}
inside() { # ROOT COMMAND...
	within=$1
	shift
	chroot "$within" env -i DEBIAN_FRONTEND=noninteractive HOME=/root LC_ALL=C.UTF-8 \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" "$@"
}
install() { # ROOT PACKAGE...
	within=$1
	shift
	set -- "$within" apt-get install -q -y --no-install-recommends "$@"
	inside "$@" </dev/null || { inside "$within" apt-get update -q && inside "$@" </dev/null; }
}

# Another Debian is put together by this one's tools, which the machine need not have:
# they go into an overlay that ends with this script. It comes from the machine's own mirror.
bootstrap() {
	tools=$layer/tools
	over_the_machine "$tools/upper" "$tools/work" "$tools/root"
	install "$tools/root" mmdebstrap debian-archive-keyring
	mkdir -p "$root" "$tools/root/mnt"
	mount --bind "$root" "$tools/root/mnt"
	# shellcheck disable=SC2016  # apt-get's own variables
	mirror=$(inside "$tools/root" apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' \
		'Created-By: Packages' | sed -n 's/^Debian Debian //p' | head -n 1)
	inside "$tools/root" apt-config dump | sed -n '/^Acquire::https\{0,1\}::/p' >"$tools/root/run/apt.conf"
	inside "$tools/root" mmdebstrap --mode=root --variant=minbase --aptopt=/run/apt.conf \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--include="$(echo "$packages" | tr ' ' ,)" "$distribution" /mnt ${mirror:+"$mirror"}
	rm -f "$root/etc/apt/apt.conf.d/99mmdebstrap" "$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
	umount -R "$tools/root"
	rm -rf --one-file-system "$tools"
	furnish "$root"
}

if [ "$distribution" = machine ]; then
	over_the_machine "$layer/upper" "$layer/work" "$root"
	# shellcheck disable=SC2086  # a list of words
	install "$root" $packages
	inside "$root" apt-get clean
else
	bootstrap
fi

rm -f "$root/usr/sbin/policy-rc.d" "$root"/etc/ssh/ssh_host_*
rm -rf "$root/etc/update-motd.d" "$root/etc/motd" "$root/etc/init.d/lsyncd"
for user in caddy ops; do
	inside "$root" id "$user" >/dev/null 2>&1 && inside "$root" userdel "$user"
done
rm -rf "$root/var/lib/caddy"    # of the machine, or of a package, whose user had another id
inside "$root" useradd --system --user-group --home-dir /var/lib/caddy --create-home \
	--shell /usr/sbin/nologin caddy
inside "$root" useradd --create-home --shell /bin/bash ops
echo 'ops ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/ops"
chmod 440 "$root/etc/sudoers.d/ops"
umount -R "$root/dev" "$root/proc"
sync -f "$layer"
: >"$layer/complete"
