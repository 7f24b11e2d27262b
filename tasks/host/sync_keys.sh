# shellcheck shell=sh disable=SC2154  # keys, user are assigned in front
#
# The keys with which the two hosts of a sync reach each other. A private key is made on
# its host and never leaves it.
#
# POSIX sh, run as root. tasks/sync/keys.py puts assignments in front and verbs behind.

set -u
umask 077
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

MARK=' twinedge-sync:' # in the comment of every line of ours

die() { printf '%s\n' "$*" >&2; exit 1; }
login=$(getent passwd "$user" | cut -d : -f 6)
[ -n "$login" ] || die "no user $user"
authorized=$login/.ssh/authorized_keys

look() {
    [ ! -s "$keys/key.pub" ] || printf 'sync-key %s\n' "$(cut -d ' ' -f 1,2 "$keys/key.pub")"
    for file in /etc/ssh/ssh_host_*_key.pub; do
        [ ! -s "$file" ] || printf 'sync-host-key %s\n' "$(cut -d ' ' -f 1,2 "$file")"
    done
    [ ! -s "$authorized" ] || grep -F "$MARK" "$authorized" | sed 's/^/sync-authorized /'
    [ ! -s "$keys/known_hosts" ] || sed 's/^/sync-known /' "$keys/known_hosts"
}
make_key() {
    mkdir -p "$keys" || die "cannot make $keys"
    [ -s "$keys/key" ] && [ -s "$keys/key.pub" ] && return 0
    rm -f "$keys/key" "$keys/key.pub"
    ssh-keygen -q -t ed25519 -N '' -C twinedge-sync -f "$keys/key" || die "cannot make $keys/key"
}
install_known() { # on standard input: all of the file
    { cat > "$keys/known_hosts.next" && mv -f "$keys/known_hosts.next" "$keys/known_hosts"; } ||
        die "cannot write $keys/known_hosts"
}
install_authorized() { # on standard input: our lines; the operator's stay as they are
    [ -d "$login/.ssh" ] || install -d -m 700 -o "$user" -g "$(id -gn "$user")" "$login/.ssh" ||
        die "cannot make $login/.ssh"
    {
        [ ! -s "$authorized" ] || grep -v -F "$MARK" "$authorized"
        cat
    } > "$authorized.next"
    { chown "$user:$(id -gn "$user")" "$authorized.next" &&
        mv -f "$authorized.next" "$authorized"; } ||
        die "cannot write $authorized"
}
