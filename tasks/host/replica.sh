# shellcheck shell=sh disable=SC2154  # port, others, left, leaving are assigned in front, and address.sh
#
# Beside cloudflared on an edge: takes its replica out of the tunnel while visitors who are sent
# there would wait for nothing, and brings it back. POSIX sh.
#
# A Caddy that refuses is no reason: cloudflared asks another edge's the same moment. One that is
# silent is, and a lost tailnet address. Whoever is about to leave says so before it asks whether
# another edge can serve, and its own Caddy tells the others (503): so never do all leave. Its own
# Caddy is asked last: one that answers again just then keeps it.

PATIENCE=1 # seconds; what is asked is a fixed answer of Caddy's own, so no ill service is behind it
SILENT=2   # times without an answer, one after the other: it leaves
HUNG=4     # it has left, and still there is none: Caddy is killed, and systemd starts it anew
GONE=4     # looks without the tailnet address: it leaves
WELL=4     # answers, one after the other: it comes back

# Sets said to an answer's status, to "silent" where none came in time, or to nothing.
ask() { # URL
    if command -v curl >/dev/null 2>&1
    then said=$(curl -s -m "$PATIENCE" -o /dev/null -w 'HTTP/ %{http_code}' "$1")
    else said=$(timeout "$PATIENCE" wget -t 1 -S -O /dev/null "$1" 2>&1); fi
    case $?:$said in
    28:* | 124:* | 143:*) said=silent ;; # curl's, and timeout's (that of busybox)
    *'HTTP/ 000'*) said= ;;
    *HTTP/*' 503'*) said=503 ;;
    *HTTP/*) said=answered ;;
    *) said= ;;
    esac
}
# A deploy holds connections back while it reloads Caddy (reload_caddy.sh).
held() { command -v nft >/dev/null 2>&1 && nft list table inet twinedge_hold >/dev/null 2>&1; }
another_serves() {
    for other in $others; do
        ask "http://$other:$port/"
        [ "$said" != answered ] || return 0
    done
    return 1
}

leave() { # WHY
    systemctl -q is-active cloudflared || return 0
    printf '%s\n' "$1" > "$left" || return 0
    echo "leaves the tunnel: $1"
    systemctl --no-block stop cloudflared
}
come_back() {
    [ -e "$left" ] || return 0
    rm -f "$left"
    echo "comes back to the tunnel"
    # Not with what its unit wants: a watch that is being stopped would be started again.
    systemctl --no-block --job-mode=ignore-dependencies start cloudflared
}

silent=0 gone=0 well=0
look() {
    gone=$((gone + 1))
    if has_address; then gone=0; fi
    spare=no
    if [ $silent -ge $((SILENT - 1)) ] && [ ! -e "$left" ]; then
        if true > "$leaving" && another_serves; then spare=yes; fi
    fi
    ask "http://127.0.0.1:$port/"
    case $said in
    silent)
        well=0
        if held; then silent=0; else silent=$((silent + 1)); fi ;;
    '') well=0 silent=0 ;;
    *) well=$((well + 1)) silent=0 ;;
    esac
    [ $gone -eq 0 ] || well=0
    if [ -e "$left" ]; then
        if [ $silent -ge $HUNG ]; then
            echo "kills Caddy, which does not answer"
            systemctl kill -s KILL caddy
            silent=0
        elif [ $well -ge $WELL ]; then come_back; fi
    elif [ $gone -ge $GONE ]; then leave "its tailnet address $address is gone"
    elif [ $silent -ge $SILENT ] && [ $spare = yes ]; then leave "its Caddy did not answer"; fi
    [ ! -e "$leaving" ] || rm -f "$leaving"
}
watch() {
    while :; do
        look
        [ $silent -gt 0 ] || sleep 0.5
    done
}
