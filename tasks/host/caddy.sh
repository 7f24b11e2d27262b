# shellcheck shell=sh disable=SC2154  # config, port, others, socket are assigned in front, and address.sh
#
# Caddy on an edge: what its unit does around it, and a deploy to it. POSIX sh.

# A reload by itself asks the admin address that stands in the *new* file. The running Caddy
# may listen elsewhere: at localhost:2019, where twinedge 0.1.0 had it.
reload() {
    at=localhost:2019
    if grep -q " $socket\$" /proc/net/unix; then at=unix/$socket; fi
    caddy reload --config "$config" --adapter caddyfile --force --address "$at"
}

# The socket's folder, for Caddy's own user alone. systemd makes it when Caddy starts; one
# that has run since before has none yet.
home() {
    user=$(systemctl show --value -p User caddy)
    mkdir -p "${socket%/*}" && chown "${user:-root}" "${socket%/*}" && chmod 700 "${socket%/*}"
}

# Who may ask a tunnel's listener, ours or another edge's, is believed like Cloudflare: root, and
# whom cloudflared runs as; no container, whose packets leave with our address. A user that is not
# known yet (DynamicUser) leaves it open; verify says so.
guard() {
    command -v nft >/dev/null 2>&1 || return 0
    user=$(systemctl show --value -p User cloudflared)
    uid=$(id -u "${user:-root}") || return 0
    [ "$uid" = 0 ] || uid="0, $uid"
    new='tcp flags & (fin | syn | rst | ack) == syn'
    stranger="$new meta skuid != { $uid } reject with tcp reset"
    away='' through=''
    if [ -n "$others" ]; then
        away="ip daddr { $others } tcp dport $port $stranger"
        through="ip daddr { $others } tcp dport $port $new reject with tcp reset"
    fi
    nft -f - <<END
table inet twinedge_tunnel
delete table inet twinedge_tunnel
table inet twinedge_tunnel {
    chain output {
        type filter hook output priority 0; policy accept;
        oif lo tcp dport $port $stranger
        $away
    }
    chain forward {
        type filter hook forward priority 0; policy accept;
        $through
    }
}
END
}
unguard() { nft delete table inet twinedge_tunnel 2>/dev/null || :; }

# Caddy cannot bind an address that is not there yet, and whoever asks cloudflared without it is
# lost. Shorter than systemd's own patience; then the unit is started anew.
wait_for_address() {
    waited=0
    until has_address; do
        [ $waited -lt 75 ] || return 1
        sleep 1
        waited=$((waited + 1))
    done
}
