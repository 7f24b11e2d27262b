# shellcheck shell=sh disable=SC2154  # what release.sh expects in front
#
# Take twinedge off a host: what it runs there stops, its files, secrets and keys leave.
#
# POSIX sh, run as root, behind the text of write.sh and release.sh. What is to go is what the
# host's own release lists; that goes last, so that a run which was cut off can be run again.
#
#   stops UNIT      goes PATH        what is there and would go, or has gone
#   remains WORDS   what is left, and is the operator's to take

leaving() { # changes nothing
    in_order | while read -r unit; do ! is_there "$unit" || say "stops $unit"; done
    written | while read -r path; do [ ! -e "$path" ] || say "goes $path"; done
    [ ! -e "$state" ] || say "goes $state"
    remaining
}
leave() {
    [ ! -e "$state/pending" ] || die "a release of this host is not confirmed yet: wait, then try again"
    [ ! -d "$state" ] || guarded take_lock || exit 3
    leaving
    if has_systemd; then
        for unit in $(in_order); do
            ! is_there "$unit" || systemctl disable --now "$unit" 2>&1 || die "cannot stop $unit"
        done
    fi
    written | while read -r path; do rm -f "$path" || die "cannot remove $path"; done || exit 1
    key_folders | while read -r folder; do
        rm -f "$folder/key" "$folder/key.pub" "$folder/known_hosts" || die "cannot remove $folder/key"
    done || exit 1
    copies_of_records | while read -r folder; do rm -rf "$folder" || die "cannot remove $folder"; done || exit 1
    own_folders | while read -r folder; do rmdir "$folder" 2>/dev/null || :; done
    for table in twinedge_tunnel twinedge_hold; do nft delete table inet $table 2>/dev/null; done
    if has_systemd; then
        systemctl daemon-reload || die "systemd does not read its units"
        ! is_written resolver || systemctl try-reload-or-restart unbound || die "unbound does not start"
    fi
    if [ -f /boot/config/go ] && grep -q "# twinedge: back" /boot/config/go; then
        text=$(grep -v "# twinedge: back" /boot/config/go)
        ( umask 022; line "$text" | put /boot/config/go ) || die "cannot write /boot/config/go"
    fi
    rmdir /etc/twinedge /usr/local/lib/twinedge 2>/dev/null || :
    leave_state
}
# The tunnel first, and before it what brings it back: no visitor comes here once it is gone.
in_order() {
    echo twinedge-replica.service
    for unit in cloudflared caddy lsyncd; do ! is_written $unit || echo $unit.service; done
    [ ! -d /etc/systemd/system ] || ( cd /etc/systemd/system && ls -1d twinedge-*.timer twinedge-boot.service ) 2>/dev/null
    :
}
is_there() { # UNIT
    has_systemd && { systemctl -q is-active "$1" || systemctl -q is-enabled "$1"; } 2>/dev/null
}
manifest() { cat "$state/releases/$(current)/manifest" 2>/dev/null; }
is_written() { manifest | awk -v name="$1" '$4 != "absent" && $7 == name { found = 1 } END { exit !found }'; }
written() { # the paths of our files
    manifest | while read -r _ _ _ sum _ _ _ path; do [ "$sum" = absent ] || say "$path"; done
    [ ! -e /etc/systemd/system/twinedge-boot.service ] || say /etc/systemd/system/twinedge-boot.service
}
key_folders() {
    say /etc/twinedge/look
    manifest | while read -r _ _ _ _ _ _ name path; do [ "$name" != sync-table ] || say "${path%/*}"; done
}
copies_of_records() { manifest | while read -r _ _ _ _ _ _ name path; do [ "$name" != resolver ] || say "${path%.conf}"; done; }
own_folders() { # what else lies in one keeps it
    key_folders
    manifest | while read -r _ _ _ _ _ _ name path; do
        case $name in caddy-program | caddy-unit | cloudflared-unit | schedule) say "${path%/*}" ;; esac
    done
}
leave_state() {
    [ -d "$state" ] || return 0
    case $state in /*/*) ;; *) die "$state is no place for a state" ;; esac
    if has_conflicts; then
        for left in "$state"/* "$state"/.[!.]*; do
            [ "$left" = "$state/sync" ] || [ "$left" = "$state/lock" ] || rm -rf "$left" ||
                die "cannot remove $left"
        done
        rm -f "$state/lock"
    else
        rm -rf "$state" || die "cannot remove $state"
    fi
}
has_conflicts() { find "$state"/sync/*/conflicts -type f 2>/dev/null | grep -q .; }
remaining() {
    ! has_conflicts || say "remains $state/sync: copies of conflicts that nobody has resolved"
    find /etc/twinedge -type f ! -path '/etc/twinedge/sync/*' ! -path '/etc/twinedge/look/*' 2>/dev/null |
        while read -r path; do say "remains $path"; done
    for program in caddy cloudflared lsyncd unison unbound; do
        ! command -v $program >/dev/null 2>&1 || say "remains the program $program"
    done
    [ ! -e "$state/sync" ] || find "$state/sync" -mindepth 1 -maxdepth 1 -type d 2>/dev/null |
        while read -r tree; do say "remains the tree of the sync ${tree##*/}"; done
}
