# shellcheck shell=sh disable=SC2154  # state is assigned in front
#
# The hosts of the site, as the release that this host runs lists them: so a deploy notices one
# that vanished from the inventory.
#
# POSIX sh, run as root, behind the text of write.sh and release.sh.

list_hosts() { # on standard input, a line a host: these, and no other
    meta=$state/releases/$(current)/meta
    [ -e "$meta" ] || return 0
    text=$(grep -v '^host ' "$meta" && sed 's/^/host /') || die "cannot read $meta"
    line "$text" | put "$meta" || die "cannot write $meta"
}
forget() { # NAME: this one no more
    meta=$state/releases/$(current)/meta
    [ -e "$meta" ] && grep -q "^host $1 " "$meta" || return 0
    text=$(grep -v "^host $1 " "$meta") || die "cannot read $meta"
    line "$text" | put "$meta" || die "cannot write $meta"
}
