# shellcheck shell=sh disable=SC2154  # purpose, keys, owner, user, mask are assigned in front
#
# The keys with which one host reaches another for one purpose, such as the sync. A private
# key is made on its host and never leaves it.
#
# POSIX sh, run as root, behind the text of write.sh. tasks/keys.py puts assignments in
# front and verbs behind: the key and the hosts that it knows lie in the folder `keys`, for
# `owner`; `user` is who is logged in to, `mask` the umask of what is no secret.

set -u
umask "$mask"
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

MARK=" twinedge-$purpose:" # in the comment of every line of ours

die() { printf '%s\n' "$*" >&2; exit 1; }
login=$({ getent passwd "$user" || grep "^$user:" /etc/passwd; } 2>/dev/null | cut -d : -f 6)
[ -n "$login" ] || die "no user $user"
authorized=$login/.ssh/authorized_keys

look() {
    ! is_made || printf '%s-key %s\n' "$purpose" "$(cut -d ' ' -f 1,2 "$keys/key.pub")"
    for file in /etc/ssh/ssh_host_*_key.pub; do
        [ ! -s "$file" ] || printf '%s-host-key %s\n' "$purpose" "$(cut -d ' ' -f 1,2 "$file")"
    done
    [ ! -s "$authorized" ] || grep -F "$MARK" "$authorized" | sed "s/^/$purpose-authorized /"
    [ ! -s "$keys/known_hosts" ] || sed "s/^/$purpose-known /" "$keys/known_hosts"
}
is_made() { [ -s "$keys/key" ] && [ -s "$keys/key.pub" ]; }
make_key() {
    mkdir -p "$keys" || die "cannot make $keys"
    is_made && return 0
    new=$keys/next # a key without its .pub is made anew
    rm -f "$new" "$new.pub" "$keys/key.pub"
    {
        ssh-keygen -q -t ed25519 -N '' -C "twinedge-$purpose" -f "$new" &&
            chown "$owner" "$new" "$new.pub" && durable "$new" "$new.pub" &&
            mv -f "$new" "$keys/key" && mv -f "$new.pub" "$keys/key.pub"
    } || die "cannot make $keys/key: is the disk full?"
}
drop_key() {
    rm -f "$keys/key" "$keys/key.pub" "$keys/known_hosts" || die "cannot remove $keys/key"
    rmdir "$keys" 2>/dev/null || :
}
install_known() { # on standard input: all of the file
    put "$keys/known_hosts" || die "cannot write $keys/known_hosts: is the disk full?"
}
install_authorized() { # on standard input: our lines; the operator's stay as they are
    [ -d "$login/.ssh" ] || install -d -m 700 -o "$user" -g "$(id -gn "$user")" "$login/.ssh" ||
        die "cannot make $login/.ssh"
    lines=$(others && cat) || die "cannot read $authorized"
    new=$authorized.next
    ( umask 077 && { [ -z "$lines" ] || line "$lines"; } > "$new" ) && [ "$(cat "$new")" = "$lines" ] && durable "$new" &&
        chown "$user:$(id -gn "$user")" "$new" && mv -f "$new" "$authorized" && return 0
    rm -f "$new"
    die "cannot write $authorized: is the disk full?"
}
others() { # the lines that are not ours; a grep that finds none has not failed
    [ -s "$authorized" ] || return 0
    grep -v -F "$MARK" "$authorized"
    [ $? -le 1 ]
}
