# shellcheck shell=sh disable=SC2154  # $ports and $program are assigned in front, and caddy.sh
#
# Reload Caddy without losing a request. A reload drops every connection that has been
# accepted and has not sent its request yet (measured: 5 of each 100 a second), so new
# connections are held back for a moment: their SYN is dropped, and sent again by the
# client's kernel 1 s later. The hold lives in the kernel and ends by itself, also when
# this script does not. Without nft(8) the reload is a plain one.

drain=500 # milliseconds: two round trips of a slow client, from SYN to request
hold=3s   # the longest that the hold may last

# Is a request still under way? Only on a connection that has lately opened, or received
# something; ss(8) leaves out a lastrcv of 0 ms. Where ss cannot tell, one may be.
expecting() {
    sockets=$(ss -HOtin state connected "( $(for port in $ports; do printf 'sport = :%s or ' "$port"; done)sport = 0 )" 2>/dev/null) || return 0
    printf '%s' "$sockets" | awk -v drain="$drain" '
        $1 == "TIME-WAIT" { next }
        !match($0, /lastrcv:[0-9]+/) || substr($0, RSTART + 8, RLENGTH - 8) + 0 < drain { young = 1 }
        END { exit !young }'
}

[ "$(systemctl show --value -p NeedDaemonReload caddy)" = no ] || systemctl daemon-reload || exit 1
if [ -e "$program" ]; then guard; else unguard; fi
if ! systemctl -q is-active caddy; then
    systemctl reset-failed caddy 2>/dev/null
    systemctl restart caddy
    exit
fi
home || exit 1
if command -v nft >/dev/null 2>&1; then
    nft -f - <<END
table inet twinedge_hold {
    set ports { type inet_service; flags timeout; }
    chain input {
        type filter hook input priority -10; policy accept;
        tcp dport @ports tcp flags & (fin | syn | rst | ack) == syn drop
    }
}
flush set inet twinedge_hold ports
add element inet twinedge_hold ports { $(for port in $ports; do printf '%s timeout %s, ' "$port" "$hold"; done) }
END
    waited=0
    while [ $waited -lt $drain ] && expecting; do sleep 0.05; waited=$((waited + 50)); done
    reload
    status=$?
    nft delete table inet twinedge_hold 2>/dev/null
    exit $status
fi
reload
