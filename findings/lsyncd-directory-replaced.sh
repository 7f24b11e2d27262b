#!/bin/sh
# lsyncd goes on reporting a directory by its old path after another one took its place.
#
# with      lsyncd 2.2.3 (Debian 12: lsyncd 2.2.3-1+b1, liblua5.3-0)
# input     a watched directory is renamed, as a restore from a backup does it, and a new one is
#           made at its path; then a file is written in each
# guessed   lsyncd notices that its root is gone: it ends, warns, or watches what is there now
# seen      it runs on, logs nothing, and sees the old directory: a file that is written in
#           tree.old is reported as tree/old-file, which does not exist; what happens at the
#           path that the configuration names is never seen again
# output    reported: tree/before tree/old-file; lsyncd runs: yes
set -eu
work=$(mktemp -d)
lsyncd=
trap '[ -z "$lsyncd" ] || kill "$lsyncd" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"
chmod 755 .
apt-get -q download 'lsyncd=2.2.3*' 'liblua5.3-0=5.3.6*' >apt.log 2>&1 ||
    { cat apt.log; echo "lsyncd 2.2.3 is Debian 12's"; exit 1; }
for package in ./*.deb; do dpkg-deb -x "$package" root; done
LD_LIBRARY_PATH=$(dirname root/usr/lib/*/liblua5.3.so.0)
export LD_LIBRARY_PATH

cat > config.lua <<END
settings { nodaemon = true, logfile = "$work/log" }
sync {
    delay = 0, source = "$work/tree", target = "nowhere",
    onCreate = function(event)
        spawn(event, "/bin/sh", "-c", 'echo "tree\$1" >> $work/reported', "sh", event.pathname)
    end,
}
END
await() { # a file that is reported
    for _ in $(seq 100); do
        if grep -qs "$1" reported; then return 0; fi
        sleep 0.1
    done
    return 1
}
mkdir tree
root/usr/bin/lsyncd config.lua >/dev/null &
lsyncd=$!
for _ in $(seq 100); do if grep -qs Startup log; then break; fi; sleep 0.1; done
sleep 1
: > tree/before
await before
mv tree tree.old
mkdir tree
: > tree/new-file
sleep 2
: > tree.old/old-file
await old-file || :
sleep 2
seen=$(sed 's,.*tree/*,tree/,' reported | sort | tr '\n' ' ')
runs=no
if kill -0 "$lsyncd"; then runs=yes; fi
echo "reported: ${seen% }; lsyncd runs: $runs"
[ "$seen$runs" = "tree/before tree/old-file yes" ] ||
    { echo "changed: lsyncd notices that its directory was replaced"; exit 1; }
